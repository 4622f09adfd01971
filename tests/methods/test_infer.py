"""INFER as a method: natural images, jobs, interruption, labels, switches, and what it refuses."""

from dataclasses import replace

import pytest
import torch
from helpers.computing import under
from helpers.distillation_makers import at, tiny_task
from helpers.evaluation_makers import short
from helpers.infer_makers import NETWORKS, drawn_teachers, taught_task

from ddbench.data import load_dataset
from ddbench.data.preprocessing import Preprocessing
from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.run import run
from ddbench.errors import UserError
from ddbench.evaluate.score import score
from ddbench.evaluate.train_teachers import train_teachers
from ddbench.methods.infer.method import INFER
from ddbench.methods.infer.objective import Objective
from ddbench.methods.infer.optimize import Optimization
from ddbench.methods.parts.shared_view import View
from ddbench.runtime.progress import Silent
from ddbench.synthetic.compensators import rendered
from ddbench.synthetic.synthetic_set import load_synthetic

SMALL = {"iterations": 6, "shift": 2, "teachers": {"networks": NETWORKS}}


def made(task, folder, ipc=4, seed=3, progress=None, pause=1e9, **settings):
    method = INFER.model_validate({**SMALL, **settings})
    paths = run(method, under(task, progress=progress, checkpoint_seconds=pause), ipc, folder, seed=seed)
    return load_synthetic(paths[-1])


class StopAfter(Silent):
    """Interrupts at this step that it is told of, counted over all jobs."""

    def __init__(self, steps):
        self.left = steps

    def update(self, done, **facts):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


class TestSet:
    def test_natural_images_are_drawn_once_and_stored_as_pixels(self, tmp_path):
        task = taught_task()
        syn = made(task, tmp_path, ipc=6)
        real, rows = task.real, syn.compensation.rows  # 6 x 3 images pay for 3 sets: 3 x (3 + 2) = 15
        assert syn.images.dtype == torch.uint8 and len(rows) == len(set(rows.tolist())) == 9
        assert torch.equal(syn.images, real.train.images[rows])
        assert real.train.labels[rows].tolist() == [0, 1, 2] * 3
        other = made(task, tmp_path / "other", ipc=6, seed=4)
        assert not torch.equal(other.compensation.rows, rows)

    def test_shapes_and_facts(self, tmp_path):
        task = taught_task()
        syn = made(task, tmp_path, ipc=6)
        found = syn.compensation.compensators
        assert found.shape == (2, 3, 1, 1, 8, 8) and found.dtype == torch.float16
        assert (found.float().flatten(2).std(2) > 0).all(), "each was optimized"
        assert (syn.label_kind, syn.labels.dtype, syn.labels.shape) == ("logits", torch.float16, (27, 3))
        assert (syn.ipc, syn.shown_ipc, syn.method) == (6, 9, "infer")
        told = syn.provenance
        assert told["budget"] == {
            "sets": 3,
            "teachers": 2,
            "charged_items": 15,
            "budget_items": 18,
            "leftover_items": 3,
        }
        assert syn.charged == {"images": 9 * 64, "compensators": 6 * 64, "labels": 18 * 3 * 4}
        assert syn.bytes["images"] == 9 * 64 and syn.bytes["compensators"] == 2 * 6 * 64
        assert syn.bytes["labels"] == 2 * 27 * 3
        assert told["teachers"]["networks"] == list(NETWORKS)
        assert told["teachers"]["fingerprint"] == task.teachers.fingerprint
        assert "charged as 15 of 18 images; 3 are left over" in told["notes"][0]
        assert "convnet-d1-w4-bn (50.0 %), convnet-d2-w4-bn (60.0 %)" in told["notes"][1] and len(told["notes"]) == 2

    def test_what_is_rendered_is_cut_to_pixels(self, tmp_path):
        task = taught_task()
        syn = made(task, tmp_path, lr=2.0)
        shown, extra = syn.decoded().images, syn.compensation
        natural = task.real.inputs(task.real.train, extra.rows)
        black, white = (0 - 0.5) / 0.25, (1 - 0.5) / 0.25
        wanted = [natural]
        for teacher in range(2):
            added = extra.compensators[teacher].float().expand(-1, 3, -1, -1, -1).flatten(0, 1)
            wanted.append((natural + added).clamp(black, white))
        assert torch.equal(shown, torch.cat(wanted))
        assert (shown == black).any() and (shown == white).any()

    def test_labels_are_what_teachers_see_in_the_rendered_images(self, tmp_path):
        task = taught_task()
        syn = made(task, tmp_path, lr=2.0)
        wanted = torch.stack([task.teachers.member(m)(syn.decoded().images) for m in range(2)]).mean(0)
        assert torch.equal(syn.labels, wanted.half()) and syn.labels.float().std() > 0

    def test_static_and_dynamic_labels_coincide_without_augmentation_and_mixing(self, tmp_path):
        task = taught_task(images=90)
        syn, real = made(task, tmp_path), task.real
        torch.testing.assert_close(syn.labels.float(), task.teachers.logits(syn.decoded().images), rtol=1e-3, atol=1e-3)
        plain = {"mixing": "none", "batch": 4}
        names = ("infer-static-v1", "infer-dynamic-v1")
        static, dynamic = (replace(short(name, epochs=3, augmentation="none"), **plain) for name in names)
        asked = {"seeds": (0, 1), "network": "convnet-d1-w4", "teachers": task.teachers}
        one, two = (score(syn, real, protocol=protocol, **asked) for protocol in (static, dynamic))
        assert one.accuracy == two.accuracy

    def test_rounding_is_noted_where_images_are_numbers(self, tmp_path):
        task = taught_task()
        split = replace(task.real.train, images=task.real.train.images.float() / 255)
        exact = replace(task, real=replace(task.real, train=split))
        assert not any("256 levels" in note for note in made(exact, tmp_path / "exact").provenance["notes"])
        shifted = replace(split, images=split.images.mul(0.99))
        syn = made(replace(task, real=replace(task.real, train=shifted)), tmp_path / "shifted")
        assert any("256 levels" in note for note in syn.provenance["notes"])


