"""JSON as files hold it: canonical text, its fingerprint, and files that are written whole and read within bounds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ddbench.errors import UserError
from ddbench.files.atomic_write import replacing
from ddbench.files.regular_file import read_regular
from ddbench.files.strict_json import parse_json

LARGEST_JSON = 64 * 2**20
"""Bytes of a file of JSON, above which it is none of ddbench's."""


def canonical(document: Any) -> str:
    """Write JSON with sorted keys and no spaces, so that equal documents give equal text.

    Args:
        document: JSON; numbers must be finite.

    Returns:
        The text.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(document: Any) -> str:
    """Hash a JSON document; the digits name whatever it describes.

    Args:
        document: JSON; numbers must be finite.

    Returns:
        Sixteen hexadecimal digits.
    """
    return hashlib.sha256(canonical(document).encode()).hexdigest()[:16]


def write_json(path: Path, document: Any) -> None:
    """Write a readable JSON file atomically.

    Args:
        path: The file; it is replaced.
        document: JSON; numbers must be finite.

    Raises:
        UserError: The file can not be written.
    """
    with replacing(path) as part:
        part.write_text(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path, kind: str) -> Any:
    """Read a JSON file of at most ``LARGEST_JSON`` bytes, as :func:`parse_json` does.

    Args:
        path: The file.
        kind: What the file should be, for errors, such as "row".

    Returns:
        The document.

    Raises:
        UserError: The file is absent, no regular file, too large, or not such JSON; names the file.
    """
    fix = "restore it from a copy; or, if ddbench wrote it, delete it"
    content = read_regular(path, kind, most=LARGEST_JSON, fix=fix)
    try:
        return parse_json(content)
    except ValueError as error:
        raise UserError(f"{path} is not a {kind}: {error}", fix=fix) from None
