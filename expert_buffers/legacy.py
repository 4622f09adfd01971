"""The ``replay_buffer_*.pt`` of MTT and its children, in and out, bit for bit.

Such a file is a list of experts, an expert a list of snapshots, a snapshot a list of tensors in the order of
``network.parameters()``. It says nothing of what it is, so the caller must. Source: MTT, released ``buffer.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench import artefact
from ddbench.errors import UserError
from ddbench.expert_buffers.description import BufferDescription
from ddbench.expert_buffers.store import DESCRIPTION, ExpertBuffer, numbers, write_description, write_expert
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.formats.safe_load import EXPERTS, read_torch, require_regular

Snapshots = list[list[Tensor]]
_DTYPES = (torch.float32, torch.bfloat16)


def import_replay_buffer(
    files: str | Path | Iterable[str | Path], folder: str | Path, description: BufferDescription
) -> ExpertBuffer:
    """Write the experts of replay buffers as our own files into ``folder``, which must hold none yet.

    files: a folder of ``replay_buffer_*.pt``, one file, or several; taken in the order of their numbers. description:
    what the files do not say, see ``describe_buffer``. All files are looked through before anything is written.
    Errors: UserError for a file that is absent, is not a replay buffer, needs unpickling, or does not fit the network.
    """
    folder = Path(folder)
    paths = replay_files(files)
    if (folder / DESCRIPTION).exists():
        raise UserError(
            f"{folder} already is an expert buffer",
            f"there {len(numbers(folder))} expert files",
            fix="import into another folder",
        )
    for path in paths:
        for _ in _experts_in(path, description):
            pass
    written = 0
    for path in paths:
        for trajectory in _experts_in(path, description):
            write_expert(folder, written, trajectory, description)
            written += 1
    if not written:
        raise UserError("there are no experts in the files", f"read  {paths[0]}, ...", fix="check the files")
    write_description(folder, description)
    return ExpertBuffer.open(folder)


def export_replay_buffer(buffer: ExpertBuffer, folder: str | Path, per_file: int = 10) -> list[Path]:
    """Write all experts as ``replay_buffer_0.pt``, ... of ``per_file`` experts; the last file holds what is left.

    Errors: UserError when the folder holds replay buffers already, the buffer is damaged, or the disk is full.
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
        with artefact.replacing(path) as part:
            torch.save(experts, part)
        paths.append(path)
    return paths


def replay_files(files: str | Path | Iterable[str | Path]) -> list[Path]:
    """The replay buffers that are meant, in the order of their numbers. Errors: UserError when one is not there."""
    given = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    found = [inner for path in given for inner in (path.glob("replay_buffer_*.pt") if path.is_dir() else [path])]
    if not found:
        raise UserError(
            f"there is no replay_buffer_*.pt in {', '.join(map(str, given)) or 'an empty list'}", fix="check the path"
        )
    for path in found:
        require_regular(path)
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[int | str]:
    """``replay_buffer_2`` comes before ``replay_buffer_10``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def _experts_in(path: Path, description: BufferDescription) -> Iterable[Trajectory]:
    experts = read_torch(path, EXPERTS)
    if not _nested(experts, 3):
        raise UserError(
            f"{path} is not a replay buffer",
            "want  a list of experts, each a list of snapshots, each a list of tensors",
            f"found {type(experts).__name__}",
            fix="give a replay_buffer_*.pt as MTT's buffer.py writes it",
        )
    for position, snapshots in enumerate(experts):
        _check(snapshots, description, f"{path}, expert {position}")
        rows = torch.stack([torch.cat([t.detach().reshape(-1) for t in snapshot]) for snapshot in snapshots])
        if len(rows) > 1 and torch.equal(rows[0], rows[-1]):
            raise UserError(
                "every snapshot of an expert is the same",
                f"in    {path}, expert {position}",
                "why   buffer scripts that run without a GPU keep the live weights instead of copies",
                fix="record the experts again; nothing but the last epoch was saved",
            )
        yield Trajectory(parameters=rows, statistics=None, curves={})


def _nested(value: Any, depth: int) -> bool:
    if depth == 0:
        return isinstance(value, Tensor)
    return isinstance(value, list | tuple) and len(value) > 0 and all(_nested(inner, depth - 1) for inner in value)


def _check(snapshots: Sequence[Sequence[Tensor]], description: BufferDescription, where: str) -> None:
    if len(snapshots) < 2:
        raise UserError("an expert has no epochs, only its initialisation", f"in    {where}", fix="leave this file out")
    want = [shape for _, shape in description.parameters]
    dtype = snapshots[0][0].dtype
    for epoch, snapshot in enumerate(snapshots):
        found = [tuple(tensor.shape) for tensor in snapshot]
        if found != want:
            raise UserError(
                f"the experts do not fit the network {description.network}",
                f"in    {where}, epoch {epoch}",
                *_difference(found, description),
                fix="name the network, the image size and the number of classes that the experts were trained with",
            )
        if any(tensor.dtype != dtype or dtype not in _DTYPES for tensor in snapshot):
            given = ", ".join(sorted({str(tensor.dtype) for tensor in snapshot}))
            raise UserError(
                "an expert is stored in a dtype that a buffer does not keep",
                f"in    {where}, epoch {epoch}: {given}",
                "known torch.float32, torch.bfloat16, one for the whole expert",
                fix="convert the tensors with .float() and save the file again",
            )


def _difference(found: list[tuple[int, ...]], description: BufferDescription) -> list[str]:
    """The first tensor that is not what the network has there."""
    for position, (name, shape) in enumerate(description.parameters):
        given = found[position] if position < len(found) else None
        if given != shape:
            return [f"want  {name} {shape}", f"found {given if given is not None else 'nothing'} at place {position}"]
    return [f"want  {len(description.parameters)} tensors", f"found {len(found)}"]


def _snapshots(buffer: ExpertBuffer, expert: int) -> Snapshots:
    rows = buffer.trajectory(expert).parameters
    shapes = [shape for _, shape in buffer.description.parameters]
    sizes = [torch.Size(shape).numel() for shape in shapes]
    return [[p.view(s).clone() for p, s in zip(row.split(sizes), shapes, strict=True)] for row in rows]
