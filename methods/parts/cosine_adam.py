"""Minimization by Adam, whose rate falls along half a cosine: checkpointed, and resumable to the bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.errors import UserError

READ_EVERY = 10
"""Steps between those whose losses are read, which a GPU has to be waited for."""

LossesAndGradient = Callable[[int], tuple[Tensor, Tensor, Tensor]]
"""At a step: cross-entropies, distances of batch-norm statistics, and the gradient of what is minimized."""


@dataclass(frozen=True, kw_only=True)
class CosineAdam:
    """Adam on one tensor for a number of steps."""

    iterations: int
    """Steps."""
    lr: float
    """Learning rate at step 0."""
    betas: tuple[float, float]
    """Decay rates of Adam's moments."""

    def rate(self, step: int) -> float:
        """Compute the learning rate: half a cosine, from ``lr`` at step 0 towards zero.

        Args:
            step: Number of the step, from 0.

        Returns:
            The rate of Adam.
        """
        return self.lr / 2 * (1 + math.cos(math.pi * step / self.iterations))

    def minimize(
        self,
        name: str,
        values: Tensor,
        losses_and_gradient: LossesAndGradient,
        checkpoint: JobCheckpoint,
        project: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Change a tensor in place until its last step, from where it is or from the last checkpoint.

        Args:
            name: Name of the tensor in the checkpoint and in errors.
            values: The tensor.
            losses_and_gradient: Evaluates the tensor as it is.
            checkpoint: State on disk.
            project: Maps the values of a step to those that it ends with; None leaves them.

        Raises:
            UserError: The losses leave the finite numbers.
        """
        adam = torch.optim.Adam([values], lr=self.lr, betas=self.betas)
        begin, facts = _resumed(name, values, adam, checkpoint), dict[str, float]()
        for step in range(begin, self.iterations):
            adam.param_groups[0]["lr"] = self.rate(step)
            cross, distance, values.grad = losses_and_gradient(step)
            adam.step()
            if project is not None:
                with torch.no_grad():
                    values.copy_(project(values))
            if step % READ_EVERY == 0 or step + 1 == self.iterations:
                facts = {"cross_entropy": round(cross.mean().item(), 3), "bn": round(distance.mean().item(), 3)}
                if not math.isfinite(sum(facts.values())):
                    raise self.lost(name, step)
            checkpoint.checkpoint(step + 1, self.iterations, lambda: _state(name, values, adam), **facts)

    def lost(self, name: str, step: int) -> UserError:
        """Make the error of values that are no numbers any more.

        Args:
            name: Name of the tensor.
            step: Step after which they were lost.

        Returns:
            The error.
        """
        return UserError(
            f"{name} are no longer finite numbers at step {step}",
            f"lr    {self.lr}",
            fix="lower lr by ten; if it began so, look at the teachers' accuracy (ddbench info)",
        )


def _state(name: str, values: Tensor, adam: torch.optim.Adam) -> dict[str, Tensor]:
    moments = adam.state[values]
    return {name: values.detach(), "first": moments["exp_avg"], "second": moments["exp_avg_sq"]}


def _resumed(name: str, values: Tensor, adam: torch.optim.Adam, checkpoint: JobCheckpoint) -> int:
    """Put the last checkpoint back, where there is one, and return the steps done."""
    done, state = checkpoint.resume() or (0, {})
    if done:
        with torch.no_grad():
            values.copy_(state[name])
        adam.state[values] = {
            "step": torch.tensor(float(done)),
            "exp_avg": state["first"].to(values).clone(),
            "exp_avg_sq": state["second"].to(values).clone(),
        }
    return done
