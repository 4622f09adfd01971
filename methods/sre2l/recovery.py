"""Recovery of images from noise: a chunk of classes at a time, one image each, resumable to the bit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.task import OuterStep
from ddbench.methods.parts.batch_statistics import BatchStatistics, matching_loss
from ddbench.methods.parts.cosine_adam import CosineAdam
from ddbench.methods.parts.shared_view import View, drawn_view, seen_under

Crop = Literal["none", "random", "curriculum"]


@final
@dataclass(frozen=True, kw_only=True)
class Recovery(CosineAdam):
    """Settings of the recovery of a chunk of images."""

    bn_weight: float
    """Weight of the distance of batch-norm statistics beside the cross-entropy."""
    first_bn: float
    """Weight of the first batch-norm layer among the others."""
    shift: int
    """Largest move of a view, in pixels."""
    both_ways: bool
    """Whether moves go up and left as well."""
    crop: Crop
    """Whether a part of every image, the same for all, is enlarged."""
    least_area: float
    """Least part that is enlarged, a fraction of the area; of a curriculum its last."""
    mirror: bool
    """Whether a mirrored image is still of its class."""

    def area(self, step: int) -> float:
        """Compute the least part that is enlarged: constant, or falling from the whole along half a cosine.

        Args:
            step: Number of the step, from 0.

        Returns:
            A fraction of the area.

        Source: Yin and Shen 2024 (CDA, arXiv:2311.18838), the curriculum.
        """
        if self.crop != "curriculum":
            return self.least_area
        part = step / max(self.iterations - 1, 1)
        return self.least_area + (1 - self.least_area) / 2 * (1 + math.cos(math.pi * part))

    def view(self, step: int, outer_step: OuterStep, name: str, size: int) -> View:
        """Draw the view of a step, the same for all images of a chunk.

        Args:
            step: Number of the step, from 0.
            outer_step: Streams of randomness.
            name: Name of the job.
            size: Side of the images, in pixels.

        Returns:
            The view.
        """
        return drawn_view(
            size,
            shift=self.shift,
            crop=self.crop != "none",
            mirror=self.mirror,
            generator=replace(outer_step, number=step).stream(f"view of {name}"),
            least_area=self.area(step),
            both_ways=self.both_ways,
        )

    def loss(self, images: Tensor, labels: Tensor, teacher: nn.Module, view: View) -> tuple[Tensor, Tensor]:
        """Compute what is minimized.

        Args:
            images: (n, C, H, W), preprocessed.
            labels: Classes, (n,), int64.
            teacher: In eval mode, with batch norm.
            view: The view of this step.

        Returns:
            Cross-entropy and distance of statistics, scalars; the loss is the one plus ``bn_weight`` times the other.
        """
        with BatchStatistics(teacher, 1) as statistics:
            cross = functional.cross_entropy(teacher(seen_under(view, images)), labels)
            distance = matching_loss(statistics.take(), self.first_bn)[0]
        return cross, distance

    def images(
        self,
        teacher: nn.Module,
        labels: Tensor,
        limits: tuple[Tensor, Tensor],
        size: int,
        name: str,
        outer_step: OuterStep,
        checkpoint: JobCheckpoint,
    ) -> Tensor:
        """Recover images from noise, or go on from the last checkpoint.

        Args:
            teacher: In eval mode, with batch norm.
            labels: Class of each image, (n,), int64.
            limits: Black and white of each channel as networks see them, (C, 1, 1) each; every step ends within them.
            size: Side of the images, in pixels.
            name: Name of the job, which its randomness follows from.
            outer_step: Streams of randomness.
            checkpoint: State on disk.

        Returns:
            (n, C, H, W), preprocessed.

        Raises:
            UserError: The images leave the finite numbers.
        """
        black, white = limits
        start = torch.randn(len(labels), len(black), size, size, generator=outer_step.stream(f"start of {name}"))
        images = start.to(black).requires_grad_()
        labels = labels.to(images.device)

        def losses_and_gradient(step: int) -> tuple[Tensor, Tensor, Tensor]:
            cross, distance = self.loss(images, labels, teacher, self.view(step, outer_step, name, size))
            (gradient,) = torch.autograd.grad(cross + self.bn_weight * distance, images)
            return cross, distance, gradient

        def within_limits(values: Tensor) -> Tensor:
            return torch.minimum(torch.maximum(values, black), white)

        self.minimize("images", images, losses_and_gradient, checkpoint, within_limits)
        return images.detach()
