"""The ``replay_buffer_*.pt`` of MTT and its children, in and out, bit for bit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.expert_buffers.buffer import DESCRIPTION, ExpertBuffer, numbers, write_description, write_expert
from ddbench.expert_buffers.metadata import BufferDescription
from ddbench.expert_buffers.replay_files import Wanted, experts_in, file_sha256, replay_files, survey


def import_replay_buffer(
    files: str | Path | Iterable[str | Path],
    folder: str | Path,
    description: BufferDescription,
    facts: dict[str, Any] | None = None,
) -> ExpertBuffer:
    """Write the experts of replay buffers as files of ddbench into a folder.

    All files are looked through before anything is written. Their hashes become part of ``buffer.json``.

    Args:
        files: A folder of ``replay_buffer_*.pt``, one file, or several; taken in the order of their numbers.
        folder: Where the buffer is made; it must hold none yet.
        description: What the files do not say, see ``describe_buffer``.
        facts: What else ``buffer.json`` keeps of the import.

    Returns:
        The buffer, opened.

    Raises:
        UserError: For a file that is absent, is not a replay buffer, needs unpickling, or does not fit the network.
    """
    folder = Path(folder)
    paths = replay_files(files)
    require_no_buffer(folder)
    wanted = Wanted(network=description.network, parameters=description.parameters)
    survey(paths, wanted)
    described = replace(description, imported={"files": file_sha256(paths), **(facts or {})})
    written = 0
    for path in paths:
        for expert in experts_in(path, wanted):
            write_expert(folder, written, expert.trajectory, described)
            written += 1
    write_description(folder, described)
    return ExpertBuffer.open(folder)


def require_no_buffer(folder: Path) -> None:
    """Require that no expert buffer lies in a folder.

    Args:
        folder: Folder, which may be absent.

    Raises:
        UserError: There is one.
    """
    if (folder / DESCRIPTION).exists():
        raise UserError(
            f"{folder} already is an expert buffer",
            f"there {len(numbers(folder))} expert files",
            fix="import into another folder",
        )


def export_replay_buffer(buffer: ExpertBuffer, folder: str | Path, per_file: int = 10) -> list[Path]:
    """Write all experts as ``replay_buffer_0.pt``, ``replay_buffer_1.pt``, ...

    Args:
        buffer: Experts to write.
        folder: Folder of the files, without any such file yet.
        per_file: Experts in a file; the last file holds what is left.

    Returns:
        The files, in the order of the experts.

    Raises:
        UserError: The folder holds replay buffers already, the buffer is damaged, or the disk is full.
    """
    folder = Path(folder)
    if per_file < 1:
        raise UserError(f"a file can not hold {per_file} experts", fix="give 1 or more")
    if next(folder.glob("replay_buffer_*.pt"), None) is not None:
        raise UserError(f"there are replay buffers in {folder} already", fix="export into another folder")
    paths = []
    for first in range(0, len(buffer), per_file):
        experts = [_snapshots(buffer, e) for e in range(first, min(first + per_file, len(buffer)))]
        path = folder / f"replay_buffer_{len(paths)}.pt"
        with artifact.replacing(path) as part:
            torch.save(experts, part)
        paths.append(path)
    return paths


def _snapshots(buffer: ExpertBuffer, expert: int) -> list[list[Tensor]]:
    rows = buffer.trajectory(expert).parameters
    shapes = [shape for _, shape in buffer.description.parameters]
    sizes = [torch.Size(shape).numel() for shape in shapes]
    return [[p.view(s).clone() for p, s in zip(row.split(sizes), shapes, strict=True)] for row in rows]
