"""The optimization of compensators: Adam along a cosine, from zero, checkpointed, resumable to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from torch import Tensor

from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.task import OuterStep
from ddbench.methods.infer.objective import Objective
from ddbench.methods.parts.cosine_adam import CosineAdam
from ddbench.methods.parts.shared_view import View, drawn_view


@final
@dataclass(frozen=True, kw_only=True)
class Optimization(CosineAdam):
    """Settings of the optimization of compensators."""

    shift: int
    """Largest move of a view, in pixels."""
    crop: bool
    """Whether views are cropped and enlarged."""
    mirror: bool
    """Whether a mirrored image is still of its class."""

    def views(self, step: int, outer_step: OuterStep, names: Sequence[str], size: int) -> list[View]:
        """Draw the views of a step; each depends on its compensator's name, the step and the run's seed alone.

        Args:
            step: Number of the step, from 0.
            outer_step: Streams of randomness.
            names: Names of the compensators.
            size: Side of the images, in pixels.

        Returns:
            One view a compensator.
        """
        here = replace(outer_step, number=step)
        drawn = {"shift": self.shift, "crop": self.crop, "mirror": self.mirror}
        return [drawn_view(size, **drawn, generator=here.stream(f"view of {name}")) for name in names]

    def compensators(
        self, objective: Objective, groups: int, names: Sequence[str], outer_step: OuterStep, checkpoint: JobCheckpoint
    ) -> Tensor:
        """Find compensators from zero, or go on from the last checkpoint.

        They are not held to what pixels can be; only what is rendered is.

        Args:
            objective: Loss of J jobs.
            groups: Compensators of a job: 1, or one a class.
            names: Names of the jobs, which their randomness follows from.
            outer_step: Streams of randomness.
            checkpoint: State on disk.

        Returns:
            (J, groups, C, H, W), float16, on the CPU: as they are stored.

        Raises:
            UserError: They leave the finite numbers.
        """
        jobs, _, *shape = objective.natural.shape
        compensators = objective.natural.new_zeros(jobs, groups, *shape)

        def losses_and_gradient(step: int) -> tuple[Tensor, Tensor, Tensor]:
            views = self.views(step, outer_step, names, shape[-1])
            return objective.losses_and_gradient(compensators, views)

        self.minimize("compensators", compensators, losses_and_gradient, checkpoint)
        stored = compensators.cpu().half()
        if not bool(stored.isfinite().all()):
            raise self.lost("compensators", self.iterations)
        return stored
