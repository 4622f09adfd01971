"""``folder:PATH``: one folder a class, as image classification sets are usually stored."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data.assemble import LabeledPictures, assemble
from ddbench.data.constants import Constants
from ddbench.data.decode import Pictures
from ddbench.data.parts import Chosen, SplitPart, choose
from ddbench.data.pixels import Form, Picture
from ddbench.data.rawdata import RawData, Request
from ddbench.data.split_names import IGNORED, NAMES, Role, role_of, roles_of
from ddbench.errors import UserError
from ddbench.files.regular_file import require_regular, shown_path

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff", ".gif")
UNLABELLED = ("images", "unknown", "unlabeled", "unlabelled")
"""Folders that stand where class folders are in a split without labels."""
SAMPLE, BATCH = 64, 512


@dataclass(frozen=True, eq=False)
class Listing:
    """Image files and their labels (n,), in the order they are read. Paths are plain text: there may be millions."""

    paths: list[str]
    labels: Tensor

    def rows(self, rows: Tensor) -> Listing:
        """Those at these positions, (count,)."""
        return Listing([self.paths[row] for row in rows.tolist()], self.labels[rows])


def load(request: Request) -> RawData:
    """``PATH/train/<class>/*`` with ``PATH/test/<class>/*``; what else a split may be called is in docs/data.md.

    Class names are the folder names of train, sorted, by their value where all are numbers. Images keep their size if
    all have the same; else a size must be given, to which they are squashed.

    Args:
        request: ``what`` is the path.

    Returns:
        The set.

    Raises:
        UserError: A folder is missing or empty, classes of the splits differ, or an image cannot be read.
    """
    root = existing_folder(Path(request.what).expanduser(), request)
    roles, others = roles_of(subfolders(root), shown_path(root))
    if "train" not in roles:
        raise _no_train(root, roles, others, request)
    classes = in_order(class_folders(root / roles["train"]))
    parts: dict[Role, SplitPart[Listing]] = {
        role: _part(root / name, classes, role, root) for role, name in roles.items()
    }
    labeled: dict[Role, bool] = {role: bool(part.images.paths) for role, part in parts.items()}
    notes = tuple(
        f"{shown_path(name)}/ beside {roles['train']}/ is no split and is not read: splits are called "
        f"{', '.join(name for names in NAMES.values() for name in names)}"
        for name in others
    )
    return decode_listings(tuple(classes), choose(parts, labeled=labeled), root, request, notes=notes)


def decode_listings(
    class_names: tuple[str, ...],
    chosen: Chosen[Listing],
    root: Path,
    request: Request,
    *,
    known: str = "",
    instead: str = "",
    constants: Constants | None = None,
    form: Form | None = None,
    notes: tuple[str, ...] = (),
) -> RawData:
    """All listings through the checks and the cache of decoded images; arguments as in ``assemble``."""

    def pictures(part: SplitPart[Listing], split: str) -> SplitPart[LabeledPictures]:
        read = pictures_of(part.images, root, f"{shown_path(root.name)} ({split})")
        return SplitPart(LabeledPictures(read, part.images.labels), part.name, part.context)

    validation = chosen.validation and pictures(chosen.validation, "validation")
    return assemble(
        class_names,
        Chosen(
            pictures(chosen.train, "train"), validation, pictures(chosen.test, "test"), chosen.held_out, chosen.notes
        ),
        request,
        shown_path(root),
        known=known,
        instead=instead,
        constants=constants,
        form=form,
        notes=notes,
    )


def pictures_of(listing: Listing, root: Path, what: str) -> Pictures:
    """The files of a listing, read when needed."""
    del root
    paths = listing.paths
    step = max(1, len(paths) // SAMPLE)
    return Pictures(what=what, count=len(paths), sample=_pictures(paths[::step]), batches=_batches(paths), files=paths)


def _batches(paths: Sequence[str]) -> Callable[[], Iterator[Sequence[Picture]]]:
    return lambda: (_pictures(paths[start : start + BATCH]) for start in range(0, len(paths), BATCH))


def _pictures(paths: Sequence[str]) -> list[Picture]:
    return [Picture(shown_path(path), path) for path in paths]


def existing_folder(path: Path, request: Request) -> Path:
    """The path, where it is a folder.

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
    """Names of the folders in a folder, sorted, hidden ones left out."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def class_folders(folder: Path) -> list[str]:
    """Names of the class folders in the folder of a split, sorted as text.

    Raises:
        UserError: A link to nothing, and for a name that is not UTF-8: it is written into rows and sets.
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
    """Class names in the order of their labels: by value where all are numbers, else as text."""
    if all(re.fullmatch(r"[0-9]+", name) for name in names):
        return sorted(names, key=lambda name: (int(name) if len(name) < 4000 else 0, name))
    return sorted(names)


def image_files(folder: Path) -> list[str]:
    """The paths of the image files directly in a folder, sorted by name.

    Raises:
        UserError: One that is a link to nothing, a pipe or a device.
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
    """All images of these folders with their labels.

    Raises:
        UserError: There is none.
    """
    paths: list[str] = []
    labels: list[int] = []
    for folder, label in folders:
        found = image_files(folder)
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise UserError(
            f"there are no images in {shown_path(what)}",
            f"looked for {', '.join(SUFFIXES)} in the folders of its classes",
            fix=f"put them in {shown_path(what)}/<class>/",
        )
    return Listing(paths, torch.tensor(labels))


def _part(folder: Path, classes: Sequence[str], role: Role, root: Path) -> SplitPart[Listing]:
    """One split. That of a test or validation split without class folders is empty: its images have no labels."""
    name, context = f"{folder.relative_to(root)}/", shown_path(folder)
    present = class_folders(folder)
    if role != "train" and (not present or (len(present) == 1 and present[0].lower() in UNLABELLED)):
        flat = [folder, *(folder / name for name in present if name not in classes)]
        if not set(present) & set(classes) and any(image_files(each) for each in flat):
            return SplitPart(Listing([], torch.zeros(0, dtype=torch.int64)), name, context)
    if strange := sorted(set(present) - set(classes)):
        raise UserError(
            f"{context} has classes that {shown_path(root)}/train lacks",
            f"such as  {strange[0]}",
            fix="give train and test the same class folders",
        )
    listing = list_classes([(folder / name, label) for label, name in enumerate(classes) if name in present], context)
    counts = torch.bincount(listing.labels, minlength=len(classes))
    for label, name_of_class in enumerate(classes):
        if name_of_class in present and not counts[label]:
            raise _empty_class(folder / name_of_class)
    return SplitPart(listing, name, context)


def _empty_class(folder: Path) -> UserError:
    inner = subfolders(folder)
    return UserError(
        f"the class folder {shown_path(folder)} has no images",
        f"looked for {', '.join(SUFFIXES)} directly in it",
        f"its own folders are not read: {', '.join(map(shown_path, inner[:3]))}" if inner else "",
        fix="put images in it, or remove it from every split",
    )


def _no_train(root: Path, roles: dict[Role, str], others: Sequence[str], request: Request) -> UserError:
    shown = shown_path(root)
    fix = f"put the training images in {shown}/train/<class>/, one folder a class"
    if role_of(root.name) is not None and not roles:
        fix = f"give the folder above it:  folder:{shown_path(root.parent)}"
    elif others and not roles:
        fix = f"move its class folders ({', '.join(map(shown_path, others[:3]))} ...) into {shown}/train/"
    return UserError(f"there is no folder {shown}/train", request.origin, fix=fix)


def listing_chosen(
    train: Listing, test: Listing, root: Path, *, train_name: str = "train/", test_name: str = "val/"
) -> Chosen[Listing]:
    """The splits of a set whose layout is fixed."""
    made = SplitPart(train, train_name, shown_path(root / train_name.rstrip("/")))
    return Chosen(
        made,
        None,
        replace(made, images=test, name=test_name, context=shown_path(root / test_name.rstrip("/"))),
        False,
        (),
    )
