"""Files behind a path: the best set of a folder, all shards of one set, labels and rates beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ddbench.errors import UserError


def natural(path: Path) -> list[tuple[int, int, str]]:
    """A sorting key by which ``images_best_2.pt`` comes before ``images_best_10.pt``."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(1, int(part), "") if part.isdecimal() and part.isascii() else (0, 0, part) for part in parts]


def require_path(path: Path) -> None:
    """Errors: UserError unless something lies there."""
    if not path.exists():
        raise UserError(f"there is no file or folder {path}", fix="check the path")


def one_of(folder: Path, patterns: Sequence[str], what: str) -> Path:
    """The one file in a folder that the first pattern to match anything matches.

    Raises:
        UserError: None matches, or several do, which are listed.
    """
    for pattern in patterns:
        found = sorted((path for path in folder.glob(pattern) if path.is_file()), key=natural)
        if len(found) > 1:
            raise UserError(
                f"there are {len(found)} {what} in {folder}",
                *(f"found {path.name}" for path in found[:8]),
                fix="give the file that you mean instead of the folder",
            )
        if found:
            return found[0]
    raise UserError(
        f"there is no {what} in {folder}",
        f"want  {' or '.join(patterns)}",
        fix="check the path; ddbench formats says what the files of each project are called",
    )


def shards(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Files of one set in the order of their numbers, ``images_best_0.pt`` first.

    Raises:
        UserError: A number is missing or comes twice.
    """
    found = sorted(paths, key=natural)
    numbers = [int(match[1]) if (match := re.search(r"_([0-9]+)\.[a-z]+$", path.name)) else -1 for path in found]
    if len(found) > 1 and numbers != list(range(len(found))):
        raise UserError(
            "the parts of the set are not numbered from 0 without a gap",
            *(f"found {path.name}" for path in found[:8]),
            fix="give all parts, and nothing else",
        )
    return tuple(found)


def labels_sidecar(images: Path) -> Path | None:
    """The file of labels that goes with a file of images, by its name; None where there is none."""
    stem, found, rest = images.name.rpartition("images")
    if not found:
        return None
    path = images.with_name(f"{stem}labels{rest.removeprefix('_zca') if rest.startswith('_zca_') else rest}")
    return path if path.is_file() else None


def rate_sidecar(images: Path) -> Path | None:
    """The file of the learned rate that goes with a file of images, ``lr_best.pt``; None where there is none."""
    stem, found, rest = images.name.removeprefix("ema_").rpartition("images")
    path = images.with_name(f"{stem}lr{re.sub(r'^_zca', '', rest)}")
    return path if found and path.is_file() else None
