"""Experts in the ``replay_buffer_*.pt`` of MTT and its children, each looked through before it is taken.

Such a file is a list of experts, an expert a list of snapshots, a snapshot a list of tensors in the order of
``network.parameters()``. It says nothing of what it is. Source: MTT, released ``buffer.py``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.expert_buffers.metadata import Shapes
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.files.plain_text import natural_order
from ddbench.files.regular_file import require_regular
from ddbench.files.torch_file import EXPERTS, read_torch

Snapshots = Sequence[Sequence[Tensor]]
_DTYPES = (torch.float32, torch.bfloat16)
_MOST_SCORED = 3


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The network whose experts are wanted."""

    network: str
    """Its canonical name."""
    parameters: Shapes
    """Names and shapes, in the order of ``network.parameters()``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Expert:
    """One expert."""

    place: str
    """Its file and its position there, for messages."""
    trajectory: Trajectory
    """Its snapshots as rows, without statistics and curves."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Survey:
    """Summary of replay buffers."""

    experts: int
    """Number of experts."""
    epochs: int
    """Epochs of the shortest of them."""
    last: dict[str, Tensor]
    """The last snapshot, (P,), of a few experts by their place."""


def replay_files(files: str | Path | Iterable[str | Path]) -> list[Path]:
    """List the replay buffers that are meant.

    Args:
        files: A folder of ``replay_buffer_*.pt``, one file, or several.

    Returns:
        The files, in the order of their numbers.

    Raises:
        UserError: When there is none, or one is no regular file.
    """
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    buffers = [inner for path in paths for inner in (path.glob("replay_buffer_*.pt") if path.is_dir() else [path])]
    if not buffers:
        raise UserError(
            f"there is no replay_buffer_*.pt in {', '.join(map(str, paths)) or 'an empty list'}", fix="check the path"
        )
    for path in buffers:
        require_regular(path)
    return sorted(buffers, key=lambda path: natural_order(str(path)))


def survey(paths: Sequence[Path], wanted: Wanted) -> Survey:
    """Read every expert once, and hold the last snapshots of a few, spread over the files.

    Args:
        paths: Replay buffers.
        wanted: Network that the experts must fit.

    Returns:
        Number and length of the experts, with those snapshots.

    Raises:
        UserError: As ``experts_in``.
    """
    spread = {paths[round(part * (len(paths) - 1) / (_MOST_SCORED - 1))] for part in range(_MOST_SCORED)}
    experts, lengths, last = 0, set(), {}
    for path in paths:
        for position, expert in enumerate(experts_in(path, wanted)):
            experts += 1
            lengths.add(expert.trajectory.epochs)
            if position == 0 and path in spread:
                last[expert.place] = expert.trajectory.parameters[-1].float().clone()
    return Survey(experts=experts, epochs=min(lengths), last=last)


def experts_in(path: Path, wanted: Wanted) -> Iterator[Expert]:
    """Read the experts of one file.

    Memory holds one expert at a time beside what the system keeps of the file.

    Args:
        path: Replay buffer.
        wanted: Network that the experts must fit.

    Yields:
        Each expert, checked, with rows in the dtype of the file.

    Raises:
        UserError: For a file that is not a replay buffer or needs unpickling, and for an expert that does not fit the
            network, is of another dtype, has no epochs, never moves, is not finite, or claims more than the file has.
    """
    experts = read_torch(path, EXPERTS)
    if not _nested(experts, 3):
        raise UserError(
            f"{path} is not a replay buffer",
            "want  a list of experts, each a list of snapshots, each a list of tensors",
            f"found {type(experts).__name__}",
            fix="give a replay_buffer_*.pt as MTT's buffer.py writes it",
        )
    left = path.stat().st_size
    for position, snapshots in enumerate(experts):
        place = f"{path}, expert {position}"
        _check(snapshots, wanted, place)
        left -= sum(tensor.numel() * tensor.element_size() for snapshot in snapshots for tensor in snapshot)
        if left < 0:
            raise UserError(
                f"{path} claims to hold more than it does",
                f"in    {place}: its snapshots share their numbers",
                fix="record the experts again, each snapshot a copy",
            )
        rows = torch.stack([torch.cat([t.detach().reshape(-1) for t in snapshot]) for snapshot in snapshots])
        _require_finite(rows, wanted, place)
        yield Expert(place=place, trajectory=Trajectory(parameters=rows, statistics=None, curves={}))


