"""A command that torchrun started several times: which processes carry it out, and which speaks for all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from ddbench.runtime.rank_store import launched, rank_store

if TYPE_CHECKING:
    from ddbench.pipeline.pipeline import Pipeline

SHARED = ("run", "distill", "buffer")
"""The commands that ranks carry out together; of every other the first rank does it all."""


def runs_on_ranks(given: Sequence[str]) -> bool:
    """Whether this process is one of several that carry out this command line together."""
    return launched()[1] > 1 and bool(given) and given[0] in SHARED


def skips_this_rank(given: Sequence[str]) -> bool:
    """Whether another rank does all of this command line."""
    return launched()[0] > 0 and not runs_on_ranks(given)


@contextmanager
def stdout_on_rank_0(given: Sequence[str]) -> Iterator[None]:
    """Inside, what is written to stdout is written by one rank. All ranks meet first."""
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
    """Around what is said of a failure: whether this rank is to say it."""
    if not runs_on_ranks(given):
        yield True
        return
    with rank_store().reports_on_one_rank() as speaks:
        yield speaks


def distill_on_ranks(pipeline: Pipeline) -> bool:
    """Distill with all ranks, where there are several. Returns whether this process does what comes after, alone."""
    if pipeline.ranks.alone:
        return pipeline.domain.parallel or launched()[0] == 0
    for job in pipeline.jobs:
        pipeline.stages.run(job, last="distill")
    first = pipeline.ranks.writes
    pipeline.ranks = pipeline.ranks.leave()
    return first
