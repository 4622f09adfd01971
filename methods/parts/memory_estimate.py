"""Memory that trajectory matching takes for one set, and settings that make it smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import distillation_bytes, outer_step_bytes
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.methods.parts.unroll_choice import UnrollChoice

SAME = "the same gradient"
_MOST_RANKS = 64


@final
@dataclass(frozen=True, kw_only=True)
class TrajectoryMemory:
    """Settings that decide how much memory trajectory matching takes."""

    unroll: UnrollChoice
    """Way to differentiate the student."""
    inner_steps: int
    """Steps of the student, N."""
    images: int
    """Images of the set, S."""
    batch: int
    """Images of an inner step."""
    soft: bool
    """Whether labels are learned."""
    momentum: bool
    """Whether the student's SGD has momentum."""
    moments: int
    """Number of states that the loss looks at."""
    averaged: bool
    """Whether a moving average of the images is kept."""
    compiled: bool = False
    """Whether the student's step is compiled."""

    def bytes(self, sizes: Sizes) -> Estimate:
        """Estimate the peak beyond what lies there before.

        Args:
            sizes: Sizes of student and data.

        Returns:
            Bytes, by what takes them.
        """
        pixels = self.images * sizes.pixels
        learned = pixels + (self.images * sizes.classes if self.soft else 0)
        step = outer_step_bytes(
            self.unroll.build(),
            parameters=sizes.parameters,
            activations=sizes.activations,
            batch=-(-self.batch // sizes.ranks),
            inner_steps=self.inner_steps,
            learned=learned,
            vectors=2 if self.momentum else 1,
            moments=self.moments,
            device=sizes.device,
            compiled=self.compiled,
        )
        return distillation_bytes(step, learned, averaged=pixels if self.averaged else 0)

    def memory_suggestions(self, sizes: Sizes, available: int) -> Sequence[MemorySuggestion]:
        """Suggest what to change so that a set fits.

        Args:
            sizes: Sizes of student and data.
            available: Bytes in which it should fit.

        Returns:
            Changes, the least harmful first; what falls short comes last.
        """
        suggestions = [
            *self._unrolls(sizes, available),
            *self._ranks(sizes, available),
            *self._batches(sizes, available),
        ]
        return sorted(suggestions, key=lambda suggestion: suggestion.bytes is not None and suggestion.bytes > available)

    def _unrolls(self, sizes: Sizes, available: int) -> list[MemorySuggestion]:
        if self.unroll.kind == "full":
            adjoint = replace(self, unroll=UnrollChoice(kind="adjoint"))
            return [MemorySuggestion("-o method.unroll=adjoint", adjoint.bytes(sizes), f"{SAME}; another run")]
        if self.unroll.every == 1 or self.compiled:
            return []
        fewer = [replace(self, unroll=UnrollChoice(every=every)) for every in range(1, self.unroll.every)]
        fitting = [one for one in fewer if one.bytes(sizes) <= available]
        best = (fitting or fewer[:1])[-1]
        return [
            MemorySuggestion(
                f"-o method.unroll.every={best.unroll.every}", best.bytes(sizes), f"{SAME}; the run goes on"
            )
        ]

    def _ranks(self, sizes: Sizes, available: int) -> list[MemorySuggestion]:
        """More ranks; they share out what grows with the batch, so past some number they do not help."""
        each = "a GPU each" if sizes.device == "cuda" else "a machine each"
        most = min(self.batch, _MOST_RANKS)
        tried = [(ranks, self.bytes(replace(sizes, ranks=ranks))) for ranks in range(sizes.ranks + 1, most + 1)]
        fitting = [pair for pair in tried if pair[1] <= available]
        if not tried:
            return []
        ranks, needed = (fitting or tried[-1:])[0]
        return [MemorySuggestion(f"torchrun with {ranks} ranks, {each}", needed, f"{SAME}; the run goes on")]

    def _batches(self, sizes: Sizes, available: int) -> list[MemorySuggestion]:
        """The largest batch that fits, else of one image."""
        fits, too_many = 0, self.batch
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            fits, too_many = (middle, too_many) if self._with(middle).bytes(sizes) <= available else (fits, middle)
        batch = max(fits, 1)
        if batch >= self.batch:
            return []
        return [MemorySuggestion(f"-o method.batch_syn={batch}", self._with(batch).bytes(sizes), "another run")]

    def _with(self, batch: int) -> TrajectoryMemory:
        return replace(self, batch=batch)
