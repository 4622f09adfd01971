"""RDED: mosaics of the real patches that a teacher recognizes best. https://arxiv.org/abs/2312.03526."""

from __future__ import annotations

from typing import Annotated, final

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ddbench.data.preprocessing import WHITENED
from ddbench.data.realset import RealSet
from ddbench.distillation.method import DirectMethod
from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.estimates.model_size import Sizes
from ddbench.methods.parts.initialization import class_major_labels
from ddbench.methods.parts.task_teachers import task_teachers
from ddbench.methods.rded.patches import centered, chosen_patches, cut, draw_boxes, mosaics
from ddbench.recipe.settings import Count
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


@final
class RDED(DirectMethod):
    """Mosaics of real patches: of each image the crop that a teacher finds easiest, of each class the easiest crops.

    The labels are the classes; a protocol with a teacher (``rded-v1``) labels every view of them anew. Random real
    images under the same protocol get the same labels, and belong beside it.

    Source: Sun et al. 2024 (arXiv:2312.03526), released ``LINs-lab/RDED``. Differs: crops come from named streams;
    a class with fewer images than ``images_per_class`` gives all it has; images are stored as the pixels they are,
    rounded down, not as JPEG files; padding and scores use this data set's own mean, not ImageNet's.
    """

    teachers: TeachersRecipe = Field(
        default_factory=lambda: TeachersRecipe(networks=("convnet-d3-bn",), epochs=200, protocol="squeeze-v1")
    )
    """The network that scores patches; of several, their mean logits do."""
    images_per_class: Count = 300
    """Training images of each class that are looked at, in random order."""
    crops: Count = 5
    """Crops of each image, of which the best is a patch."""
    min_area: Annotated[float, Field(gt=0, le=1)] = 0.08
    """Least area of a crop, a fraction of the image's."""
    factor: Count = 1
    """Patches along a side of an image (CIFAR, Tiny-ImageNet: 1; ImageNet: 2)."""

    def required_teachers(self) -> TeachersRecipe | None:
        return self.teachers

    def validate_data(self, real: RealSet, ipc: int) -> None:
        if real.preprocessing.kind in WHITENED:
            raise UserError(
                "RDED puts patches of images together, and ZCA mixes the pixels of a whole image",
                f"given  {real.name} with preprocessing {real.preprocessing.kind}",
                fix="preprocessing: meanstd",
            )
        if self.factor > real.size:
            raise UserError(
                f"an image of {real.size} pixels has no room for {self.factor} patches along a side",
                fix=f"lower factor to {real.size} or less",
            )
        patches = ipc * self.factor**2
        real.require_ipc(patches)
        if self.images_per_class < patches:
            raise UserError(
                f"ipc {ipc} takes {patches} patches of a class, one an image, of {self.images_per_class}",
                fix=f"images_per_class: {patches} or more",
            )

    def plan_summary(self, sizes: Sizes, ipc: int) -> dict[str, int | str]:
        del ipc
        scored = self.images_per_class * self.crops * sizes.classes
        return {"scored crops": scored, "patches of an image": self.factor**2}

    def distill(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        self.validate_data(task.real, ipc)
        real, teachers = task.real, task_teachers(task, "RDED")
        count = ipc * self.factor**2
        images = torch.cat(
            [
                mosaics(self._patches(real, teachers, label, count, step), self.factor, real.size)
                for label in range(real.classes)
            ]
        )
        pixels = real.preprocessing.inverse(images).mul(255).add(1e-3).floor().clamp(0, 255).to(torch.uint8).cpu()
        labels = class_major_labels(real.classes, ipc)
        scorers = zip(teachers.names, teachers.accuracy, strict=True)
        names = ", ".join(f"{name}, {100 * accuracy:.1f} % on the test split" for name, accuracy in scorers)
        return task.synthetic(pixels, labels, ipc=ipc, notes=[f"patches chosen by {names}"])

    @torch.no_grad()
    def _patches(self, real: RealSet, teachers: Teachers, label: int, count: int, step: OuterStep) -> Tensor:
        """The patches of a class, best first, (count, C, h, w)."""
        rows = real.train.rows_of_class(label).cpu()
        rows = rows[
            torch.randperm(len(rows), generator=step.stream(f"images of class {label}"))[: self.images_per_class]
        ]
        boxes = draw_boxes(len(rows), self.crops, real.size, self.min_area, step.stream(f"crops of class {label}"))
        side = -(-real.size // self.factor)
        losses = [
            self._losses(centered(cut(image, box, side), real.size), teachers, label)
            for image, box in zip(real.inputs(real.train, rows), boxes, strict=True)
        ]
        images, crops = chosen_patches(torch.stack(losses).cpu(), count)
        chosen = real.inputs(real.train, rows[images])
        return torch.cat([cut(image, box[None], side) for image, box in zip(chosen, boxes[images, crops], strict=True)])

    @staticmethod
    def _losses(patches: Tensor, teachers: Teachers, label: int) -> Tensor:
        logits = teachers.logits(patches)
        labels = torch.full((len(logits),), label, device=logits.device)
        return functional.cross_entropy(logits, labels, reduction="none")
