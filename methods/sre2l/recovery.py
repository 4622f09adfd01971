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
from ddbench.errors import UserError
from ddbench.methods.parts.batch_statistics import BatchStatistics, matching_loss
from ddbench.methods.parts.shared_view import View, drawn_view, seen_under

READ_EVERY = 10
"""Steps between those whose losses are read, which a GPU has to be waited for."""

Crop = Literal["none", "random", "curriculum"]


@final
@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Settings of the recovery of a chunk of images."""

    iterations: int
    """Steps, I."""
    lr: float
    """Learning rate of Adam at step 0."""
    betas: tuple[float, float]
    """Decay rates of Adam's moments."""
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

    def rate(self, step: int) -> float:
        """Compute the learning rate: half a cosine, from ``lr`` at step 0 towards zero.

        Args:
            step: Number of the step, from 0.

        Returns:
            The rate of Adam.
        """
        return self.lr / 2 * (1 + math.cos(math.pi * step / self.iterations))

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
        adam = torch.optim.Adam([images], lr=self.lr, betas=self.betas)
        begin, facts = _resumed(images, adam, checkpoint), dict[str, float]()
        for step in range(begin, self.iterations):
            adam.param_groups[0]["lr"] = self.rate(step)
            cross, distance = self.loss(images, labels, teacher, self.view(step, outer_step, name, size))
            (images.grad,) = torch.autograd.grad(cross + self.bn_weight * distance, images)
            adam.step()
            with torch.no_grad():
                images.copy_(torch.minimum(torch.maximum(images, black), white))
            if step % READ_EVERY == 0 or step + 1 == self.iterations:
                facts = {"cross_entropy": round(cross.item(), 3), "bn": round(distance.item(), 3)}
                if not math.isfinite(sum(facts.values())):
                    raise _lost(step, self.lr)
            checkpoint.checkpoint(step + 1, self.iterations, lambda: _state(images, adam), **facts)
        return images.detach()


def _state(images: Tensor, adam: torch.optim.Adam) -> dict[str, Tensor]:
    moments = adam.state[images]
    return {"images": images.detach(), "first": moments["exp_avg"], "second": moments["exp_avg_sq"]}


def _resumed(images: Tensor, adam: torch.optim.Adam, checkpoint: JobCheckpoint) -> int:
    """Put the last checkpoint back, where there is one, and return the steps done."""
    done, state = checkpoint.resume() or (0, {})
    if done:
        with torch.no_grad():
            images.copy_(state["images"])
        adam.state[images] = {
            "step": torch.tensor(float(done)),
            "exp_avg": state["first"].to(images).clone(),
            "exp_avg_sq": state["second"].to(images).clone(),
        }
    return done


def _lost(step: int, lr: float) -> UserError:
    return UserError(
        f"recovered images are no longer finite numbers at step {step}",
        f"lr    {lr}",
        fix="lower lr by ten; if it began so, look at the teacher's accuracy (ddbench info)",
    )
