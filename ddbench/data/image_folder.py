"""``folder:PATH``: one folder a class, as image classification sets are usually stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from ddbench.data.assemble import LabeledPictures, assemble
from ddbench.data.constants import Constants
from ddbench.data.decode import Pictures
from ddbench.data.folder_listing import (
    SUFFIXES,
    Listing,
    class_folders,
    existing_folder,
    image_files,
    in_order,
    list_classes,
    subfolders,
)
from ddbench.data.parts import Chosen, SplitPart, choose
from ddbench.data.pixels import Form, Picture
from ddbench.data.rawdata import RawData, Request
from ddbench.data.split_names import NAMES, Role, role_of, roles_of
from ddbench.errors import UserError
from ddbench.files.regular_file import shown_path

UNLABELLED = ("images", "unknown", "unlabeled", "unlabelled")
"""Folders that stand where class folders are in a split without labels."""
SAMPLE, BATCH = 64, 512


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
    """Check all listings, then decode their images through the cache.

    Args:
        class_names: Of the labels 0, 1, ...
        chosen: The splits.
        root: Folder of the set, for messages.
        request: Of the recipe.
        known: The known name under which the set is loaded; "" for none.
        instead: How the same data can be used under a name of its own.
        constants: Mean and std by channel; None to compute them.
        form: Of every image; None to derive it from the training images.
        notes: What the source has to say.

    Returns:
        The set, its images memory-mapped.

    Raises:
        UserError: As in :func:`ddbench.data.assemble.assemble`.
    """

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
    """Make pictures of the files of a listing; they are read when needed.

    Args:
        listing: Files and labels.
        root: Folder of the set.
        what: How to call them in messages.

    Returns:
        The pictures, in the order of the listing.
    """
    del root
    paths = listing.paths
    step = max(1, len(paths) // SAMPLE)
    return Pictures(what=what, count=len(paths), sample=_pictures(paths[::step]), batches=_batches(paths), files=paths)


def _batches(paths: Sequence[str]) -> Callable[[], Iterator[Sequence[Picture]]]:
    return lambda: (_pictures(paths[start : start + BATCH]) for start in range(0, len(paths), BATCH))


def _pictures(paths: Sequence[str]) -> list[Picture]:
    return [Picture(shown_path(path), path) for path in paths]


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
