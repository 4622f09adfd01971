"""The engine that all methods of trajectory matching share: parts that vary on their own, put together here.

A student starts at an expert's parameters, takes ``inner_steps`` steps on the synthetic set, and is compared with where
the expert went in ``expert_epochs`` epochs on real data. A published method is a choice of the parts' values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ddbench.augmentation import augmentation
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_optimizer import SGD, OuterOptimizer
from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.estimates.training_time import LEAST_STEP_SECONDS
from ddbench.methods.parts.ast_student import balance, perturbed
from ddbench.methods.parts.expert_segment import Growth, Span, StartWindow, draw_span
from ddbench.methods.parts.init_correct import CorrectInit
from ddbench.methods.parts.init_kmeans import KMeansInit
from ddbench.methods.parts.initialization import NoiseInit, RealInit, class_major_labels
from ddbench.methods.parts.labels import HardLabels, LearnedLabels, StaticLabels, TargetLabels
from ddbench.methods.parts.matching import ClosestMatch, FinalMatch, IntermediateMatch
from ddbench.methods.parts.memory_estimate import TrajectoryMemory
from ddbench.methods.parts.student_batches import student_batches
from ddbench.methods.parts.unroll_choice import UnrollChoice
from ddbench.recipe.renamed_keys import TRAJECTORY_KEYS
from ddbench.recipe.settings import Count, NotNegative, Positive, Share
from ddbench.runtime.compile import should_compile, student_seconds
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.unroll.compiled_step import FastStep
from ddbench.unroll.sgd_step import BatchLoss, SGDStep, batch_order

AnyInit = Annotated[RealInit | NoiseInit | CorrectInit | KMeansInit, Field(discriminator="kind")]
AnyLabels = Annotated[HardLabels | TargetLabels | LearnedLabels | StaticLabels, Field(discriminator="kind")]
AnyMatch = Annotated[FinalMatch | IntermediateMatch | ClosestMatch, Field(discriminator="kind")]


class TrajectoryMatching(OptimizedMethod):
    """Base of the family's members. Abstract: the members are final and only choose defaults."""

    COMPAT: ClassVar[Mapping[str, Any]] = {}
    """What ``compat: true`` chooses, for members whose released code has quirks that move results."""

    RENAMED = TRAJECTORY_KEYS

    inner_steps: Count
    """N: SGD steps of the student on the synthetic set, an outer step."""
    expert_epochs: Count = 2
    """M: epochs of the expert on real data that those N steps are to reproduce."""
    min_start_epoch: Annotated[int, Field(ge=0)] = 0
    """T-: the lower end of the window of start epochs."""
    max_start_epoch: Count
    """Start epochs are drawn from [min_start_epoch, max_start_epoch), the upper end excluded."""
    growth: Growth | None = None
    """How the upper end grows up to max_start_epoch; None: it is there from the beginning."""
    batch_syn: Count | None = None
    """Synthetic images an inner step sees; None: all of them."""
    image_lr: Positive
    """Outer learning rate of the pixels. Large (1e2 to 1e5), because the matching loss is relative to a long way."""
    pixel_gradient: Positive = 1.0
    """A factor of the pixels' gradient; TESLA's released code loses one half of it."""
    student_lr: Positive = 0.01
    """The student's learning rate at the beginning; it is learned."""
    student_lr_lr: Positive = 1e-5
    """Outer learning rate of the student's learning rate."""
    outer_momentum: Share = 0.5
    """Of the pixels' and the student's rate's SGD; labels have their own."""
    student_momentum: Share = 0.0
    """Of the student's SGD; the unroll carries its velocity (AST: 0.9)."""
    balanced_loss: bool = False
    """Whether the student's loss counts less from early start epochs and more from late ones (AST)."""
    start_perturbation: NotNegative = 0.0
    """How far the convolutions of the start are off the expert's, relative to each weight (AST: 1); 0: not at all."""
    init: AnyInit = RealInit()
    """The images of step 0: random real ones, noise, those that experts recognize, those nearest to k-means centers."""
    labels: AnyLabels = HardLabels()
    """The classes; or soft labels: of each step's target expert, learned as logits, or fixed as experts gave them."""
    label_expert_epoch: Count | None = None
    """The epoch at which experts judge images, for initial pixels and labels; None: the last that matching looks at."""
    match: AnyMatch = FinalMatch()
    """What of the student's path is held to the expert's: its end, every epoch on the way too, or its closest step."""
    augmentation: Literal["dsa", "none"] = "dsa"
    """Of the student's batches, drawn anew at every inner step."""
    unroll: UnrollChoice = UnrollChoice()
    """How the student's steps are differentiated."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_compat(cls, data: Any) -> Any:
        return {**cls.COMPAT, **data} if isinstance(data, dict) and data.get("compat") is True else data

    @model_validator(mode="after")
    def _parts_go_together(self) -> TrajectoryMatching:
        first = self.growth.first if self.growth else self.max_start_epoch
        if not self.min_start_epoch < first <= self.max_start_epoch:
            raise ValueError(
                "min_start_epoch must be below max_start_epoch, and growth.first, where given, between the two: "
                "the window of start epochs would be empty"
            )
        if self.labels.judged and isinstance(self.init, NoiseInit):
            raise ValueError(
                f"labels: {self.labels.kind} begin as what experts see in the images, and noise shows nothing"
            )
        if isinstance(self.match, IntermediateMatch) and not 2 <= self.expert_epochs <= self.inner_steps:
            raise ValueError(
                "match: intermediate holds the student to each epoch of the expert on the way: "
                "it needs expert_epochs of 2 or more, and at least as many inner_steps"
            )
        return self

    def soft_labels(self) -> bool:
        return self.labels.soft

    def needed_epochs(self) -> int:
        used = self.init.asks_experts or self.labels.asks_experts()
        return max(self._matched_epochs(), (self.label_expert_epoch or 0) if used else 0)

    def validate_ipc(self, ipc: int) -> None:
        self.init.validate_ipc(ipc)

    def plan_summary(self, sizes: Sizes, ipc: int) -> dict[str, int | str]:
        del sizes, ipc
        inner = self.iterations * self.inner_steps
        return {"outer steps": self.iterations, "inner steps": inner, "unroll": self.unroll.kind}

    def peak_bytes(self, sizes: Sizes, ipc: int) -> int:
        return self._memory(sizes, ipc).bytes(sizes)

    def memory_suggestions(self, sizes: Sizes, ipc: int, available: int) -> Sequence[MemorySuggestion]:
        return self._memory(sizes, ipc).memory_suggestions(sizes, available)

    def defining_settings(self) -> dict[str, Any]:
        whole = super().defining_settings()
        return {**whole, "unroll": {**whole["unroll"], "every": UnrollChoice().every}}

    def loop_seconds(self, sizes: Sizes, ipc: int) -> float:
        return max(self._student_seconds(sizes, ipc), LEAST_STEP_SECONDS * self.iterations * self.inner_steps)

    def _student_seconds(self, sizes: Sizes, ipc: int) -> float:
        floats = sizes.activations * -(-self._batch(sizes, ipc) // sizes.ranks)
        return student_seconds(floats, self.iterations * self.inner_steps, sizes.device)

    def _batch(self, sizes: Sizes, ipc: int) -> int:
        images = sizes.classes * ipc
        return min(self.batch_syn or images, images)

    def _memory(self, sizes: Sizes, ipc: int) -> TrajectoryMemory:
        images, batch, seconds = sizes.classes * ipc, self._batch(sizes, ipc), self._student_seconds(sizes, ipc)
        return TrajectoryMemory(
            unroll=self.unroll,
            inner_steps=self.inner_steps,
            images=images,
            batch=batch,
            soft=self.labels.rate() is not None,
            momentum=self.student_momentum > 0,
            moments=len(self.match.moments(self.inner_steps, self.expert_epochs)),
            averaged=self.ema_decay is not None,
            compiled=self.unroll.kind != "full" and should_compile(sizes.compile, seconds=seconds, device=sizes.device),
        )

    def _matched_epochs(self) -> int:
        return self.max_start_epoch - 1 + self.expert_epochs

    def _label_expert_epoch(self) -> int:
        return self.label_expert_epoch or self._matched_epochs()

    def outer_rates(self) -> dict[str, OuterOptimizer]:
        pixels = SGD(lr=self.image_lr * self.pixel_gradient, momentum=self.outer_momentum)
        student = SGD(lr=self.student_lr_lr, momentum=self.outer_momentum)
        labels = self.labels.rate()
        return {"images": pixels, "student_lr": student} | ({} if labels is None else {"labels": labels})

    def initialize(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        start = self.init.start(task, ipc, step, self._label_expert_epoch())
        syn = task.synthetic(
            start.images.to(task.device),
            class_major_labels(task.real.classes, ipc).to(task.device),
            ipc=ipc,
            student_lr=torch.tensor(self.student_lr),
            notes=start.notes,
        )
        return self.labels.start(syn, task, self._label_expert_epoch(), recognized=isinstance(self.init, CorrectInit))

    def with_inner_steps(self, inner_steps: int) -> Self:
        least = self.expert_epochs if self.match.kind == "intermediate" else 1
        return self.model_copy(update={"inner_steps": max(inner_steps, least)})

    def timing_init(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        plain = self.model_copy(update={"init": NoiseInit(), "labels": HardLabels()})
        syn = plain.initialize(task, ipc, step)
        if not self.labels.judged:
            return self.labels.start(syn, task, self._label_expert_epoch(), recognized=False)
        logits = torch.randn(len(syn), syn.classes, generator=step.stream("labels")).to(task.device)
        return replace(syn, labels=logits, label_kind="logits")

    def outer_loss(self, syn: SyntheticSet, task: Task, step: OuterStep) -> tuple[Tensor, dict[str, float]]:
        if syn.student_lr is None:
            raise UserError("trajectory matching needs a student_lr", fix="make the set with the method's initialize")
        span = self._span(task, step)

        @cache
        def milestone(epochs: int) -> Tensor:
            return span.after(epochs).to(task.device, non_blocking=True)

        begin = milestone(0)
        if self.start_perturbation:
            shapes = task.network.shapes
            begin = perturbed(begin, shapes, self.start_perturbation, step.stream("perturbation"))
        seen = self.labels.at_step(syn, task, lambda: milestone(self.expert_epochs))
        scale = balance(span.start_epoch, self.max_start_epoch) if self.balanced_loss else 1.0
        order = batch_order(len(seen), self.batch_syn, self.inner_steps, step.stream("batches"))
        policy = augmentation(self.augmentation, mirror=task.real.mirror)
        student = self._student(student_batches(seen, task, step, order, policy, scale), seen, task)
        learned = task.ranks.copied(*((seen.images, seen.labels) if self.labels.rate() else (seen.images,)))
        outer = (*learned, syn.student_lr)
        path = student.walk(begin, outer, self.inner_steps)
        steps = self.match.steps(path, milestone, self.inner_steps, self.expert_epochs)
        moments = self.match.moments(steps, self.expert_epochs)
        states = self.unroll.build().run(student, student.start(begin), outer, steps, moments)
        loss = self.match.loss(student.parameters(states), milestone, self.expert_epochs, task.network.shapes)
        chosen = {"closest_step": steps} if isinstance(self.match, ClosestMatch) else {}
        return loss, {"start_epoch": span.start_epoch, **chosen}

    def finalize(self, syn: SyntheticSet, task: Task, step: OuterStep) -> SyntheticSet:
        def last_target() -> Tensor:
            return self._span(task, step).after(self.expert_epochs).to(task.device)

        return self.labels.finalize(syn, task, self._label_expert_epoch(), last_target)

    def _span(self, task: Task, step: OuterStep) -> Span:
        if task.experts is None:
            raise UserError("trajectory matching needs experts", fix="give the task an expert buffer")
        window = StartWindow(self.min_start_epoch, self.max_start_epoch, self.growth)
        return draw_span(task.experts, step, window, self.expert_epochs)

    def _student(self, loss: BatchLoss, syn: SyntheticSet, task: Task) -> SGDStep:
        """The student's step, compiled where the task wants it so; the full unroll keeps graphs, and takes it plain."""
        kernel = None
        if self.unroll.kind != "full":
            batch, steps = min(self.batch_syn or len(syn), len(syn)), self.iterations * self.inner_steps
            batch = -(-batch // task.ranks.world)
            kernel = task.compiled_gradient(syn.label_kind, batch=batch, steps=steps)
        if kernel is None:
            return SGDStep(loss, self.student_momentum)
        return FastStep(loss, self.student_momentum, kernel=kernel)