class TestSwitches:
    def test_natural_alone_takes_the_whole_budget(self, tmp_path):
        syn = made(taught_task(), tmp_path, ipc=4, blocks="natural")
        assert len(syn.images) == 12 and syn.shown_ipc == 4 and syn.labels.shape == (12, 3)
        assert syn.compensation.teachers == 0 and syn.provenance["budget"]["leftover_items"] == 0
        assert syn.charged["compensators"] == 0 and torch.equal(syn.decoded().images, syn.decoded().images.clamp(-2, 2))

    def test_sums_alone(self, tmp_path):
        both, additive = (made(taught_task(), tmp_path / b, blocks=b) for b in ("both", "additive"))
        assert torch.equal(both.compensation.compensators, additive.compensation.compensators)
        assert torch.equal(additive.decoded().images, both.decoded().images[len(both.images) :])
        assert torch.equal(additive.labels, both.labels[len(both.images) :])
        assert additive.charged == both.charged, "natural images are stored all the same"

    def test_one_a_class_is_paid_for(self, tmp_path):
        syn = made(taught_task(), tmp_path, ipc=7, shared=False)
        found = syn.compensation.compensators
        assert found.shape == (2, 2, 3, 1, 8, 8) and syn.provenance["budget"]["charged_items"] == 2 * 3 * 3
        assert not torch.equal(found[:, :, 0], found[:, :, 1])
        assert syn.charged["compensators"] == 12 * 64

    def test_one_teacher(self, tmp_path):
        one = {"networks": "convnet-d2-w4-bn"}
        syn = made(taught_task(("convnet-d2-w4-bn",)), tmp_path, teachers=one)
        assert syn.compensation.compensators.shape[:2] == (1, 3) and syn.shown_ipc == 6

    def test_hard_labels(self, tmp_path):
        syn = made(taught_task(), tmp_path, labels="hard")
        assert syn.label_kind == "hard" and torch.equal(syn.labels, torch.arange(3).repeat(len(syn.labels) // 3))
        assert "labels" not in syn.charged
        method = INFER(labels="hard", blocks="natural")
        assert method.required_teachers() is None and not method.soft_labels()
        plain = made(tiny_task(experts=False), tmp_path / "plain", labels="hard", blocks="natural")
        assert plain.labels.tolist() == [0, 1, 2] * 4 and "teachers" not in plain.provenance

    def test_a_teacher_without_batch_norm(self, tmp_path):
        names = ("convnet-d1-w4", "convnet-d1-w4-bn")
        syn = made(taught_task(names), tmp_path, teachers={"networks": names})
        assert any(note.startswith("no batch norm in convnet-d1-w4:") for note in syn.provenance["notes"])
        assert syn.compensation.compensators[0].abs().max() > 0

    def test_crops_are_of_their_own(self, tmp_path):
        plain, cropped = (made(taught_task(), tmp_path / str(crop), crop=crop) for crop in (False, True))
        assert not torch.equal(plain.compensation.compensators, cropped.compensation.compensators)

    def test_settings_survive_json_and_teachers_are_replaced_whole(self):
        method = INFER.model_validate({"teachers": {"networks": ["resnet18-cifar"]}})
        assert (method.teachers.epochs, method.teachers.protocol) == (None, "real-v1")
        assert INFER.model_validate_json(method.model_dump_json()) == method
        with pytest.raises(ValueError, match="no_such_key"):
            INFER.model_validate({"no_such_key": 1})


class TestOptimization:
    def test_is_adam_along_a_cosine_from_zero(self):
        """Ten lines of Adam by hand, in float64, give the same compensators."""
        task = taught_task()
        teacher = task.teachers.member(1).double()
        natural = torch.randn(1, 3, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        objective = Objective(teacher=teacher, natural=natural)
        config = Optimization(iterations=5, lr=0.25, betas=(0.5, 0.9), shift=2, crop=False, mirror=False)
        states = []

        class Noting(JobCheckpoint):
            def __init__(self):
                pass

            def resume(self):
                return None

            def checkpoint(self, done, of, state, **facts):
                states.append({name: tensor.clone() for name, tensor in state().items()})

        stored = config.compensators(objective, 1, ["a"], at(), Noting())
        u = m = v = torch.zeros(1, 1, 1, 8, 8, dtype=torch.float64)
        for t in range(5):
            rate = 0.25 * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * t / 5, dtype=torch.float64)))
            *_, g = objective.losses_and_gradient(u, config.views(t, at(), ["a"], 8))
            m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g * g
            u = u - rate * (m / (1 - 0.5 ** (t + 1))) / ((v / (1 - 0.9 ** (t + 1))).sqrt() + 1e-8)
            torch.testing.assert_close(states[t]["compensators"], u, rtol=1e-12, atol=1e-14)
        assert torch.equal(stored, u.half()) and u.abs().max() > 0.1

    def test_it_lowers_the_objective(self, tmp_path):
        task = taught_task(images=90)
        syn = made(task, tmp_path, iterations=60, shift=0, bn_weight=0.1)
        natural = task.real.inputs(task.real.train, syn.compensation.rows).view(-1, 3, 1, 8, 8)
        for teacher in range(2):
            objective = Objective(teacher=task.teachers.member(teacher), natural=natural, bn_weight=0.1)
            views = [View(None, False, 0, 0)] * len(natural)
            found = syn.compensation.compensators[teacher].float()
            before, after = (objective.losses_and_gradient(u, views) for u in (torch.zeros_like(found), found))
            assert (after[0] + 0.1 * after[1] < before[0] + 0.1 * before[1]).all()

    def test_numbers_that_are_lost_stop_the_run(self, tmp_path):
        with pytest.raises(UserError, match="no longer finite numbers") as caught:
            made(taught_task(), tmp_path, lr=1e6)
        assert "lower lr" in caught.value.fix


