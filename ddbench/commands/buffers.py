"""Expert buffers that came from elsewhere, in the place where a recipe looks for its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.commands.jobs import BufferNeed
from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.expert_buffers.description import describe_buffer
from ddbench.expert_buffers.legacy import import_replay_buffer
from ddbench.expert_buffers.store import DESCRIPTION, ExpertBuffer, read_description

if TYPE_CHECKING:
    from ddbench.commands.pipeline import Pipeline


def import_for_recipe(pipeline: Pipeline, files: list[Path]) -> ExpertBuffer:
    """Import replay buffers as the experts of a recipe: into the folder in which its runs will look.

    Errors: UserError when the recipe needs no buffer or several, or a file is not what it should be.
    """
    if len(pipeline.buffers) != 1:
        raise UserError(
            f"the recipe {pipeline.loaded.name} needs {len(pipeline.buffers)} expert buffers, and one can be imported",
            fix="give a recipe whose methods share one buffer",
        )
    need = pipeline.buffers[0]
    return import_replay_buffer(files, need.folder, describe_buffer(pipeline.real, pipeline.network, None, None))


def imported_experts(need: BufferNeed, real: RealSet, network: str) -> ExpertBuffer | None:
    """The imported buffer that lies where this one is looked for, or None: how it was trained is not known.

    Errors: UserError when it has too few experts or epochs, or is of other data or another network.
    """
    if not (need.folder / DESCRIPTION).is_file() or read_description(need.folder).seed is not None:
        return None
    buffer = ExpertBuffer.open(need.folder)
    buffer.require_match(describe_buffer(real, network, None, None))
    buffer.require_epochs(need.epochs)
    if len(buffer) < need.recipe.count:
        raise UserError(
            f"{len(buffer)} experts were imported, and the recipe asks for {need.recipe.count}",
            f"in    {need.folder}",
            fix=f"-o experts.count={len(buffer)}",
        )
    return buffer
