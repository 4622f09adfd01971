"""Consistency of ranks before they begin: recipe, code, versions, and one home."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddbench.errors import UserError
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.jobs import Job, resolved
from ddbench.recipe.recipe import LoadedRecipe
from ddbench.runtime.compute import Compute
from ddbench.runtime.device import choose_device
from ddbench.runtime.distributed import Ranks
from ddbench.runtime.executors.shared_filesystem import appears
from ddbench.runtime.provenance import code_identity, versions
from ddbench.runtime.rank_devices import rank_device, require_own_gpus


def join_ranks(context: RunContext) -> Compute:
    """Join the ranks that torchrun started, in a command that works on several.

    Args:
        context: Device, and whether ranks work together.

    Returns:
        How this process computes, with its ranks; alone where they do not work together.
    """
    if not context.together:
        return context.compute
    device = choose_device(rank_device(context.device))
    ranks = Ranks.from_environment(device)
    require_own_gpus(ranks, device)
    return replace(context.compute_on(device), ranks=ranks)


def check_ranks_agree(
    ranks: Ranks, loaded: LoadedRecipe, jobs: Sequence[Job], networks: list[str], context: RunContext
) -> None:
    """Check that all ranks have the same recipe, code, versions and home.

    Args:
        ranks: The ranks; alone, nothing is checked.
        loaded: The recipe of this rank.
        jobs: Its jobs.
        networks: Canonical names of the networks that score.
        context: Home and compilation.

    Raises:
        UserError: On all ranks, with the key or version in which one differs, or the rank that does not see the home.
    """
    if ranks.alone:
        return
    leaves = {key: value for job in jobs for key, value in _flat(resolved(loaded, job, networks))}
    ranks.require_same(leaves, fix="start every rank with the same recipe and the same options")
    folders = {f"run of {job.title}": job.folder.name for job in jobs}
    ranks.require_same(folders, fix="give every rank the same plugins, and data at the same path")
    needs = {"code": code_identity(), **{f"version of {name}": version for name, version in versions().items()}}
    ranks.require_same(needs, fix="install the same on every machine, or start with one that fits")
    how = {"--compile": context.compile, "--precision": context.precision}
    ranks.require_same(how, fix="start every rank with the same options")
    _require_one_home(ranks, context.home)


def _flat(document: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """The leaves of a document, by their dotted keys."""
    if not (isinstance(document, dict) and document):
        yield ".".join(path), document
        return
    for key, below in document.items():
        yield from _flat(below, *path, str(key))


def _require_one_home(ranks: Ranks, home: Path) -> None:
    name = ranks.decided(f".ranks-{secrets.token_hex(8)}")
    try:
        if ranks.writes:
            home.mkdir(parents=True, exist_ok=True)
            (home / name).touch()
        ranks.wait()
        blind = [rank for rank, sees in enumerate(ranks.gather(appears(home / name))) if not sees]
    finally:
        if ranks.writes:
            (home / name).unlink(missing_ok=True)
    if blind:
        raise UserError(
            f"rank {blind[0]} does not see what rank 0 writes to its home",
            f"home  {home}",
            fix="give --home a folder on a file system that all machines share",
        )
