"""Tiny-ImageNet in its official layout: 200 classes, 64 x 64 pixels, ``val`` as the test set."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ddbench.data import constants
from ddbench.data.folder_listing import Listing, class_folders, image_files, list_classes, listing_chosen, subfolders
from ddbench.data.image_folder import decode_listings
from ddbench.data.pixels import Form
from ddbench.data.rawdata import RawData, Request
from ddbench.errors import UserError

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"


def load(request: Request) -> RawData:
    """Load ``train/<wnid>/images/*.JPEG`` and ``val/val_annotations.txt`` with ``val/images/*.JPEG``.

    A val folder that was sorted into ``val/<wnid>/`` or ``val/images/<wnid>/`` is read as well. Labels follow the
    sorted wnids. EXIF orientation is not applied.

    Args:
        request: Its data root and size apply.

    Returns:
        The set, its images memory-mapped.

    Raises:
        UserError: Something is missing (it is named), or there are other counts.
    """
    locations = [request.data_root / "tiny-imagenet-200", request.data_root / "tiny-imagenet", request.data_root]
    root = next((context for context in locations if (context / "train").is_dir() and (context / "val").is_dir()), None)
    if root is None:
        raise UserError(
            "tiny-imagenet is not under the data root",
            request.origin,
            f"expected {locations[0]} with train/<wnid>/images/*.JPEG, val/images/*.JPEG and val/val_annotations.txt",
            fix=f"download {URL} and unpack it there, or give the folder that has it with --data-root",
        )
    wnids = class_folders(root / "train")
    train = list_classes([(_images_of(root / "train" / wnid), i) for i, wnid in enumerate(wnids)], str(root / "train"))
    names = _names(root / "words.txt")
    return decode_listings(
        tuple(names.get(wnid, wnid) for wnid in wnids),
        listing_chosen(train, _validation(root / "val", wnids), root),
        root,
        request,
        known="tiny-imagenet",
        instead="folder:PATH, with train/<class>/ and test/<class>/",
        constants=constants.IMAGENET,
        form=Form(channels=3, size=request.size or 64, resize=request.size is not None, upright=False),
    )


def _images_of(folder: Path) -> Path:
    return folder / "images" if (folder / "images").is_dir() else folder


def _validation(folder: Path, wnids: list[str]) -> Listing:
    for sorted_folder in (folder, folder / "images"):
        if sorted_folder.is_dir() and set(wnids) & set(subfolders(sorted_folder)):
            present = [(sorted_folder / wnid, label) for label, wnid in enumerate(wnids)]
            return list_classes([(_images_of(f), i) for f, i in present if f.is_dir()], str(folder))
    annotations = folder / "val_annotations.txt"
    if not annotations.is_file():
        raise UserError(
            f"there is no file {annotations}",
            "it says which class each validation image is of",
            fix=f"unpack {URL} again, or sort the images into {folder}/<wnid>/",
        )
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    wnid_of = dict(
        line.split("\t")[:2] for line in annotations.read_text(errors="replace").splitlines() if "\t" in line
    )
    paths = [path for path in image_files(folder / "images") if wnid_of.get(os.path.basename(path)) in label_of]
    if not paths:
        raise UserError(
            f"no image in {folder / 'images'} has a known class in {annotations.name}", fix=f"unpack {URL} again"
        )
    return Listing(paths, torch.tensor([label_of[wnid_of[os.path.basename(path)]] for path in paths]))


def _names(words: Path) -> dict[str, str]:
    if not words.is_file():
        return {}
    pairs = (line.split("\t", 1) for line in words.read_text(errors="replace").splitlines() if "\t" in line)
    return {wnid: name.split(",")[0] for wnid, name in pairs}
