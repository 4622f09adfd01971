"""Labels of synthetic images, and whether they change while images are learned."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ddbench.distillation.outer_optimizer import SGD, Adam, Clamp, OuterOptimizer
from ddbench.distillation.task import Task
from ddbench.methods.parts.expert_ensemble import ExpertEnsemble, at_once
from ddbench.recipe.settings import Part, Positive, Share
from ddbench.synthetic.synthetic_set import SyntheticSet

Teachers = Literal["correct", "first", "all"]
"""Whose logits are averaged for an image: experts that classify it correctly (all, where none does), expert 0, all."""

Theta = Callable[[], Tensor]
"""Reads the parameters (P,) of an expert, on the device, when they are needed."""


class Labels(Part, abc.ABC):
    """A way to label. The classes themselves are always known: sets are class-major."""

    soft: ClassVar[bool]
    """Whether the stored labels are soft."""
    judged: ClassVar[bool] = False
    """Whether the labels of step 0 are what experts see in the images."""

    def asks_experts(self) -> bool:
        """Check whether experts at ``label_expert_epoch`` are needed, for the first labels or the last.

        Returns:
            True where they are: experts are then trained that long.
        """
        return self.judged

    def start(self, syn: SyntheticSet, task: Task, label_expert_epoch: int, *, recognized: bool) -> SyntheticSet:
        """Label the set of step 0.

        Args:
            syn: The set with hard labels.
            task: What is distilled from.
            label_expert_epoch: Epoch of the experts that label, where any do.
            recognized: Whether its images were chosen among those that experts classify correctly.

        Returns:
            The set with the labels of step 0.
        """
        del task, label_expert_epoch, recognized
        return syn

    def rate(self) -> OuterOptimizer | None:
        """Say how the labels are learned.

        Returns:
            Their outer optimizer; None where they are not learned.
        """
        return None

    def at_step(self, syn: SyntheticSet, task: Task, target: Theta) -> SyntheticSet:
        """Label the set as the students of one outer step see it.

        Args:
            syn: The set as it is now.
            task: What is distilled from.
            target: Reads the parameters (P,) that the students are to reach.

        Returns:
            The set with the labels of the step.
        """
        del task, target
        return syn

    def finalize(self, syn: SyntheticSet, task: Task, label_expert_epoch: int, last_target: Theta) -> SyntheticSet:
        """Label the set as it is stored.

        Args:
            syn: The set after its last step.
            task: What is distilled from.
            label_expert_epoch: Epoch of the experts that label, where any do.
            last_target: Reads the parameters (P,) that the last step was to reach.

        Returns:
            The set with its final labels.
        """
        del task, label_expert_epoch, last_target
        return syn


class HardLabels(Labels):
    """The classes. MTT, FTD, AST, and TESLA but for ImageNet."""

    kind: Literal["hard"] = "hard"
    soft: ClassVar[bool] = False


class TargetLabels(Labels):
    """Probabilities, at every outer step, that the target expert of that step gives the images; constants of it.

    Source: Cui et al. 2023 (TESLA, arXiv:2211.10586), released ``distill.py``, ``teacher_label``: no augmentation.
    Differs: the set that is kept is labeled by all experts at ``label_expert_epoch`` together ("experts"); the released
    code keeps the labels of whichever expert and epoch the last step had drawn ("last").
    """

    kind: Literal["target"] = "target"
    keep: Literal["experts", "last"] = "experts"
    """Whose labels the kept set has: of all experts together, or of the last step's target."""
    soft: ClassVar[bool] = True

    def asks_experts(self) -> bool:
        return self.keep == "experts"

    def start(self, syn: SyntheticSet, task: Task, label_expert_epoch: int, *, recognized: bool) -> SyntheticSet:
        del task, label_expert_epoch, recognized
        return replace(syn, labels=functional.one_hot(syn.labels, syn.classes).float(), label_kind="probabilities")

    def at_step(self, syn: SyntheticSet, task: Task, target: Theta) -> SyntheticSet:
        return replace(syn, labels=probabilities(task, target(), syn.images.detach()))

    def finalize(self, syn: SyntheticSet, task: Task, label_expert_epoch: int, last_target: Theta) -> SyntheticSet:
        if self.keep == "last":
            return self.at_step(syn, task, last_target)
        ensemble = ExpertEnsemble(task, label_expert_epoch)
        total = torch.zeros_like(syn.labels)
        for expert in range(len(ensemble)):
            total += ensemble.logits(expert, syn.images).softmax(1)
        return replace(syn, labels=total / len(ensemble))


