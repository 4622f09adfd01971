"""Files that are whole or absent, say what they are, and are checked when they are read.

Every artifact of ddbench is a safetensors file whose metadata holds one JSON document, ``{"kind", "schema", "sha256",
...}``, under "ddbench". Its "sha256" is of the tensors alone, and stands for them in rows and caches; since schema 2
its "description_sha256" is of all the rest of the document. A file is written under a temporary name, flushed to the
disk and renamed, so a process killed at any moment leaves either the old file or the new one. Nothing is ever
unpickled. The checksums find damage, and changes by hand; whoever can change a file can also change its checksums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import UserError
from ddbench.files.atomic_write import is_disk_full, replacing
from ddbench.files.json_file import canonical, fingerprint, read_json, write_json
from ddbench.files.strict_json import parse_json

if TYPE_CHECKING:
    import torch

__all__ = [
    "WrittenByNewerError",
    "canonical",
    "damaged",
    "describe",
    "description_in",
    "fingerprint",
    "is_disk_full",
    "load",
    "newer",
    "read_json",
    "replacing",
    "save",
    "tensors_sha256",
    "uncovered",
    "write_json",
]

SCHEMA = 2
"""Of artifacts. Since 2 the description has a checksum of its own."""

_DESCRIPTION, _CHECKSUM = "ddbench", "description_sha256"


def tensors_sha256(tensors: Mapping[str, torch.Tensor]) -> str:
    """Hash tensors: names, dtypes, shapes and bytes.

    Args:
        tensors: Tensors by name, on any device; their order does not count.

    Returns:
        SHA-256, 64 hexadecimal digits.
    """
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(_as_bytes(tensor))
    return total.hexdigest()


def _as_bytes(tensor: torch.Tensor) -> memoryview:
    import torch

    return tensor.reshape(-1).view(torch.uint8).numpy().data


def save(path: Path, kind: str, tensors: Mapping[str, torch.Tensor], document: Mapping[str, Any]) -> str:
    """Write tensors and their description as one artifact, atomically.

    Args:
        path: The file; it is replaced.
        kind: What it is, such as "synthetic set"; :func:`load` asks for the same.
        tensors: Tensors by name, on any device.
        document: Description, JSON.

    Returns:
        The SHA-256 of the tensors.

    Raises:
        UserError: The file can not be written.
    """
    from safetensors.torch import save_file

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    digest = tensors_sha256(plain)
    described = {**document, "kind": kind, "schema": SCHEMA, "sha256": digest}
    described[_CHECKSUM] = hashlib.sha256(canonical(described).encode()).hexdigest()
    with replacing(path) as part:  # one entry of metadata: of several, the library's order is any
        save_file(plain, part, metadata={_DESCRIPTION: canonical(described)})
    return digest


def describe(path: Path) -> dict[str, Any]:
    """Read the description inside an artifact without its tensors.

    Args:
        path: The file.

    Returns:
        The description, with "kind", "schema" and "sha256".

    Raises:
        UserError: The file is absent, cut short, changed, or not an artifact of ddbench.
    """
    return _read(path, with_tensors=False)[1]


def load(path: Path, kind: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read an artifact and verify its checksums.

    Args:
        path: The file.
        kind: What it must be, such as "synthetic set".

    Returns:
        Tensors by name, on the CPU, and the description.

    Raises:
        UserError: The file is absent, damaged, of another kind, or written by a newer ddbench.
    """
    tensors, document = _read(path, with_tensors=True, kind=kind)
    digest = tensors_sha256(tensors)
    recorded = str(document.get("sha256"))
    if digest != recorded:
        raise damaged(path, f"its checksum is {digest[:16]}, recorded was {recorded[:16]}")
    return tensors, document


def _read(path: Path, *, with_tensors: bool, kind: str = "") -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors, where they are wanted, and description of one state of a file, which may be replaced meanwhile."""
    from safetensors import safe_open

    if not path.is_file():  # also where a pipe or a device lies there, whose end would never come
        raise UserError(f"there is no file {path}", fix="check the path")
    if path.suffix != ".safetensors" and not path.name.startswith("."):
        raise UserError(f"{path} is none of ddbench's files", fix="give a .safetensors file that ddbench wrote")
    try:
        with safe_open(path, framework="pt") as file:
            document = _described(path, file.metadata() or {})
            if kind:
                _require_kind(path, document, kind)
            tensors = {name: file.get_tensor(name) for name in file.keys()} if with_tensors else {}  # noqa: SIM118
    except UserError:
        raise
    except Exception as error:  # the library raises its own type, or OSError, for every kind of damage
        _require_memory(error)
        raise damaged(path, str(error)) from None
    return tensors, document


def _described(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _DESCRIPTION not in metadata:
        raise UserError(
            f"{path} is a safetensors file, but none of ddbench's",
            fix="give a file that ddbench wrote, or import it first (ddbench import --help)",
        )
    try:
        return description_in(metadata)
    except ValueError as error:
        raise damaged(path, f"its description is not whole: {error}") from None


def _require_kind(path: Path, document: Mapping[str, Any], kind: str) -> None:
    if document.get("kind") != kind:
        raise UserError(
            f"{path} is a {document.get('kind')}, not a {kind}", fix=f"give a {kind}; ddbench info says more"
        )
    if document["schema"] > SCHEMA:
        raise newer(path, document["schema"])


def description_in(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Take the description out of the metadata of a safetensors file.

    Args:
        metadata: Texts by name, as the file has them.

    Returns:
        The description, without its own checksum.

    Raises:
        ValueError: It is not such a description, or, since schema 2, not the one that was written.
    """
    document = parse_json(metadata[_DESCRIPTION])
    if not isinstance(document, dict) or type(document.get("schema")) is not int:
        raise ValueError("it says no schema")
    recorded = document.pop(_CHECKSUM, None)
    if recorded is None and 2 <= document["schema"] <= SCHEMA:
        raise ValueError("its checksum is missing")
    if recorded is not None and hashlib.sha256(canonical(document).encode()).hexdigest() != recorded:
        raise ValueError("it was changed after it was written")
    return document


def uncovered(document: Mapping[str, Any]) -> str:
    """Warn of a description that no checksum covers.

    Args:
        document: Description of an artifact.

    Returns:
        What a reader must know; empty for a description that is covered.
    """
    if document["schema"] >= 2:
        return ""
    return "written by an older ddbench: the checksum covers the tensors, and not the description"


def _require_memory(error: Exception) -> None:
    """Raise MemoryError where a file could not be read for lack of memory, and may be whole."""
    if isinstance(error, MemoryError) or "Cannot allocate memory" in str(error):
        raise MemoryError(str(error)) from error


class WrittenByNewerError(UserError):
    """A file that this version does not know how to read, and must not replace."""


def newer(path: Path, schema: int) -> UserError:
    """Make the error for a file of a later version of ddbench.

    Args:
        path: The file.
        schema: Its schema.

    Returns:
        The error, to be raised.
    """
    return WrittenByNewerError(f"{path} was written by a newer ddbench (schema {schema})", fix="upgrade ddbench")


def damaged(path: Path, why: str) -> UserError:
    """Make the error for a file that can not be trusted.

    Args:
        path: The file.
        why: Fault that was found, in a few words.

    Returns:
        The error, to be raised.
    """
    return UserError(f"{path} is damaged", f"why   {why}", fix="delete it, and run again the command that made it")
