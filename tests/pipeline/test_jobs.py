"""Which jobs a recipe makes: experts, overrides of parts and of by_ipc, and the baseline of soft labels."""

import pytest
from helpers.recipe_makers import HEAD, by_label, jobs, refusal, text_of

from ddbench.methods import METHODS
from ddbench.pipeline.jobs import shared_buffers

FOUR = ("mtt", "ftd", "datm", "ast")


def optimizers(folder, text, *overrides):
    found = by_label(jobs(folder, text, *overrides))
    return {label: job.buffer.recipe.optimizer.kind for label, job in found.items() if job.buffer}


class TestPublishedExperts:
    def test_a_method_brings_its_own(self, tmp_path):
        want = {"mtt": "sgd", "ftd": "gsam", "datm": "gsam", "ast": "smooth", "random-soft": "gsam"}
        assert optimizers(tmp_path, text_of(*FOUR)) == want

    def test_what_the_recipe_says_holds_for_all(self, tmp_path):
        said = text_of(*FOUR).replace("lr: 0.02", "lr: 0.02, optimizer: gsam")
        assert set(optimizers(tmp_path, said).values()) == {"gsam"}
        assert set(optimizers(tmp_path, text_of(*FOUR), "experts.optimizer=sgd").values()) == {"sgd"}

    def test_what_an_entry_says_beats_the_recipe(self, tmp_path):
        said = text_of(*FOUR).replace("lr: 0.02", "lr: 0.02, optimizer: gsam, momentum: 0.5")
        found = by_label(jobs(tmp_path, said, "methods.ftd.experts.optimizer=sgd"))
        assert found["ftd"].buffer.recipe.optimizer.kind == "sgd" and found["ftd"].buffer.recipe.momentum == 0.5
        assert found["ast"].buffer.recipe.optimizer.kind == "gsam"

    def test_key_by_key(self, tmp_path, registry):
        from ddbench.methods.mtt import MTT

        @METHODS.register("fast")
        class Fast(MTT.__base__):
            """MTT with experts of its own."""

            EXPERTS = {"optimizer": {"kind": "gsam", "rho": 0.5, "alpha": 2.0}, "momentum": 0.9, "lr": 7.0}

        own = "    experts: {optimizer: {rho: 0.125}, batch: 9}\n"
        (job, *_) = jobs(tmp_path, text_of("fast") + own)
        asked = job.buffer.recipe
        assert (asked.lr, asked.momentum, asked.batch, asked.weight_decay) == (0.02, 0.9, 9, 0.0)
        assert (asked.optimizer.rho, asked.optimizer.alpha, asked.optimizer.adaptive) == (0.125, 2.0, True)

    def test_the_same_experts_are_one_buffer(self, tmp_path):
        found = jobs(tmp_path, text_of(*FOUR))
        folders = {job.label: job.buffer.folder for job in found}
        assert folders["ftd"] == folders["datm"] == folders["random-soft"]
        assert len(set(folders.values())) == len(shared_buffers(found)) == 3

    def test_a_shared_buffer_is_as_large_as_the_largest_wish(self, tmp_path):
        more = "    experts: {count: 7}\n"
        wishes = text_of("mtt") + "  again: {method: mtt, inner_steps: 1, max_start_epoch: 9, image_lr: 1}\n"
        (need,) = shared_buffers(jobs(tmp_path, wishes.replace("    image_lr: 10\n", "    image_lr: 10\n" + more)))
        assert (need.recipe.count, need.epochs) == (7, 10)

    @pytest.mark.parametrize("key", ["experts", "methods.mtt.experts", "methods.mtt.by_ipc.10.experts"])
    def test_too_few_epochs_are_told_where_they_are_said(self, tmp_path, key):
        said = refusal(tmp_path, text_of("mtt"), f"{key}.epochs=2")
        assert "looks at 3 epochs" in said and f"-o {key}.epochs=2" in said

    def test_a_mistake_in_an_entrys_experts(self, tmp_path):
        said = refusal(tmp_path, text_of("mtt") + "    experts: {optimizer: gsan}\n")
        assert "my.yaml, line 12: methods.mtt.experts" in said and "did you mean 'gsam'?" in said