class StaticLabels(Labels):
    """Soft labels that stay as experts gave them at step 0, as logits."""

    kind: Literal["static"] = "static"
    teachers: Teachers | None = None
    """Whose logits are averaged; None: the correct ones' for ``init: correct``, else the first's."""
    soft: ClassVar[bool] = True
    judged: ClassVar[bool] = True

    def start(self, syn: SyntheticSet, task: Task, label_expert_epoch: int, *, recognized: bool) -> SyntheticSet:
        teachers = self.teachers or ("correct" if recognized else "first")
        return replace(syn, labels=expert_logits(syn, task, label_expert_epoch, teachers), label_kind="logits")


class LearnedLabels(Labels):
    """Logits that begin as those of experts, and are learned like pixels; the loss takes their softmax.

    Source: Guo et al. 2024 (DATM, arXiv:2310.05773), released ``DATM.py``. Differs: none.
    """

    kind: Literal["learned"] = "learned"
    lr: Positive = 2.0
    """Outer learning rate of the logits (DATM: 2, 5 or 10)."""
    momentum: Share = 0.9
    """Of the logits' SGD."""
    teachers: Teachers | None = None
    """Whose logits the labels begin as; None: the correct ones' for ``init: correct``, else the first's."""
    soft: ClassVar[bool] = True
    judged: ClassVar[bool] = True

    def start(self, syn: SyntheticSet, task: Task, label_expert_epoch: int, *, recognized: bool) -> SyntheticSet:
        return StaticLabels(teachers=self.teachers).start(syn, task, label_expert_epoch, recognized=recognized)

    def rate(self) -> SGD:
        return SGD(lr=self.lr, momentum=self.momentum)


class OneHotLabels(Labels):
    """Rows of numbers that begin as the classes, one-hot, and are learned like pixels.

    The loss takes them as they are, without a softmax: none is below 0, but a row need not add up to 1, and one that
    adds up to more makes its image count for more.

    Source: Feng et al. 2024 (RaT-BPTT, arXiv:2311.07025), released ``base.py``, flag ``train_y``. Differs: none.
    """

    kind: Literal["one-hot"] = "one-hot"
    lr: Positive = 1e-3
    """Outer learning rate of the labels, that of Adam."""
    soft: ClassVar[bool] = True

    def start(self, syn: SyntheticSet, task: Task, label_expert_epoch: int, *, recognized: bool) -> SyntheticSet:
        del task, label_expert_epoch, recognized
        return replace(syn, labels=functional.one_hot(syn.labels, syn.classes).float(), label_kind="probabilities")

    def rate(self) -> Adam:
        return Adam(lr=self.lr, project=Clamp(low=0))


def expert_logits(syn: SyntheticSet, task: Task, epoch: int, teachers: Teachers) -> Tensor:
    """Average the logits of experts for the set's images; experts are read one at a time.

    Args:
        syn: The set.
        task: What is distilled from.
        epoch: Epoch of the experts.
        teachers: Experts whose logits count: correct, first or all.

    Returns:
        (S, K), float32, on the device of the images.
    """
    ensemble, classes = ExpertEnsemble(task, epoch), syn.hard_labels().to(syn.images.device)
    if teachers == "first":
        return ensemble.logits(0, syn.images)
    total = torch.zeros(len(syn), syn.classes, device=syn.images.device)
    of_correct, votes = torch.zeros_like(total), torch.zeros(len(syn), 1, device=syn.images.device)
    for expert in range(len(ensemble)):
        logits = ensemble.logits(expert, syn.images)
        right = (logits.argmax(1) == classes)[:, None].float()
        total, of_correct, votes = total + logits, of_correct + right * logits, votes + right
    if teachers == "all":
        return total / len(ensemble)
    return torch.where(votes > 0, of_correct / votes.clamp(min=1), total / len(ensemble))


@torch.no_grad()
def probabilities(task: Task, theta: Tensor, images: Tensor) -> Tensor:
    """Compute the student's softmax without augmentation.

    Every chunk is spread over the whole set, so that batch norm, which uses a chunk's statistics, sees all classes.

    Args:
        task: What is distilled from.
        theta: Parameters, (P,).
        images: (S, C, H, W).

    Returns:
        (S, K).
    """
    chunks = -(-len(images) // at_once(images))
    logits = images.new_empty(len(images), task.real.classes)
    for first in range(chunks):
        logits[first::chunks] = task.network(theta, images[first::chunks])
    return logits.softmax(1)
