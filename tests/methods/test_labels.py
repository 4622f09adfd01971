"""Labels of synthetic sets: hard, of each step's target, learned, static; against what experts say, asked by hand."""

from dataclasses import replace

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from helpers.trained_task import EPOCHS, expert_module, trained_task

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.methods.parts.initialization import RealInit, class_major_labels
from ddbench.methods.parts.labels import (
    HardLabels,
    LearnedLabels,
    StaticLabels,
    TargetLabels,
    expert_logits,
    probabilities,
)
from ddbench.synthetic.synthetic_set import load_synthetic


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return trained_task(tmp_path_factory.mktemp("experts"))


class TestLabels:
    @pytest.fixture
    def syn(self, task):
        return task.synthetic(RealInit().start(task, 8, at(), EPOCHS).images, class_major_labels(3, 8), ipc=8)

    def all_logits(self, task, syn):
        with torch.no_grad():
            return torch.stack([expert_module(task, expert)(syn.images) for expert in range(3)])

    def test_hard_labels_stay(self, task, syn):
        assert HardLabels().start(syn, task, EPOCHS, recognized=False) is syn and HardLabels().rate() is None

    def test_averages_by_hand(self, task, syn):
        every = self.all_logits(task, syn)
        right = every.argmax(2) == syn.labels
        correct = torch.stack(
            [every[right[:, i], i].mean(0) if right[:, i].any() else every[:, i].mean(0) for i in range(24)]
        )
        assert not right.all() and right.any(0).any(), "the experts agree: nothing is tested"
        for teachers, want in (("first", every[0]), ("all", every.mean(0)), ("correct", correct)):
            assert torch.allclose(expert_logits(syn, task, EPOCHS, teachers), want, atol=1e-5), teachers

    @pytest.mark.parametrize(("recognized", "teachers"), [(True, "correct"), (False, "first")])
    @pytest.mark.parametrize("kind", [LearnedLabels, StaticLabels])
    def test_whose_logits_follows_from_the_pixels(self, task, syn, recognized, teachers, kind):
        made = kind().start(syn, task, EPOCHS, recognized=recognized)
        assert made.label_kind == "logits" and torch.equal(made.labels, expert_logits(syn, task, EPOCHS, teachers))
        assert (kind().rate() is None) == (kind is StaticLabels)

    def test_target_labels_are_those_of_the_target_and_constants(self, task, syn):
        labels = TargetLabels()
        start = labels.start(syn, task, EPOCHS, recognized=False)
        assert start.label_kind == "probabilities" and torch.equal(start.labels.argmax(1), syn.labels)
        images = start.images.clone().requires_grad_()
        seen = labels.at_step(replace(start, images=images), task, lambda: task.experts[1, 2])
        with torch.no_grad():
            want = expert_module(task, 1, epoch=2)(syn.images).softmax(1)
        assert torch.allclose(seen.labels, want, atol=1e-6) and not seen.labels.requires_grad
        assert torch.equal(seen.labels, probabilities(task, task.experts[1, 2], syn.images))

    def test_target_labels_are_kept_as_all_experts_together_or_the_last_target_give_them(self, task, syn):
        start = TargetLabels().start(syn, task, EPOCHS, recognized=False)
        together = TargetLabels().finalize(start, task, EPOCHS, lambda: task.experts[1, 2]).labels
        assert torch.allclose(together, self.all_logits(task, syn).softmax(2).mean(0), atol=1e-6)
        last = TargetLabels(keep="last").finalize(start, task, EPOCHS, lambda: task.experts[1, 2]).labels
        assert torch.equal(last, probabilities(task, task.experts[1, 2], syn.images))


def test_labels_of_another_number_of_classes_are_refused():
    task = tiny_task()
    images = task.real.inputs(task.real.train)[:3]
    with pytest.raises(ValueError, match="labels are over 5 classes, but 3 are named"):
        task.synthetic(images, torch.zeros(3, 5), ipc=1, label_kind="logits")


def test_a_file_whose_labels_are_of_another_number_of_classes(tmp_path):
    """As somebody might send it: whole, with its checksum, but not what it says."""
    task = tiny_task()
    syn = task.synthetic(task.real.inputs(task.real.train)[:3], torch.zeros(3, 3), ipc=1, label_kind="logits")
    path = tmp_path / "wrong.safetensors"
    syn.save(path)
    tensors, document = artifact.load(path, "synthetic set")
    facts = {key: value for key, value in document.items() if key not in ("kind", "schema", "sha256")}
    artifact.save(path, "synthetic set", {**tensors, "labels": torch.zeros(3, 5)}, facts)
    with pytest.raises(UserError, match="labels are over 5 classes, but 3 are named"):
        load_synthetic(path)
