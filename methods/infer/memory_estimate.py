"""Memory that INFER takes, and settings that make it smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import final

from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import activation_floats, training_bytes
from ddbench.estimates.model_size import MemorySuggestion
from ddbench.methods.infer.budget import Budget
from ddbench.networks import ImageShape, build_network
from ddbench.training.pretrained import is_pretrained, published

_COMPENSATOR_COPIES = 5
"""Itself, its gradient, that of one chunk, and Adam's two moments."""


@cache
def teacher_sizes(names: tuple[str, ...], shape: ImageShape) -> tuple[tuple[int, int], ...]:
    """Count parameters and activations of networks.

    Args:
        names: Networks, or pretrained weights, which stand for their networks.
        shape: Images and classes.

    Returns:
        Parameters, and numbers that layers put out for one image, of each.
    """
    networks = [published(name).network if is_pretrained(name) else name for name in names]
    modules = [build_network(name, shape, seed=0) for name in networks]
    return tuple((sum(p.numel() for p in m.parameters()), activation_floats(m, shape)) for m in modules)


@final
@dataclass(frozen=True, kw_only=True)
class InferMemory:
    """Settings that decide how much memory INFER takes."""

    budget: Budget
    """Natural images and compensators."""
    teachers: tuple[tuple[int, int], ...]
    """Parameters and activations of each teacher, as :func:`teacher_sizes` gives them."""
    classes: int
    """Classes of a natural set that a teacher sees together."""
    jobs: int
    """Compensators of a teacher that are found together."""
    pixels: int
    """Numbers of an image."""

    @property
    def bytes(self) -> Estimate:
        """Estimated peak, above what lies there before: all teachers, and a step against the largest."""
        batch, most = self.jobs * self.classes, max(activations for _, activations in self.teachers)
        step = training_bytes(parameters=0, activations=most, batch=batch, pixels=self.pixels)
        own = self.jobs * self.pixels * (self.budget.classes + _COMPENSATOR_COPIES * self.budget.groups)
        teachers = sum(parameters for parameters, _ in self.teachers)
        return step.plus({"compensators": 4 * own, "teachers": 4 * teachers})

    def memory_suggestions(self, available: int) -> Sequence[MemorySuggestion]:
        """Suggest to find fewer compensators together, and where one is too many, to show fewer classes together.

        Args:
            available: Bytes in which a job should fit.

        Returns:
            One change at most.
        """
        if self.jobs == 1 or replace(self, jobs=1).bytes > available:
            return [self._fewer_classes(available)] if self.jobs * self.classes > 1 else []
        jobs = max(jobs for jobs in range(1, self.jobs + 1) if replace(self, jobs=jobs).bytes <= available)
        return [MemorySuggestion(f"-o method.jobs_at_once={jobs}", replace(self, jobs=jobs).bytes, _SAME)]

    def _fewer_classes(self, available: int) -> MemorySuggestion:
        fits = [n for n in range(1, self.classes) if replace(self, jobs=1, classes=n).bytes <= available]
        classes = max(fits, default=1)
        how = f"-o method.jobs_at_once=1 -o method.classes_at_once={classes}"
        return MemorySuggestion(how, replace(self, jobs=1, classes=classes).bytes, _SAME)


_SAME = "the same gradient; another run"
