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
from ddbench.methods.infer.augmentation import View, drawn_view
from ddbench.methods.infer.objective import Objective

TOLD_EVERY = 10
"""Steps between those whose losses are read, which a GPU has to be waited for."""


@final
@dataclass(frozen=True, kw_only=True)
class Optimization:
    """iterations: T. lr: of Adam at the beginning. shift, crop, mirror: as in ``drawn_view``."""

    iterations: int
    lr: float
    betas: tuple[float, float]
    shift: int
    crop: bool
    mirror: bool

    def rate(self, step: int) -> float:
        """Half a cosine, from ``lr`` at step 0 towards zero."""
        return self.lr / 2 * (1 + math.cos(math.pi * step / self.iterations))

    def views(self, step: int, at: OuterStep, names: Sequence[str], size: int) -> list[View]:
        """One for each compensator, which depends on its name, the step and the run's seed alone."""
        here = replace(at, step=step)
        drawn = {"shift": self.shift, "crop": self.crop, "mirror": self.mirror}
        return [drawn_view(size, **drawn, generator=here.stream(f"view of {name}")) for name in names]

    def compensators(
        self, objective: Objective, groups: int, names: Sequence[str], at: OuterStep, checkpoint: JobCheckpoint
    ) -> Tensor:
        """Found compensators, (J, groups, C, H, W), float16, on the CPU: as they are stored.

        Args:
            names: One a job of the objective. They are not held to what pixels can be; only what is rendered is.

        Raises:
            UserError: They leave the finite numbers.
        """
        jobs, _, *shape = objective.natural.shape
        found = objective.natural.new_zeros(jobs, groups, *shape)
        adam = torch.optim.Adam([found], betas=self.betas)
        begin = _resumed(found, adam, checkpoint)
        facts: dict[str, float] = {}
        for step in range(begin, self.iterations):
            adam.param_groups[0]["lr"] = self.rate(step)
            views = self.views(step, at, names, shape[-1])
            cross, distance, found.grad = objective.losses_and_gradient(found, views)
            adam.step()
            if step % TOLD_EVERY == 0 or step + 1 == self.iterations:
                facts = {"cross_entropy": round(cross.mean().item(), 3), "bn": round(distance.mean().item(), 3)}
                if not math.isfinite(sum(facts.values())):
                    raise _lost(step, self.lr)
            checkpoint.checkpoint(step + 1, self.iterations, lambda: _state(found, adam), **facts)
        stored = found.cpu().half()
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
