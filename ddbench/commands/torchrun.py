"""A command that torchrun started several times: which processes carry it out, and which speaks for all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING

from ddbench.runtime.rank_store import launched, rank_store

if TYPE_CHECKING:
    from ddbench.pipeline.pipeline import Pipeline

SHARED = ("run", "distill", "buffer")
"""The commands that ranks carry out together; of every other the first rank does it all."""


def runs_on_ranks(given: Sequence[str]) -> bool:
    """Tell whether this process is one of several that carry out a command line together.

    Args:
        given: Words after ``ddbench``.

    Returns:
        True under torchrun, for a command in ``SHARED``.
    """
    return launched()[1] > 1 and bool(given) and given[0] in SHARED


def skips_this_rank(given: Sequence[str]) -> bool:
    """Tell whether another rank does all of a command line.

    Args:
        given: Words after ``ddbench``.

    Returns:
        True on all ranks but the first, for a command that ranks do not share.
    """
    return launched()[0] > 0 and not runs_on_ranks(given)


@contextmanager
def stdout_on_rank_0(given: Sequence[str]) -> Iterator[None]:
    """Write to stdout on the first rank alone, inside the block. All ranks meet first.

    Args:
        given: Words after ``ddbench``.

    Yields:
        Nothing.
    """
    if not runs_on_ranks(given):
        yield
        return
    rank_store()
    if launched()[0] == 0:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        yield


@contextmanager
def reports_on_one_rank(given: Sequence[str]) -> Iterator[bool]:
    """Choose the rank that reports a failure, for the time of the block.

    Args:
        given: Words after ``ddbench``.

    Yields:
        Whether this rank reports it.
    """
    if not runs_on_ranks(given):
        yield True
        return
    with rank_store().reports_on_one_rank() as speaks:
        yield speaks


def distill_on_ranks(pipeline: Pipeline) -> bool:
    """Distill with all ranks, where there are several.

    Args:
        pipeline: The recipe; afterwards the first rank works on it alone.

    Returns:
        Whether this process does what comes after.
    """
    ranks = pipeline.compute.ranks
    if ranks.alone:
        return pipeline.domain.parallel or launched()[0] == 0
    for job in pipeline.jobs:
        pipeline.stages.run(job, last="distill")
    pipeline.compute = replace(pipeline.compute, ranks=ranks.leave())
    return ranks.writes
