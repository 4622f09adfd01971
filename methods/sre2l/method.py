"""SRe2L, and CDA: images recovered from noise, that a teacher recognizes. https://arxiv.org/abs/2306.13092."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, final

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ddbench.data.preprocessing import WHITENED
from ddbench.data.realset import RealSet
from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.job_method import JobMethod
from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import activation_floats, training_bytes
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.estimates.training_time import training_seconds
from ddbench.methods.infer.memory_estimate import teacher_sizes
from ddbench.methods.parts.initialization import class_major_labels
from ddbench.methods.parts.task_teachers import task_teachers
from ddbench.methods.sre2l.recovery import Crop, Recovery
from ddbench.recipe.settings import Count, NotNegative, Positive, Share
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.synthetic.synthetic_set import SyntheticSet

_COPIES = 4
"""An image, its gradient, and Adam's two moments."""


@final
class SRe2L(JobMethod):
    """Images from noise, one of each class at a time, that a teacher with batch norm takes for its training images.

    Minimized are the cross-entropy of the classes and the distance of the batch's statistics from the running ones. The
    labels are the classes; a protocol with a teacher (``sre2l-v1``) labels every view of them anew.
    Random real images under the same protocol get the same labels, and belong beside it.

    Source: Yin et al. 2023 (arXiv:2306.13092), released ``VILA-Lab/SRe2L``; with ``crop: curriculum`` Yin and Shen 2024
    (CDA, arXiv:2311.18838). Differs: named streams; images are stored as the pixels they are, rounded down, not as JPEG
    files; this data set's own mean and deviation.
    """

    teachers: TeachersRecipe = Field(
        default_factory=lambda: TeachersRecipe(networks=("resnet18-cifar",), epochs=200, protocol="squeeze-v1")
    )
    """The network that images are recovered from, one, with batch norm."""
    iterations: Count = 1000
    """Steps for each image (CIFAR: 1000; ImageNet, Tiny-ImageNet: 4000)."""
    lr: Positive = 0.25
    """Of Adam at the beginning; it falls towards zero along half a cosine (Tiny-ImageNet: 0.1)."""
    betas: tuple[Share, Share] = (0.5, 0.9)
    """Of Adam."""
    bn_weight: NotNegative = 0.01
    """How much batch-norm statistics count beside the cross-entropy (Tiny-ImageNet: 1)."""
    first_bn: NotNegative = 10.0
    """How much the first batch-norm layer counts among the others, which count one each."""
    shift: Annotated[int, Field(ge=0, strict=True)] = 4
    """Pixels by which images are moved round their edge at each step, at most (CIFAR, Tiny: 4; ImageNet: 32)."""
    both_ways: bool = False
    """Whether images move up and left as well as down and right (Tiny-ImageNet)."""
    crop: Crop = "none"
    """Whether a random part, one for all images of a step, is enlarged: never (CIFAR), of ``least_area`` or more
    (ImageNet, Tiny-ImageNet), or of a least area that falls from the whole image (CDA)."""
    least_area: Annotated[float, Field(gt=0, le=1)] = 0.08
    """Least part that is enlarged, a fraction of the area."""
    classes_at_once: Count = 100
    """Classes that share a batch, whose statistics are joint: another number is another result."""

    @model_validator(mode="after")
    def _has_one_teacher(self) -> SRe2L:
        if len(self.teachers.networks) != 1:
            raise ValueError(f"images are recovered from one teacher, not from {len(self.teachers.networks)}")
        return self

    def required_teachers(self) -> TeachersRecipe | None:
        return self.teachers

    def validate_data(self, real: RealSet, ipc: int) -> None:
        del ipc
        if real.preprocessing.kind in WHITENED:
            raise UserError(
                "SRe2L holds each pixel to black and white, and ZCA mixes all pixels",
                f"given  {real.name} with preprocessing {real.preprocessing.kind}",
                fix="preprocessing: meanstd",
            )

    def plan_summary(self, sizes: Sizes, ipc: int) -> dict[str, int | str]:
        chunks = -(-sizes.classes // self.classes_at_once)
        return {"jobs": ipc * chunks, "steps": ipc * chunks * self.iterations}

    def peak_bytes(self, sizes: Sizes, ipc: int) -> int:
        del ipc
        return self._bytes(sizes, min(self.classes_at_once, sizes.classes))

    def memory_suggestions(self, sizes: Sizes, ipc: int, available: int) -> Sequence[MemorySuggestion]:
        del ipc
        most = min(self.classes_at_once, sizes.classes)
        if most == 1:
            return []
        classes = max((n for n in range(1, most) if self._bytes(sizes, n) <= available), default=1)
        return [MemorySuggestion(f"-o method.classes_at_once={classes}", self._bytes(sizes, classes), "another result")]

    def _bytes(self, sizes: Sizes, classes: int) -> Estimate:
        ((parameters, activations),) = teacher_sizes(self.teachers.networks, sizes.shape)
        step = training_bytes(parameters=0, activations=activations, batch=classes, pixels=sizes.pixels)
        return step.plus({"teacher": 4 * parameters, "recovered images": 4 * _COPIES * classes * sizes.pixels})

    def jobs(self, task: Task, ipc: int) -> Sequence[str]:
        self.validate_data(task.real, ipc)
        _require_batch_norm(self._teacher(task))
        return list(self._chunks(task.real, ipc))

    def seconds(self, task: Task, ipc: int) -> float:
        activations, classes = activation_floats(self._teacher(task), task.real.shape), task.real.classes
        batch = min(self.classes_at_once, classes)
        return training_seconds(activations, self.iterations * classes * ipc, batch, task.device)

    def run(self, name: str, task: Task, ipc: int, step: OuterStep, checkpoint: JobCheckpoint) -> dict[str, Tensor]:
        labels, real = self._chunks(task.real, ipc)[name], task.real
        settings = self.model_dump(exclude={"teachers", "classes_at_once"})
        images = Recovery(**settings, mirror=real.mirror).images(
            self._teacher(task), labels, _limits(real, task.device), real.size, name, step, checkpoint
        )
        pixels = real.preprocessing.inverse(images).mul(255)
        return {"images": pixels.add(_ROUNDING).floor().clamp(0, 255).to(torch.uint8).cpu()}

    def assemble(self, task: Task, ipc: int, step: OuterStep, made: Mapping[str, Mapping[str, Tensor]]) -> SyntheticSet:
        del step
        real, teachers = task.real, task_teachers(task, "SRe2L")
        pixels = torch.empty(real.classes * ipc, *real.shape.image, dtype=torch.uint8)
        for name, labels in self._chunks(real, ipc).items():
            pixels[labels * ipc + _number(name)] = made[name]["images"]
        teacher = f"{teachers.names[0]}, {100 * teachers.accuracy[0]:.1f} % on the test split"
        return task.synthetic(
            pixels, class_major_labels(real.classes, ipc), ipc=ipc, notes=[f"recovered from {teacher}"]
        )

    def _teacher(self, task: Task) -> nn.Module:
        return task_teachers(task, "SRe2L").member(0)

    def _chunks(self, real: RealSet, ipc: int) -> dict[str, Tensor]:
        """Classes of each job, by its name: image after image, within an image chunk after chunk."""
        chunks = torch.arange(real.classes).split(self.classes_at_once)
        return {
            f"image{number}-classes{int(chunk[0])}-{int(chunk[-1])}": chunk for number in range(ipc) for chunk in chunks
        }


_ROUNDING = 1e-3
"""Of 255, added before rounding down, so that a value that a pixel had stays that value."""


def _number(name: str) -> int:
    """Position of a job's images among those of their classes."""
    return int(name.removeprefix("image").partition("-")[0])


def _limits(real: RealSet, device: torch.device) -> tuple[Tensor, Tensor]:
    """Black and white of each channel as networks see them, (C, 1, 1) each."""
    blank = torch.zeros(1, real.channels, 1, 1, device=device)
    black, white = (real.preprocessing.forward(blank + value)[0] for value in (0.0, 1.0))
    return black, white


def _require_batch_norm(teacher: nn.Module) -> None:
    """Check that a teacher has running statistics.

    Raises:
        UserError: It has no layer of batch norm.
    """
    if not any(isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None for layer in teacher.modules()):
        raise UserError(
            "SRe2L compares statistics of batch norm, and this teacher has none",
            fix="take a teacher with batch norm, such as resnet18-cifar or convnet-d3-bn",
        )
