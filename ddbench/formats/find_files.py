"""Files behind a path: the best set of a folder, all shards of one set, labels and rates beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ddbench.errors import UserError
from ddbench.files.plain_text import natural_order


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Make a sorting key by which ``images_best_2.pt`` comes before ``images_best_10.pt``.

    Args:
        path: A file; its name counts.

    Returns:
        The key.
    """
    return natural_order(path.name)


def require_path(path: Path) -> None:
    """Refuse a path at which nothing lies.

    Args:
        path: The path.

    Raises:
        UserError: There is no file or folder.
    """
    if not path.exists():
        raise UserError(f"there is no file or folder {path}", fix="check the path")


def one_of(folder: Path, patterns: Sequence[str], what: str) -> Path:
    """Find the one file in a folder that the first pattern to match anything matches.

    Args:
        folder: The folder.
        patterns: Patterns of names, in order.
        what: What the file should be, for messages.

    Returns:
        The file.

    Raises:
        UserError: None matches, or several do, which are listed.
    """
    for pattern in patterns:
        matching = sorted((path for path in folder.glob(pattern) if path.is_file()), key=natural)
        if len(matching) > 1:
            raise UserError(
                f"there are {len(matching)} {what} in {folder}",
                *(f"found {path.name}" for path in matching[:8]),
                fix="give the file that you mean instead of the folder",
            )
        if matching:
            return matching[0]
    raise UserError(
        f"there is no {what} in {folder}",
        f"want  {' or '.join(patterns)}",
        fix="check the path; ddbench formats says what the files of each project are called",
    )


def shards(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Sort the files of one set by their numbers, ``images_best_0.pt`` first.

    Args:
        paths: The files.

    Returns:
        The files in order.

    Raises:
        UserError: A number is missing or comes twice.
    """
    ordered = sorted(paths, key=natural)
    numbers = [int(match[1]) if (match := re.search(r"_([0-9]+)\.[a-z]+$", path.name)) else -1 for path in ordered]
    if len(ordered) > 1 and numbers != list(range(len(ordered))):
        raise UserError(
            "the parts of the set are not numbered from 0 without a gap",
            *(f"found {path.name}" for path in ordered[:8]),
            fix="give all parts, and nothing else",
        )
    return tuple(ordered)


def labels_sidecar(images: Path) -> Path | None:
    """Find the file of labels that goes with a file of images, by its name.

    Args:
        images: File of images.

    Returns:
        File of labels; None where there is none.
    """
    stem, word, rest = images.name.rpartition("images")
    if not word:
        return None
    path = images.with_name(f"{stem}labels{rest.removeprefix('_zca') if rest.startswith('_zca_') else rest}")
    return path if path.is_file() else None


def rate_sidecar(images: Path) -> Path | None:
    """Find the file of the learned rate that goes with a file of images, ``lr_best.pt``.

    Args:
        images: File of images.

    Returns:
        File of the rate; None where there is none.
    """
    stem, word, rest = images.name.removeprefix("ema_").rpartition("images")
    path = images.with_name(f"{stem}lr{re.sub(r'^_zca', '', rest)}")
    return path if word and path.is_file() else None
