"""The optimization of compensators: Adam along a cosine, from zero, checkpointed, resumable to the bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.task import OuterStep
from ddbench.errors import UserError
from ddbench.methods.infer.objective import Objective
from ddbench.methods.parts.shared_view import View, drawn_view

READ_EVERY = 10
"""Steps between those whose losses are read, which a GPU has to be waited for."""


@final
@dataclass(frozen=True, kw_only=True)
class Optimization:
    """Settings of the optimization of compensators."""

    iterations: int
    """Steps, T."""
    lr: float
    """Learning rate of Adam at step 0."""
    betas: tuple[float, float]
    """Decay rates of Adam's moments."""
    shift: int
    """Largest move of a view, in pixels."""
    crop: bool
    """Whether views are cropped and enlarged."""
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
        adam = torch.optim.Adam([compensators], betas=self.betas)
        begin = _resumed(compensators, adam, checkpoint)
        facts: dict[str, float] = {}
        for step in range(begin, self.iterations):
            adam.param_groups[0]["lr"] = self.rate(step)
            views = self.views(step, outer_step, names, shape[-1])
            cross, distance, compensators.grad = objective.losses_and_gradient(compensators, views)
            adam.step()
            if step % READ_EVERY == 0 or step + 1 == self.iterations:
                facts = {"cross_entropy": round(cross.mean().item(), 3), "bn": round(distance.mean().item(), 3)}
                if not math.isfinite(sum(facts.values())):
                    raise _lost(step, self.lr)
            checkpoint.checkpoint(step + 1, self.iterations, lambda: _state(compensators, adam), **facts)
        stored = compensators.cpu().half()
        if not bool(stored.isfinite().all()):
            raise _lost(self.iterations, self.lr)
        return stored


def _state(compensators: Tensor, adam: torch.optim.Adam) -> dict[str, Tensor]:
    moments = adam.state[compensators]
    return {"compensators": compensators, "first": moments["exp_avg"], "second": moments["exp_avg_sq"]}


def _resumed(compensators: Tensor, adam: torch.optim.Adam, checkpoint: JobCheckpoint) -> int:
    """Puts the last checkpoint back, where there is one. Returns the steps done."""
    done, state = checkpoint.resume() or (0, {})
    if done:
        compensators.copy_(state["compensators"])
        adam.state[compensators] = {
            "step": torch.tensor(float(done)),
            "exp_avg": state["first"].to(compensators).clone(),
            "exp_avg_sq": state["second"].to(compensators).clone(),
        }
    return done


def _lost(step: int, lr: float) -> UserError:
    return UserError(
        f"compensators are no longer finite numbers at step {step}",
        f"lr    {lr}",
        fix="lower lr by ten; if it began so, look at the teachers' accuracy (ddbench info)",
    )
