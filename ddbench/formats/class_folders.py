"""Classes of folders of images, told by their names, and the order of images within a class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.data.folder_listing import image_files, subfolders
from ddbench.data.imagenet import SUBSETS
from ddbench.errors import UserError
from ddbench.formats.find_files import natural
from ddbench.formats.reader import Facts


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassListing:
    """Images of class folders, class by class."""

    paths: tuple[Path, ...]
    """Files, by number or name within a class."""
    labels: Tensor
    """(n,), int64."""
    listed: Tensor
    """(n,), int64, the row here of each image in the order of ``torchvision``'s ImageFolder, which sorts folders and
    files by their names as text."""
    note: str
    """How the classes were told."""


def list_class_folders(root: Path, real: RealSet) -> ClassListing:
    """List all images in the class folders below a folder.

    Args:
        root: The folder.
        real: The real data, whose classes they are.

    Returns:
        Files and labels, class by class.

    Raises:
        UserError: They are not one folder for each class.
    """
    if not root.is_dir():
        raise UserError(f"there is no folder {root}", fix="give the folder that has one folder a class")
    names = subfolders(root)
    classes, note = classes_by_name(names, real, root)
    images = [
        (label, name, Path(file))
        for name, label in zip(names, classes, strict=True)
        for file in image_files(root / name)
    ]
    if not images:
        raise UserError(f"there are no images in the folders of {root}", fix="check the path")
    images.sort(key=lambda image: (image[0], natural(image[2]), image[2].name))
    by_text = sorted(range(len(images)), key=lambda row: (images[row][1], images[row][2].name))
    return ClassListing(
        paths=tuple(path for _, _, path in images),
        labels=torch.tensor([label for label, _, _ in images]),
        listed=torch.tensor(by_text),
        note=note,
    )


def only_path(facts: Facts) -> None:
    """Refuse more paths than the one folder that is read.

    Args:
        facts: What the user said of the files.

    Raises:
        UserError: Other paths were given as well.
    """
    if facts.others:
        raise UserError(f"one folder is read, and {facts.others[0]} was given beside it", fix="give the folder alone")


def classes_by_name(names: Sequence[str], real: RealSet, root: Path) -> tuple[list[int], str]:
    """Tell the class of each folder by its name.

    By the real set's class names; by the number that names end in, ImageNet's own numbers and wnids for its subsets
    included; else by their order as text, as torchvision does.

    Args:
        names: Names of the folders.
        real: The real data, whose classes they are.
        root: Folder in which they lie, for messages.

    Returns:
        The class of each folder, and how that was told.

    Raises:
        UserError: There are not as many folders as classes, or some of them are called as classes are and others not.
    """
    if len(names) != real.classes:
        raise UserError(
            f"{root} has {len(names)} folders, but {real.name} has {real.classes} classes",
            *(f"such as  {name}" for name in names[:3]),
            fix="check --dataset, and that the path is that of the class folders",
        )
    own = {name: label for label, name in enumerate(real.class_names)}
    if set(names) == set(own):
        return [own[name] for name in names], "classes by the names of the folders"
    if (numbered := _by_number(names, real)) is not None:
        return numbered, "classes by the numbers of the folders"
    if (known := _by_wnid(names, real)) is not None:
        return known, "classes by the wnids of the folders"
    strange = sorted(set(names) - set(own))
    if len(strange) < len(names):
        raise UserError(
            f"some folders of {root} are no class of {real.name}",
            f"such as  {strange[0]}",
            fix="check --dataset, or name all folders as the classes are",
        )
    order = {name: label for label, name in enumerate(strange)}
    note = f"folders taken for classes in the order of their names: {strange[0]!r} for {real.class_names[0]!r}, ..."
    return [order[name] for name in names], note


def _by_number(names: Sequence[str], real: RealSet) -> list[int] | None:
    """Where all names are a common word and a number, and these numbers are the classes: 00000, new000, class_3."""
    matches = [re.fullmatch(r"([^0-9]*)([0-9]{1,9})", name) for name in names]
    if None in matches or len({match[1] for match in matches if match}) != 1:
        return None
    numbers = [int(match[2]) for match in matches if match]
    for known in (range(real.classes), SUBSETS.get(real.name, ())):
        if sorted(numbers) == sorted(known):
            return [known.index(number) for number in numbers]
    return None


def _by_wnid(names: Sequence[str], real: RealSet) -> list[int] | None:
    """Where all names are ImageNet's, such as n01440764, and the real set is ImageNet or a subset of it."""
    if not all(re.fullmatch(r"n[0-9]{8}", name) for name in names):
        return None
    chosen = SUBSETS.get(real.name, range(1000) if real.name == "imagenet" else ())
    if not chosen:
        return None
    from timm.data.imagenet_info import ImageNetInfo

    wnids = ImageNetInfo().label_names()
    order = {wnids[identity]: label for label, identity in enumerate(chosen)}
    return [order[name] for name in names] if set(names) == set(order) else None
