"""Files of synthetic sets in a home, found by the hashes that stand for the sets in rows."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ddbench.artifact import describe
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import Row
from ddbench.pipeline.domains import domain_of_kind

_PATTERNS = ("runs/*/synthetic*.safetensors", "runs/*/candidates*/*.safetensors", "imported/*.safetensors")


def find_sets(home: Path, hashes: Iterable[str]) -> dict[str, Path]:
    """Find the files under HOME/runs and HOME/imported that hold some sets, candidates among them.

    What can not be read is passed over, as if it were not there.

    Args:
        home: Home folder.
        hashes: Hashes of the sets, as rows have them.

    Returns:
        Files by hash, of those that are there.
    """
    wanted, files = set(hashes), {}
    for path in (path for pattern in _PATTERNS for path in sorted(home.glob(pattern))):
        if len(files) == len(wanted):
            break
        with suppress(UserError):  # a damaged file of another run is no reason to look no further
            document = describe(path)
            if (domain := domain_of_kind(document.get("kind"))) and (digest := domain.file_sha256(document)) in wanted:
                files.setdefault(digest, path)
    return files


def set_of_row(row: Row, home: Path) -> Path:
    """Find the file that holds the synthetic set of a row.

    Args:
        row: The row.
        home: Home folder.

    Returns:
        The file.

    Raises:
        UserError: There is none.
    """
    if file := find_sets(home, [row.synthetic_sha256]).get(row.synthetic_sha256):
        return file
    raise UserError(
        f"the synthetic set of this row is not under {home / 'runs'}",
        f"hash  {row.synthetic_sha256[:16]}",
        fix="say where it is with --set, or distill it again from the row's recipe",
    )
