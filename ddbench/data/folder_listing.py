"""Folders of images: subfolders, class folders, image files, and their labels."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data.parts import Chosen, SplitPart
from ddbench.data.rawdata import Request
from ddbench.data.split_names import IGNORED
from ddbench.errors import UserError
from ddbench.files.regular_file import require_regular, shown_path

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff", ".gif")


@dataclass(frozen=True, eq=False)
class Listing:
    """Image files and their labels, in the order they are read."""

    paths: list[str]
    """Plain text: there may be millions."""
    labels: Tensor
    """(n,), int64."""

    def rows(self, rows: Tensor) -> Listing:
        """Take some files.

        Args:
            rows: Positions, (count,), int64.

        Returns:
            Those files with their labels.
        """
        return Listing([self.paths[row] for row in rows.tolist()], self.labels[rows])


def existing_folder(path: Path, request: Request) -> Path:
    """Check that a path is a folder.

    Args:
        path: The path.
        request: Of the recipe, for messages.

    Returns:
        The same path.

    Raises:
        UserError: It is none, or cannot be looked at.
    """
    try:
        if path.is_dir():
            return path
        there = path.exists()
        why = ""
    except (OSError, ValueError) as error:  # names too long for the system, or with a NUL
        there, why = False, f"why      {error.strerror if isinstance(error, OSError) else error}"
    if there:
        raise UserError(
            f"{shown_path(path)} is a file, and a folder is needed", request.origin, fix="give the folder of the set"
        )
    shown = shown_path(path) if len(str(path)) < 200 else f"{shown_path(path)[:200]}..."
    raise UserError(
        f"there is no folder {shown}",
        request.origin,
        why,
        fix=f"check the path; the training images are in {'PATH' if why else shown}/train/<class>/, one folder a class",
    )


def subfolders(folder: Path) -> list[str]:
    """List the folders in a folder, hidden ones left out.

    Args:
        folder: The folder.

    Returns:
        Names, sorted.
    """
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def class_folders(folder: Path) -> list[str]:
    """List the class folders in the folder of a split.

    Args:
        folder: The folder of the split.

    Returns:
        Names, sorted as text.

    Raises:
        UserError: A link leads to nothing, or a name is not UTF-8: it is written into rows and sets.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() and not os.path.exists(entry.path):
                require_regular(entry.path)  # says that it leads to nothing
    names = [name for name in subfolders(folder) if name not in IGNORED]
    for name in names:
        if shown_path(name) != name:
            raise UserError(
                f"the name of the class folder {shown_path(name)} is not UTF-8 text",
                f"in       {shown_path(folder)}",
                fix="rename it (convmv -f latin1 -t utf8 --notest renames whole folders)",
            )
    return names


def in_order(names: Sequence[str]) -> list[str]:
    """Sort class names into the order of their labels.

    Args:
        names: Class names.

    Returns:
        By value where all are numbers, else as text.
    """
    if all(re.fullmatch(r"[0-9]+", name) for name in names):
        return sorted(names, key=lambda name: (int(name) if len(name) < 4000 else 0, name))
    return sorted(names)


def image_files(folder: Path) -> list[str]:
    """List the image files directly in a folder.

    Args:
        folder: The folder.

    Returns:
        Paths, sorted by name.

    Raises:
        UserError: One is a link to nothing, a pipe or a device.
    """
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.lower().endswith(SUFFIXES) or entry.name.startswith(".") or entry.is_dir():
                continue
            if not entry.is_file():
                require_regular(entry.path)
            names.append(entry.name)
    return [os.path.join(folder, name) for name in sorted(names)]


def list_classes(folders: Sequence[tuple[Path, int]], what: str) -> Listing:
    """List all images of some folders with their labels.

    Args:
        folders: Folders, each with its label.
        what: The split, for messages.

    Returns:
        Files and labels, folder after folder.

    Raises:
        UserError: There is none.
    """
    paths: list[str] = []
    labels: list[int] = []
    for folder, label in folders:
        files = image_files(folder)
        paths += files
        labels += [label] * len(files)
    if not paths:
        raise UserError(
            f"there are no images in {shown_path(what)}",
            f"looked for {', '.join(SUFFIXES)} in the folders of its classes",
            fix=f"put them in {shown_path(what)}/<class>/",
        )
    return Listing(paths, torch.tensor(labels))


def listing_chosen(
    train: Listing, test: Listing, root: Path, *, train_name: str = "train/", test_name: str = "val/"
) -> Chosen[Listing]:
    """Make the splits of a set whose layout is fixed.

    Args:
        train: Training files.
        test: Test files.
        root: Folder of the set.
        train_name: Folder of the training files.
        test_name: Folder of the test files.

    Returns:
        The two splits; validation is cut from train.
    """
    made = SplitPart(train, train_name, shown_path(root / train_name.rstrip("/")))
    return Chosen(
        made,
        None,
        replace(made, images=test, name=test_name, context=shown_path(root / test_name.rstrip("/"))),
        False,
        (),
    )
