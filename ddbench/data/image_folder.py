"""``folder:PATH``: one folder a class, as image classification sets are usually stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data.constants import Constants
from ddbench.data.decode import Form, Picture, Pictures, common_form, decoded
from ddbench.data.rawdata import RawData, Request
from ddbench.data.realset import Split
from ddbench.data.split import stratified_holdout
from ddbench.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff", ".gif")
TEST_SEED = 20220322  # fixed for good: without a test folder, the same fifth of train is the test set in every run
SAMPLE, BATCH = 64, 512


@dataclass(frozen=True, eq=False)
class Listing:
    """Image files and their labels (n,), in the order they are read. Paths are plain text: there may be millions."""

    paths: list[str]
    labels: Tensor

    def rows(self, rows: Tensor) -> Listing:
        return Listing([self.paths[row] for row in rows.tolist()], self.labels[rows])


def load(request: Request) -> RawData:
    """``PATH/train/<class>/*`` with ``PATH/test/<class>/*`` (or ``val``); class names are the sorted folder names.

    Without a test folder, a fifth of each class of train is the test set, always the same one. Images keep their size
    if all have the same; else a size must be given, to which they are squashed. Errors: UserError for missing folders,
    classes of test that train lacks, and unreadable images.
    """
    root = Path(request.what).expanduser()
    if not (root / "train").is_dir():
        raise UserError(
            f"there is no folder {root / 'train'}",
            request.origin,
            fix=f"put the training images in {root / 'train'}/<class>/, one folder a class",
        )
    classes = subfolders(root / "train")
    train = list_classes([(root / "train" / name, label) for label, name in enumerate(classes)], str(root / "train"))
    held = next((root / name for name in ("test", "val") if (root / name).is_dir()), None)
    if held is None:
        kept, fifth = stratified_holdout(train.labels, len(train.labels) // 5, TEST_SEED)
        train, test = train.rows(kept), train.rows(fifth)
    else:
        if strange := sorted(set(subfolders(held)) - set(classes)):
            raise UserError(
                f"{held} has classes that {root / 'train'} lacks",
                f"such as  {strange[0]}",
                fix="give train and test the same class folders",
            )
        test = list_classes(
            [(held / name, label) for label, name in enumerate(classes) if (held / name).is_dir()], str(held)
        )
    return decode_listings(tuple(classes), train, test, root, request)


def decode_listings(
    class_names: tuple[str, ...],
    train: Listing,
    test: Listing,
    root: Path,
    request: Request,
    *,
    constants: Constants | None = None,
    form: Form | None = None,
) -> RawData:
    """Both listings through the cache of decoded images; train decides the form where none is given."""
    pictures = [
        pictures_of(listing, root, f"{root.name} ({part})") for listing, part in ((train, "train"), (test, "test"))
    ]
    form = form or common_form(pictures[0], request.size)
    train_images, test_images = (decoded(each, form, request.home, request.quiet) for each in pictures)
    return RawData(
        class_names=class_names,
        train=Split(train_images.images, train.labels),
        test=Split(test_images.images, test.labels),
        constants=constants,
        train_sha256=train_images.sha256,
        test_sha256=test_images.sha256,
    )


def pictures_of(listing: Listing, root: Path, what: str) -> Pictures:
    """The files of a listing; their names below ``root``, sizes and times of change stand for their content."""
    paths = listing.paths
    above = len(str(root)) + 1
    states = hashlib.sha256()
    for path in paths:
        state = os.stat(path)
        name = path[above:].replace(os.sep, "/")
        states.update(f"{state.st_size} {state.st_mtime_ns} {name}\0".encode(errors="surrogateescape"))
    step = max(1, len(paths) // SAMPLE)
    return Pictures(
        what=what,
        count=len(paths),
        stamp=states.hexdigest(),
        sample=_pictures(paths[::step]),
        batches=_batches(paths),
    )


def _batches(paths: Sequence[str]) -> Callable[[], Iterator[Sequence[Picture]]]:
    return lambda: (_pictures(paths[start : start + BATCH]) for start in range(0, len(paths), BATCH))


def _pictures(paths: Sequence[str]) -> list[Picture]:
    return [Picture(path, Path(path)) for path in paths]


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted, hidden ones left out."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def image_files(folder: Path) -> list[str]:
    """The paths of the image files directly in a folder, sorted by name."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.name.lower().endswith(SUFFIXES) and not e.name.startswith("."))
    return [os.path.join(folder, name) for name in names]


def list_classes(folders: Sequence[tuple[Path, int]], what: str) -> Listing:
    """All images of these folders with their labels. Errors: UserError when there is none."""
    paths: list[str] = []
    labels: list[int] = []
    for folder, label in folders:
        found = image_files(folder)
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise UserError(
            f"there are no images in {what}",
            f"looked for {', '.join(SUFFIXES)} in the folders of its classes",
            fix=f"put them in {what}/<class>/",
        )
    return Listing(paths, torch.tensor(labels))