class TestParts:
    def test_a_bare_name_takes_the_key(self, tmp_path):
        text = text_of("mtt", "datm").replace("    image_lr: 10\n", "    image_lr: 10\n    labels: learned\n")
        found = by_label(jobs(tmp_path, text, "methods.datm.labels.lr=5"))
        assert found["datm"].method.labels.lr == 5 and found["mtt"].method.labels.lr == 2
        both = by_label(jobs(tmp_path, text, "method.labels.lr=5"))
        assert both["datm"].method.labels.lr == both["mtt"].method.labels.lr == 5

    def test_of_experts_too(self, tmp_path):
        text = text_of("mtt").replace("lr: 0.02", "lr: 0.02, optimizer: gsam")
        (job, *_) = jobs(tmp_path, text, "experts.optimizer.rho=0.5")
        assert (job.buffer.recipe.optimizer.kind, job.buffer.recipe.optimizer.rho) == ("gsam", 0.5)
        said = refusal(tmp_path, text, "experts.optimizer.ro=0.5")
        assert "-o experts.optimizer.ro=0.5" in said and "did you mean 'rho'?" in said

    @pytest.mark.parametrize(
        "override", ["experts.augmentation.x=1", "methods.mtt.augmentation.x=1", "experts.lr.x=1", "network.x=1"]
    )
    def test_a_text_that_is_no_part(self, tmp_path, override):
        said = refusal(tmp_path, text_of("mtt").replace("lr: 0.02", "lr: 0.02, augmentation: none"), override)
        assert "no keys of its own" in said and f"-o {override}" in said and "shorten the path" in said

    def test_what_was_put_there_later_is_what_counts(self, tmp_path):
        said = refusal(tmp_path, text_of("mtt"), "methods.mtt.augmentation.x=1", "methods.mtt.augmentation=dsaa")
        assert "did you mean 'dsa'?" in said and "-o methods.mtt.augmentation=dsaa" in said

    def test_a_name_of_a_method_is_none(self, tmp_path):
        text = text_of("random") + "  a: {method: herding}\n"
        assert "-o methods.a.method.x=1 goes into 'method'" in refusal(tmp_path, text, "methods.a.method.x=1")
        said = refusal(tmp_path, text, "methods.a.method=3")
        assert "method must be the name of a method" in said and "-o methods.a.method=3" in said

    def test_a_key_of_one_kind_is_for_the_methods_of_that_kind(self, tmp_path):
        """MTT's labels are hard and have no rate; random images have no labels to set at all."""
        found = by_label(jobs(tmp_path, text_of("random", "mtt", "datm"), "method.labels.lr=5"))
        assert found["datm"].method.labels.lr == 5 and found["mtt"].method.labels.kind == "hard"
        said = refusal(tmp_path, text_of("random", "mtt", "datm"), "method.labels.lrr=5")
        assert "-o method.labels.lrr=5" in said and "did you mean 'lr'?" in said
        said = refusal(tmp_path, text_of("random", "mtt", "datm"), "method.lables.lr=5")
        assert "no key of a method 'lables'" in said and "did you mean 'labels'?" in said

    def test_an_alias_of_yaml_is_not_changed_with_its_twin(self, tmp_path):
        text = HEAD + "  mtt: &same {inner_steps: 3, max_start_epoch: 2, image_lr: 10}\n  ftd: *same\n"
        found = by_label(jobs(tmp_path, text, "methods.ftd.inner_steps=5"))
        assert found["ftd"].method.inner_steps == 5 and found["mtt"].method.inner_steps == 3


