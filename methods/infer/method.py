"""INFER: natural images, and compensators that serve all classes at once. https://arxiv.org/abs/2408.06927."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal, final

import torch
from pydantic import Field
from torch import Tensor

from ddbench.data.preprocessing import WHITENED
from ddbench.data.realset import RealSet
from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.job_method import JobMethod
from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.estimates.memory import activation_floats
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.estimates.training_time import training_seconds
from ddbench.methods.infer import provenance
from ddbench.methods.infer.budget import Budget
from ddbench.methods.infer.charge import paper_bytes
from ddbench.methods.infer.jobs import CompensatorJob, groups_of, in_order, sets_at_once
from ddbench.methods.infer.labels import static_logits
from ddbench.methods.infer.memory_estimate import InferMemory, teacher_sizes
from ddbench.methods.infer.objective import Objective
from ddbench.methods.infer.optimize import Optimization
from ddbench.methods.infer.real_images import natural_pixels, natural_rows
from ddbench.methods.parts.task_teachers import task_teachers
from ddbench.recipe.settings import Count, NotNegative, Positive, Share
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.synthetic.compensators import Compensation, seen_pixels
from ddbench.synthetic.synthetic_set import SyntheticSet

CIFAR_TEACHERS = TeachersRecipe(
    networks=("resnet18-cifar", "mobilenet-v2-cifar", "efficientnet-b0-cifar", "shufflenet-g2-cifar"),
    epochs=200,
    protocol="squeeze-v1",
)


@final
class INFER(JobMethod):
    """K natural images of each class, and for each natural set and teacher one compensator that is added to all of it.

    Source: Zhang et al. 2024 (arXiv:2408.06927), released ``zhangxin-xd/UFC``. Differs: what is kept is the natural
    images and the compensators, not JPEG files of their sums; the natural draw is seeded; chunks of classes share a
    compensator, and the gradient is that of all classes together.
    """

    teachers: TeachersRecipe = Field(default_factory=lambda: CIFAR_TEACHERS)
    """M networks, against each of which compensators are found; together they label. What is given replaces the four
    of CIFAR whole, so that the same words under evaluation.teachers are the same teachers."""
    iterations: Count = 1000
    """Steps for each compensator."""
    lr: Positive = 0.25
    """Of Adam at the beginning; it falls towards zero along half a cosine."""
    betas: tuple[Share, Share] = (0.5, 0.9)
    """Of Adam."""
    bn_weight: NotNegative = 1.0
    """alpha: how much batch-norm statistics count beside the cross-entropy (CIFAR: 1; ImageNet: 0.01)."""
    first_bn: NotNegative = 10.0
    """How much the first batch-norm layer counts among the others, which count one each."""
    shift: Annotated[int, Field(ge=0, strict=True)] = 4
    """Pixels by which images are moved round their edge at each step, at most (CIFAR: 4; ImageNet: 32)."""
    crop: bool = False
    """Whether a random part of 8 % or more is enlarged first, and mirrored half the time (ImageNet)."""
    classes_at_once: Count | None = None
    """Classes that a teacher sees together; None is all. Fewer take less memory and give the same gradient."""
    jobs_at_once: Count | None = None
    """Compensators of a teacher that are found together; None is as many as 2^20 numbers of images hold."""
    blocks: Literal["both", "natural", "additive"] = "both"
    """What is trained on: natural images and sums with compensators; natural images alone, which then take the whole
    budget; sums alone."""
    shared: bool = True
    """Whether a compensator serves all classes; else each class has its own, and pays for it."""
    labels: Literal["static", "hard"] = "static"
    """The mean of the teachers' logits for each image, stored once; or the classes."""

    def soft_labels(self) -> bool:
        return self.labels == "static"

    def required_teachers(self) -> TeachersRecipe | None:
        return self.teachers if self.soft_labels() or self.blocks != "natural" else None

    def validate_ipc(self, ipc: int) -> None:
        teachers = len(self.teachers.networks)
        least = 2 if self.shared else 1 + teachers
        if self.blocks != "natural" and ipc < least:
            fewer = f"; with fewer than {teachers} classes it is larger" if self.shared and teachers > 1 else ""
            raise UserError(
                f"INFER does not exist at ipc {ipc}: compensators leave no room for one natural image a class",
                fix=f"choose an ipc of {least} or more, the smallest that works{fewer}",
            )

    def validate_data(self, real: RealSet, ipc: int, teachers: int | None = None) -> None:
        """Refuse data with which these settings do not work.

        Args:
            real: The data set.
            ipc: Images per class.
            teachers: Number of teachers, once there are any; None for as many as the settings name.

        Raises:
            UserError: A class is too small, the data is whitened, or the budget has no room for one natural set.
        """
        real.require_ipc(ipc)
        if real.preprocessing.kind in WHITENED:
            raise UserError(
                "INFER adds to images in a space where each channel is by itself, and ZCA mixes all pixels",
                f"given  {real.name} with preprocessing {real.preprocessing.kind}",
                fix="preprocessing: meanstd",
            )
        self._budget(ipc, real.classes, teachers or len(self.teachers.networks)).require_a_set()

    def plan_summary(self, sizes: Sizes, ipc: int) -> dict[str, int | str]:
        budget = self._budget(ipc, sizes.classes, len(self.teachers.networks))
        if not budget.teachers:
            return {"natural sets": budget.sets}
        steps = self.iterations * -(-budget.sets // self._memory(sizes, ipc).jobs) * budget.teachers
        amounts = {"natural sets": budget.sets, "teachers": budget.teachers, "compensators": budget.compensators}
        return {**amounts, "steps": steps}

    def peak_bytes(self, sizes: Sizes, ipc: int) -> int | None:
        return None if self.blocks == "natural" else self._memory(sizes, ipc).bytes

    def memory_suggestions(self, sizes: Sizes, ipc: int, available: int) -> Sequence[MemorySuggestion]:
        return self._memory(sizes, ipc).memory_suggestions(available)

    def _memory(self, sizes: Sizes, ipc: int) -> InferMemory:
        budget = self._budget(ipc, sizes.classes, len(self.teachers.networks))
        classes = min(self.classes_at_once or sizes.classes, sizes.classes)
        jobs = self.jobs_at_once or sets_at_once(sizes.pixels, classes)
        return InferMemory(
            budget=budget,
            teachers=teacher_sizes(self.teachers.networks, sizes.shape),
            classes=classes,
            jobs=max(1, min(jobs, budget.sets)),
            pixels=sizes.pixels,
        )

    def jobs(self, task: Task, ipc: int) -> Sequence[str]:
        self.validate_data(task.real, ipc, task.teachers and len(task.teachers.networks))
        if self.required_teachers():
            task_teachers(task, "INFER")
        return list(self._groups(task, ipc))

    def seconds(self, task: Task, ipc: int) -> float:
        groups, real = self._groups(task, ipc).values(), task.real
        each = self.iterations * real.classes
        return sum(
            training_seconds(
                activation_floats(task_teachers(task, "INFER").member(group.teacher), real.shape),
                each * len(group.sets),
                real.classes,
                task.device,
            )
            for group in groups
        )

    def run(self, name: str, task: Task, ipc: int, step: OuterStep, checkpoint: JobCheckpoint) -> dict[str, Tensor]:
        group, real = self._groups(task, ipc)[name], task.real
        rows = self._rows(task, ipc, step).view(-1, real.classes)[group.first : group.last + 1]
        pixels, _ = natural_pixels(real, rows.flatten())
        natural = seen_pixels(pixels, real.preprocessing.describe()).unflatten(0, rows.shape)
        objective = Objective(
            teacher=task_teachers(task, "INFER").member(group.teacher),
            natural=natural.to(task.device),
            **self.model_dump(include={"bn_weight", "first_bn", "classes_at_once"}),
        )
        optimization = Optimization(
            **self.model_dump(include={"iterations", "lr", "betas", "shift", "crop"}), mirror=real.mirror
        )
        names = [f"teacher {group.teacher}, natural set {number}" for number in group.sets]
        compensators = optimization.compensators(objective, self._plan(task, ipc).groups, names, step, checkpoint)
        return {"compensators": compensators}

    def assemble(self, task: Task, ipc: int, step: OuterStep, made: Mapping[str, Mapping[str, Tensor]]) -> SyntheticSet:
        budget, rows = self._plan(task, ipc), self._rows(task, ipc, step)
        pixels, rounded = natural_pixels(task.real, rows)
        compensation = Compensation(
            compensators=in_order(self._groups(task, ipc), made, budget, pixels.shape[1:]),
            rows=rows,
            natural=self.blocks != "additive",
        )
        teachers = task_teachers(task, "INFER") if self.required_teachers() else None
        if teachers is None or not self.soft_labels():
            labels = torch.arange(task.real.classes).repeat(budget.sets * compensation.blocks)
        else:
            space = task.real.preprocessing.describe()
            labels = static_logits(teachers, pixels, compensation, space, task.device)
        syn = task.synthetic(
            pixels,
            labels,
            label_kind="logits" if self.soft_labels() else "hard",
            compensation=compensation,
            ipc=ipc,
            notes=provenance.notes(budget, teachers, rounded=rounded),
        )
        charged = paper_bytes(budget, pixels[0].numel(), static=self.soft_labels())
        return replace(syn, provenance={**syn.provenance, **provenance.facts(budget, teachers), "charged": charged})

    def _rows(self, task: Task, ipc: int, step: OuterStep) -> Tensor:
        return natural_rows(task.real, self._plan(task, ipc).sets, step.stream("natural images"))

    def _plan(self, task: Task, ipc: int) -> Budget:
        """The budget with as many teachers as the task has."""
        return self._budget(ipc, task.real.classes, 0 if task.teachers is None else len(task.teachers.networks))

    def _budget(self, ipc: int, classes: int, teachers: int) -> Budget:
        paid = 0 if self.blocks == "natural" else teachers
        return Budget(ipc=ipc, classes=classes, teachers=paid, shared=self.shared)

    def _groups(self, task: Task, ipc: int) -> dict[str, CompensatorJob]:
        at_once = self.jobs_at_once or sets_at_once(task.real.shape.pixels, self._together(task.real))
        return groups_of(self._plan(task, ipc), at_once)

    def _together(self, real: RealSet) -> int:
        """Classes of a natural set that a teacher sees together."""
        return min(self.classes_at_once or real.classes, real.classes)
