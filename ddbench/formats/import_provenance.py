"""Provenance of an imported set: hashes of its files, and the facts that the user stated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ddbench.formats.reader import Facts

_MOST_LISTED = 64


def file_hashes(files: Iterable[Path]) -> dict[str, str]:
    """Hash files.

    Args:
        files: The files.

    Returns:
        SHA-256 by file name; of more than 64 files one hash, over the lines that ``sha256sum`` would print of them.
    """
    resolved = sorted({file.resolve() for file in files})
    short = _short_names(resolved)
    hashes = {name: _sha256(file) for name, file in zip(short, resolved, strict=True)}
    if len(hashes) <= _MOST_LISTED:
        return hashes
    lines = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
    return {f"{len(hashes)} files": hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()}


def import_facts(facts: Facts) -> dict[str, Any]:
    """List the facts that the user stated.

    Args:
        facts: What the user said of the files.

    Returns:
        JSON; paths and what was left out are not in it.
    """
    by_name = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(facts).items()}
    return {
        name: value
        for name, value in by_name.items()
        if value is not None and name not in ("others", "epoch_labels", "order", "class_folders")
    }


def _short_names(files: list[Path]) -> list[str]:
    """Names alone where they differ, else with as many folders above them as it takes."""
    deepest = max((len(file.parts) for file in files), default=1)
    for depth in range(1, deepest + 1):
        names = ["/".join(file.parts[-depth:]) for file in files]
        if len(set(names)) == len(names):
            return names
    return []


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