class TestByIpc:
    TEXT = text_of("mtt", "datm").replace(
        "    image_lr: 10\n",
        "    image_lr: 10\n    by_ipc: {10: {iterations: 7, labels: {kind: learned, momentum: 0.5}}}\n",
    )

    def settings(self, folder, *overrides):
        found = jobs(folder, self.TEXT, *overrides)
        return {(job.label, job.ipc): job.method for job in found}

    def test_it_holds_at_its_ipc_alone(self, tmp_path):
        found = self.settings(tmp_path)
        assert (found["mtt", 1].iterations, found["mtt", 10].iterations) == (4, 7)

    @pytest.mark.parametrize("label", ["method", "methods.mtt"])
    def test_an_override_beats_it(self, tmp_path, label):
        found = self.settings(tmp_path, f"{label}.iterations=5")
        assert found["mtt", 1].iterations == found["mtt", 10].iterations == 5
        assert found["datm", 10].iterations == (5 if label == "method" else 7)

    def test_an_override_inside_a_part_leaves_the_rest_of_it(self, tmp_path):
        found = self.settings(tmp_path, "method.labels.lr=5")
        assert (found["mtt", 10].labels.lr, found["mtt", 10].labels.momentum) == (5, 0.5)
        assert (found["datm", 1].labels.lr, found["datm", 1].labels.momentum) == (5, 0.9)
        assert found["mtt", 1].labels.kind == "hard"

    def test_the_later_override_holds(self, tmp_path):
        first, second = "methods.mtt.by_ipc.10.iterations=6", "method.iterations=5"
        assert self.settings(tmp_path, first, second)["mtt", 10].iterations == 5
        found = self.settings(tmp_path, second, first)
        assert (found["mtt", 1].iterations, found["mtt", 10].iterations) == (5, 6)

    def test_mistakes_are_told_where_they_stand(self, tmp_path):
        said = refusal(tmp_path, self.TEXT.replace("iterations: 7", "iterations: 0", 1))
        assert "my.yaml, line 11: methods.mtt.iterations" in said
        assert "-o methods.mtt.by_ipc.10.iterations=0" in refusal(
            tmp_path, self.TEXT, "methods.mtt.by_ipc.10.iterations=0"
        )
        said = refusal(tmp_path, self.TEXT, "ipc=10", "methods.mtt.by_ipc.10.iterations=6", "methods.mtt.iterations=0")
        assert "-o methods.mtt.iterations=0" in said


class TestSoftBaseline:
    def test_it_stands_beside_soft_labels_at_every_ipc(self, tmp_path):
        found = jobs(tmp_path, text_of("mtt", "ftd", "datm"))
        soft = [job for job in found if job.label == "random-soft"]
        assert [(job.name, job.ipc) for job in soft] == [("random-soft", 1), ("random-soft", 10)]
        datm = by_label(found)["datm"]
        assert all(job.method.label_expert_epoch == datm.method.needed_epochs() == 3 for job in soft)
        assert all(job.buffer.folder == datm.buffer.folder for job in soft)

    def test_at_the_epoch_that_labels_there(self, tmp_path):
        found = by_label(jobs(tmp_path, text_of("datm"), "method.label_expert_epoch=2", "method.max_start_epoch=5"))
        assert (found["random-soft"].method.label_expert_epoch, found["random-soft"].buffer.epochs) == (2, 6)

    def test_only_where_labels_are_soft(self, tmp_path):
        assert set(by_label(jobs(tmp_path, text_of("random", "mtt", "ftd")))) == {"random", "mtt", "ftd"}
        text = text_of("mtt").replace("    image_lr: 10\n", "    image_lr: 10\n    by_ipc: {10: {labels: static}}\n")
        found = jobs(tmp_path, text)
        assert [(job.label, job.ipc) for job in found] == [("mtt", 1), ("mtt", 10), ("random-soft", 10)]

    def test_a_sweep_that_softens_labels_has_it_too(self, tmp_path):
        found = by_label(jobs(tmp_path, text_of("mtt", more="sweep: {soft: {method.labels: static}}\n")))
        assert set(found) == {"mtt", "mtt-soft", "random-soft"}

    def test_not_where_the_recipe_has_it(self, tmp_path):
        text = text_of("datm") + "  mine: {method: random-soft, label_expert_epoch: 1}\n"
        assert set(by_label(jobs(tmp_path, text))) == {"datm", "mine"}

    def test_its_label_may_be_taken(self, tmp_path):
        found = by_label(jobs(tmp_path, text_of("datm") + "  random-soft: {method: random}\n"))
        assert found["random-soft"].name == "random" and found["random-soft-labels"].name == "random-soft"

    def test_experts_of_a_fixed_length_will_do(self, tmp_path):
        found = by_label(jobs(tmp_path, text_of("datm"), "experts.epochs=3"))
        assert found["random-soft"].buffer.epochs == 3
