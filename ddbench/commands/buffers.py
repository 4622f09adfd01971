"""Expert buffers that came from elsewhere, in the place where a recipe looks for its own."""

from __future__ import annotations

from pathlib import Path

from ddbench.commands.jobs import BufferNeed
from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.expert_buffers.description import describe_buffer
from ddbench.expert_buffers.legacy import import_replay_buffer
from ddbench.expert_buffers.store import DESCRIPTION, ExpertBuffer, read_description


def import_experts(files: list[Path], need: BufferNeed, real: RealSet, network: str) -> ExpertBuffer:
    """Import replay buffers into the folder in which a recipe's runs will look.

    Errors: UserError when experts lie there already, or a file is not what it should be.
    """
    if (need.folder / DESCRIPTION).exists():
        raise UserError(
            "the recipe has experts already",
            f"in    {need.folder}",
            fix="delete that folder to use the imported ones instead, or import under another --home",
        )
    return import_replay_buffer(files, need.folder, describe_buffer(real, network, None, None))


def _imported(folder: Path) -> bool:
    """Whether the experts came from elsewhere. Not so where the description is damaged: training writes it anew."""
    try:
        return read_description(folder).seed is None
    except UserError:
        return False


def imported_experts(need: BufferNeed, real: RealSet, network: str) -> ExpertBuffer | None:
    """The imported buffer that lies where this one is looked for, or None: how it was trained is not known.

    Errors: UserError when it has too few experts or epochs, or is of other data or another network.
    """
    if not (need.folder / DESCRIPTION).is_file() or not _imported(need.folder):
        return None
    whole = ExpertBuffer.open(need.folder)
    whole.require_match(describe_buffer(real, network, None, None))
    whole.require_epochs(need.epochs)
    if len(whole) < need.recipe.count:
        raise UserError(
            f"{len(whole)} experts were imported, and the recipe asks for {need.recipe.count}",
            f"in    {need.folder}",
            fix=f"-o experts.count={len(whole)}",
        )
    return ExpertBuffer.open(need.folder, range(need.recipe.count))