def file_sha256(paths: Iterable[Path]) -> dict[str, str]:
    """Hash files.

    Args:
        paths: The files.

    Returns:
        SHA-256 by file name, with the folder above where two files have the same name.
    """
    files = list(paths)
    names = [path.name for path in files]
    short = names if len(set(names)) == len(names) else [f"{path.parent.name}/{path.name}" for path in files]
    hashes: dict[str, str] = {}
    for name, path in zip(short, files, strict=True):
        with path.open("rb") as file:
            hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def says_unwhitened(path: Path) -> bool:
    """Tell whether a path says that its experts saw images without ZCA, as MTT's ``CIFAR10_NO_ZCA`` does.

    Args:
        path: Replay buffer; the names of its folders count as well.

    Returns:
        True where ``no zca`` stands in it, in any spelling.
    """
    return re.search(r"(?<![a-z])no[-_ ]?zca(?![a-z])", str(path.absolute()).lower()) is not None


def _nested(value: Any, depth: int) -> bool:
    if depth == 0:
        return isinstance(value, Tensor)
    return isinstance(value, list | tuple) and len(value) > 0 and all(_nested(inner, depth - 1) for inner in value)


def _check(snapshots: Snapshots, wanted: Wanted, location: str) -> None:
    if len(snapshots) < 2:
        raise UserError(
            "an expert has no epochs, only its initialization", f"in    {location}", fix="leave this file out"
        )
    shapes = [shape for _, shape in wanted.parameters]
    dtype = snapshots[0][0].dtype
    for epoch, snapshot in enumerate(snapshots):
        own = [tuple(tensor.shape) for tensor in snapshot]
        if own != shapes:
            raise UserError(
                f"the experts do not fit the network {wanted.network}",
                f"in    {location}, epoch {epoch}",
                *_difference(own, wanted.parameters),
                fix="name the network, the image size and the number of classes that the experts were trained with",
            )
        if any(tensor.dtype != dtype or dtype not in _DTYPES for tensor in snapshot):
            dtypes = ", ".join(sorted({str(tensor.dtype) for tensor in snapshot}))
            raise UserError(
                "an expert is stored in a dtype that a buffer does not keep",
                f"in    {location}, epoch {epoch}: {dtypes}",
                "known torch.float32, torch.bfloat16, one for the whole expert",
                fix="convert the tensors with .float() and save the file again",
            )
    if all(torch.equal(first, last) for first, last in zip(snapshots[0], snapshots[-1], strict=True)):
        raise UserError(
            "every snapshot of an expert is the same",
            f"in    {location}",
            "why   buffer scripts that run without a GPU keep the live weights instead of copies",
            fix="record the experts again; nothing but the last epoch was saved",
        )


def _require_finite(rows: Tensor, wanted: Wanted, location: str) -> None:
    """Errors: UserError that names the first parameter with a number that is nan or infinite."""
    finite = torch.isfinite(rows)
    if bool(finite.all()):
        return
    epoch = int((~finite.all(1)).nonzero()[0])
    sizes = [torch.Size(shape).numel() for _, shape in wanted.parameters]
    parts = finite[epoch].split(sizes)
    name = next(name for (name, _), part in zip(wanted.parameters, parts, strict=True) if not bool(part.all()))
    raise UserError(
        "an expert has weights that are nan or infinite",
        f"in    {location}, snapshot {epoch}, parameter {name}",
        f"found {int((~finite[epoch]).sum())} of the {rows.shape[1]} numbers of that snapshot",
        fix="its training diverged, or the file is damaged: leave this expert out, or copy the file again",
    )


def _difference(shapes: list[tuple[int, ...]], parameters: Shapes) -> list[str]:
    """The first tensor that is not what the network has there."""
    for position, (name, shape) in enumerate(parameters):
        own = shapes[position] if position < len(shapes) else None
        if own != shape:
            return [f"want  {name} {shape}", f"found {own if own is not None else 'nothing'} at place {position}"]
    return [f"want  {len(parameters)} tensors", f"found {len(shapes)}"]
