"""Files that are whole or absent, say what they are, and are checked when they are read.

Every artefact of ddbench is a safetensors file whose metadata holds one JSON document, ``{"kind", "schema", "sha256",
...}``. It is written under a temporary name, flushed to the disk and renamed, so a process killed at any moment leaves
either the old file or the new one. Nothing is ever unpickled.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import UserError

if TYPE_CHECKING:
    import torch

SCHEMA = 1


def canonical(document: Any) -> str:
    """JSON with sorted keys and no spaces: equal documents give equal text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(document: Any) -> str:
    """Sixteen hexadecimal digits that stand for a JSON document: the name of whatever it describes."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()[:16]


def tensors_sha256(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of tensors, independent of their order in the mapping."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(_as_bytes(tensor))
    return total.hexdigest()


def _as_bytes(tensor: torch.Tensor) -> memoryview:
    import torch

    return tensor.reshape(-1).view(torch.uint8).numpy().data


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed and renamed to ``path``, else removed.

    Errors: UserError when the disk is full; whatever was at ``path`` before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    _sweep(path)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except Exception as error:
        if is_disk_full(error):
            raise UserError(
                f"the disk is full: {path.name} could not be written",
                f"in    {path.parent}",
                "kept  everything written before it",
                fix="free some space, or choose another folder with --home, and run the same command again",
            ) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what processes killed while they wrote this file left behind, an hour ago or more."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > 3600:
                part.unlink()


def is_disk_full(error: BaseException) -> bool:
    """Whether an exception, of whichever library, means that the disk has no room."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    if "unexpected pos" in str(error):  # what torch.save says of a write that came out short
        return True
    return any(f"(os error {number})" in str(error) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def write_json(path: Path, document: Any) -> None:
    """Write a readable JSON file atomically."""
    with replacing(path) as part:
        part.write_text(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path, kind: str) -> Any:
    """The JSON document in a file. Errors: UserError that names the file when it is absent or not JSON."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"there is no {kind} at {path}", fix="check the path") from None
    except (ValueError, RecursionError) as error:  # also integers of thousands of digits, and endless nesting
        fix = "restore it from a copy; or, if ddbench wrote it, delete it"
        raise UserError(f"{path} is not a {kind}: {error}", fix=fix) from None


def save(path: Path, kind: str, tensors: Mapping[str, torch.Tensor], document: Mapping[str, Any]) -> str:
    """Write tensors and their description as one artefact, atomically. Returns the SHA-256 of the tensors."""
    from safetensors.torch import save_file

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    digest = tensors_sha256(plain)
    described = {**document, "kind": kind, "schema": SCHEMA, "sha256": digest}
    with replacing(path) as part:
        save_file(plain, part, metadata={"ddbench": canonical(described)})
    return digest


def describe(path: Path) -> dict[str, Any]:
    """The description inside an artefact, read without its tensors.

    Errors: UserError when the file is absent, cut short, or not an artefact of ddbench.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise UserError(f"there is no file {path}", fix="check the path")
    if path.suffix != ".safetensors" and not path.name.startswith("."):
        raise UserError(f"{path} is none of ddbench's files", fix="give a .safetensors file that ddbench wrote")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except Exception as error:  # the library raises its own type, or OSError, for every kind of damage
        _require_memory(error)
        raise damaged(path, str(error)) from None
    if "ddbench" not in metadata:
        raise UserError(
            f"{path} is a safetensors file, but none of ddbench's",
            fix="give a file that ddbench wrote, or import it first (ddbench import --help)",
        )
    try:
        document = json.loads(metadata["ddbench"])
        if not isinstance(document["schema"], int):
            raise TypeError("schema is not a number")
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise damaged(path, f"its description is not whole: {error!r}") from None
    return document


def load(path: Path, kind: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and description of an artefact of this kind, its checksum verified.

    Errors: UserError when it is absent, damaged, of another kind, or written by a newer ddbench.
    """
    from safetensors.torch import load_file

    document = describe(path)
    if document.get("kind") != kind:
        raise UserError(
            f"{path} is a {document.get('kind')}, not a {kind}", fix=f"give a {kind}; ddbench info says more"
        )
    if document["schema"] > SCHEMA:
        raise newer(path, document["schema"])
    try:
        tensors = load_file(path)
    except Exception as error:
        _require_memory(error)
        raise damaged(path, str(error)) from None
    found = tensors_sha256(tensors)
    recorded = str(document.get("sha256"))
    if found != recorded:
        raise damaged(path, f"its checksum is {found[:16]}, recorded was {recorded[:16]}")
    return tensors, document


def _require_memory(error: Exception) -> None:
    """Errors: MemoryError where a file could not be read for lack of memory, and may be whole."""
    if isinstance(error, MemoryError) or "Cannot allocate memory" in str(error):
        raise MemoryError(str(error)) from error


class WrittenByNewerError(UserError):
    """A file that this version does not know how to read, and must not replace."""


def newer(path: Path, schema: int) -> UserError:
    """The error for a file of a later version of ddbench."""
    return WrittenByNewerError(f"{path} was written by a newer ddbench (schema {schema})", fix="upgrade ddbench")


def damaged(path: Path, why: str) -> UserError:
    """The error for a file that can not be trusted."""
    return UserError(f"{path} is damaged", f"why   {why}", fix="delete it, and run again the command that made it")