class TestJobs:
    def test_groups_and_chunks_give_the_same_compensators(self, tmp_path):
        """But for rounding: each job draws for itself, whatever it shares its batches with."""
        task = taught_task()
        task = replace(task, teachers=drawn_teachers(task.real))
        wanted = made(task, tmp_path / "all", ipc=6).compensation.compensators.float()
        for at_once, classes in ((1, None), (2, None), (None, 2), (2, 1)):
            asked = {"jobs_at_once": at_once, "classes_at_once": classes}
            found = made(task, tmp_path / f"{at_once}-{classes}", ipc=6, **asked).compensation.compensators.float()
            assert (found - wanted).abs().max() < 5e-3 * wanted.abs().max()

    @pytest.mark.parametrize("ipc", [4, 6])
    def test_names_are_a_fixed_partition(self, ipc):
        task, method = taught_task(), INFER.model_validate({**SMALL, "jobs_at_once": 2})
        sets = {4: ["0-1"], 6: ["0-1", "2-2"]}[ipc]
        assert method.jobs(task, ipc) == [f"teacher{m}-sets{s}" for m in range(2) for s in sets]

    @pytest.mark.parametrize("steps", [1, 2, 5, 7])
    def test_interrupted_it_ends_with_the_same_bits(self, tmp_path, steps):
        """Twelve steps in two jobs, interrupted again and again after so many, the last of which is lost each time."""
        task, sittings = taught_task(), 0
        whole = made(task, tmp_path / "whole")
        while True:
            try:
                resumed = made(task, tmp_path / "parts", progress=StopAfter(steps + 1), pause=0)
                break
            except KeyboardInterrupt:
                sittings += 1
        assert sittings >= 11 // steps
        assert torch.equal(resumed.compensation.compensators, whole.compensation.compensators)
        assert torch.equal(resumed.labels, whole.labels) and torch.equal(resumed.images, whole.images)

    def test_same_seed_same_bits_and_no_global_randomness(self, tmp_path):
        before = torch.get_rng_state()
        one, two, other = (made(taught_task(), tmp_path / str(n), seed=s) for n, s in enumerate((3, 3, 4)))
        assert torch.equal(one.compensation.compensators, two.compensation.compensators)
        assert not torch.equal(one.compensation.compensators, other.compensation.compensators)
        assert torch.equal(before, torch.get_rng_state())


