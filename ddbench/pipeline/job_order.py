"""The order in which a process takes the jobs of a recipe, where others of the same home may be at work on some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ddbench.files.folder_lock import is_free, locked
from ddbench.runtime.rank_store import launched

if TYPE_CHECKING:
    from ddbench.pipeline.jobs import Job


def in_turns(jobs: Sequence[Job]) -> Iterator[Job]:
    """Each job once, its folder locked while the caller has it.

    Jobs come in their order, but for those at whose folder another process works, which come last; they are waited for.
    The ranks of torchrun take jobs together, so these keep to the order, and rank 0 alone locks.

    Args:
        jobs: All jobs of a recipe.

    Yields:
        The next job to carry out.
    """
    rank, world = launched()
    left = list(jobs)
    while left:
        job = next((job for job in left if is_free(job.folder)), left[0]) if world == 1 else left[0]
        left.remove(job)
        with locked(job.folder) if rank == 0 else nullcontext():
            yield job
