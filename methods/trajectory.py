"""The engine that all methods of trajectory matching share: parts that vary on their own, put together here.

A student starts at an expert's parameters, takes ``inner_steps`` steps on the synthetic set, and is compared with where
the expert went in ``expert_epochs`` epochs on real data. A published method is a choice of the parts' values.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor

from ddbench.augmentation import augmentation
from ddbench.errors import UserError
from ddbench.losses import classification_loss
from ddbench.method import Count, OptimisedMethod, OuterRate, OuterStep, Positive, Settings, Task
from ddbench.methods.matching import trajectory_matching_loss
from ddbench.methods.pixels import PixelStart, class_major_labels, start_pixels
from ddbench.methods.span import draw_span
from ddbench.students import InnerLoss, SGDStep, batch_order
from ddbench.synthetic import SyntheticSet
from ddbench.unroll import AdjointUnroll, FullUnroll, Outer, TeslaUnroll, TruncatedUnroll, Unroll


class UnrollChoice(Settings):
    """Which unroll differentiates the student; in a recipe a bare name will do: ``unroll: tesla``."""

    kind: Literal["adjoint", "full", "tesla", "truncated"] = "adjoint"
    every: Count = 1
    """adjoint: how many steps' graphs are held at once."""
    last: Count | None = None
    """truncated: how many last steps are differentiated."""

    @model_validator(mode="after")
    def _options_go_with_their_kind(self) -> UnrollChoice:
        if (self.kind == "truncated") != (self.last is not None):
            raise ValueError("'truncated', and it alone, needs last: for example {kind: truncated, last: 8}")
        if self.every > 1 and self.kind != "adjoint":
            raise ValueError("every goes with 'adjoint' alone")
        return self

    def build(self) -> Unroll:
        match self.kind:
            case "adjoint":
                return AdjointUnroll(self.every)
            case "full":
                return FullUnroll()
            case "tesla":
                return TeslaUnroll()
            case "truncated":
                return TruncatedUnroll(self.last or 1)


def _bare_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class TrajectoryMatching(OptimisedMethod):
    """What the members of the family have in common. Abstract: the members are final and only choose defaults."""

    inner_steps: Count
    """N: SGD steps of the student on the synthetic set, an outer step."""
    expert_epochs: Count = 2
    """M: epochs of the expert on real data that those N steps are to reproduce."""
    min_start_epoch: Annotated[int, Field(ge=0)] = 0
    max_start_epoch: Count
    """Start epochs are drawn from [min_start_epoch, max_start_epoch), the upper end excluded."""
    batch_syn: Count | None = None
    """Synthetic images an inner step sees; None: all of them."""
    image_lr: Positive
    """Outer learning rate of the pixels. Large (1e2 to 1e5), because the matching loss is relative to a long way."""
    student_lr: Positive = 0.01
    """The student's learning rate at the beginning; it is learned."""
    student_lr_lr: Positive = 1e-5
    """Outer learning rate of the student's learning rate."""
    outer_momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5
    student_momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    pixels: PixelStart = "real"
    labels: Literal["hard"] = "hard"
    augmentation: Literal["dsa", "none"] = "dsa"
    unroll: Annotated[UnrollChoice, BeforeValidator(_bare_kind)] = UnrollChoice()

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> TrajectoryMatching:
        if self.min_start_epoch >= self.max_start_epoch:
            raise ValueError("min_start_epoch must be below max_start_epoch")
        return self

    def needed_epochs(self) -> int:
        return self.max_start_epoch + self.expert_epochs

    def outer_rates(self) -> dict[str, OuterRate]:
        return {
            "images": OuterRate(lr=self.image_lr, momentum=self.outer_momentum),
            "student_lr": OuterRate(lr=self.student_lr_lr, momentum=self.outer_momentum),
        }

    def init(self, task: Task, ipc: int, at: OuterStep) -> SyntheticSet:
        labels = class_major_labels(task.real.classes, ipc)
        images = start_pixels(self.pixels, task, ipc, at.stream("pixels"))
        return task.synthetic(images, labels, ipc=ipc, student_lr=torch.tensor(self.student_lr))

    def outer_loss(self, syn: SyntheticSet, task: Task, at: OuterStep) -> tuple[Tensor, dict[str, float]]:
        if task.experts is None or syn.student_lr is None:
            raise UserError("trajectory matching needs experts and a student_lr", fix="give the task an expert buffer")
        start_epoch, *span = draw_span(task.experts, at, self.min_start_epoch, self.max_start_epoch, self.expert_epochs)
        begin, target = (theta.to(task.device, non_blocking=True) for theta in span)
        student = SGDStep(self.inner_loss(syn, task, at), self.student_momentum)
        outer = (syn.images, syn.student_lr)
        states = self.unroll.build().run(student, student.start(begin), outer, self.inner_steps)
        end = student.parameters(states)[-1]
        return trajectory_matching_loss(end, target, begin), {"start_epoch": start_epoch}

    def inner_loss(self, syn: SyntheticSet, task: Task, at: OuterStep) -> InnerLoss:
        """The student's loss at each inner step; batches and augmentation are drawn here, once, to be replayed."""
        order = batch_order(len(syn), self.batch_syn, self.inner_steps, at.stream("batches"))
        batches = [None if rows is None else rows.to(task.device) for rows in order]
        policy, draws = augmentation(self.augmentation, mirror=task.real.mirror), []
        if policy is not None:
            generator = at.stream("augmentation")
            sizes = [len(syn) if rows is None else len(rows) for rows in batches]
            draws = [policy.draw(size, task.real.size, generator).to(task.device) for size in sizes]

        def loss(theta: Tensor, outer: Outer, t: int) -> Tensor:
            (images,) = outer
            rows = batches[t]
            batch, labels = (images, syn.labels) if rows is None else (images[rows], syn.labels[rows])
            if policy is not None:
                batch = policy.apply(batch, draws[t])
            return classification_loss(task.network(theta, batch), labels, syn.label_kind)

        return loss