class TestRefusals:
    def test_no_room_for_a_natural_set(self, tmp_path):
        with pytest.raises(UserError, match="no room for one natural image") as caught:
            made(taught_task(), tmp_path, ipc=1)
        assert "an ipc of 2 or more" in caught.value.fix
        for settings, ipc, least in (({}, 1, 2), ({"shared": False}, 4, 5)):
            with pytest.raises(UserError, match=f"does not exist at ipc {ipc}") as caught:
                INFER(**settings).validate_ipc(ipc)
            assert f"an ipc of {least} or more" in caught.value.fix
            INFER(**settings).validate_ipc(least)
        INFER(blocks="natural").validate_ipc(1)
        INFER(blocks="natural", shared=False).validate_ipc(1)
        four = INFER.model_validate({})
        with pytest.raises(UserError, match="does not exist at ipc 2") as caught:
            four.validate_data(tiny_task(experts=False).real, 2)  # 3 classes and 4 teachers
        assert "an ipc of 3 or more" in caught.value.fix

    def test_no_teachers_and_other_ones(self, tmp_path):
        task = taught_task()
        with pytest.raises(UserError, match="INFER needs teachers"):
            made(replace(task, teachers=None), tmp_path)
        with pytest.raises(UserError, match="trained on other images"):
            made(replace(task, teachers=drawn_teachers(tiny_task(experts=False, classes=4).real)), tmp_path)
        other = Preprocessing.meanstd([0.4], [0.25])
        with pytest.raises(UserError, match="trained on other images"):
            made(replace(task, real=replace(task.real, preprocessing=other)), tmp_path)
        assert not (tmp_path / "jobs").exists(), "nothing was begun"

    def test_whitened_images(self, tmp_path):
        task = taught_task()
        eye = torch.eye(64)
        white = Preprocessing.whitening(torch.zeros(64), eye, eye, "x")
        real = replace(task.real, preprocessing=white)
        with pytest.raises(UserError, match="ZCA mixes all pixels") as caught:
            made(replace(task, real=real, teachers=drawn_teachers(real)), tmp_path)
        assert caught.value.fix == "preprocessing: meanstd"

    def test_ipc_beyond_a_class(self, tmp_path):
        with pytest.raises(UserError, match="ipc 999 is larger than a class"):
            made(taught_task(), tmp_path, ipc=999)


@pytest.mark.slow
def test_from_digits_to_an_accuracy(tmp_path):
    """Teachers that learned digits, compensators against them, and fresh networks that learn digits from the set."""
    real = load_dataset("digits", home=tmp_path, data_root=tmp_path, quiet=True)
    networks = ("convnet-d1-w8-bn", "convnet-d2-w8-bn")
    teachers = train_teachers(real, networks, tmp_path / "teachers", epochs=10, protocol="squeeze-v1")
    task = replace(tiny_task(experts=False), real=real, network_name="convnet-d1-w8", method="infer", teachers=teachers)
    syn = made(task, tmp_path / "run", ipc=3, iterations=40, shift=1, teachers={"networks": networks})
    assert len(syn.images) == 20 and syn.shown_ipc == 6 and min(teachers.accuracy) > 0.8
    assert torch.equal(syn.labels[:20].argmax(1), teachers.logits(syn.decoded().images)[:20].argmax(1))
    row = torch.arange(len(syn.labels))
    assert torch.equal(rendered(syn.images, syn.compensation, syn.preprocessing, row), syn.decoded().images)
    asked = {"protocol": short("infer-static-v1", augmentation="none"), "seeds": (0, 1), "steps": 600}
    assert min(score(syn, real, **asked).accuracy) > 0.7
