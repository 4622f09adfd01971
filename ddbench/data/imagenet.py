"""ImageNet and its ten-class subsets, from an ImageNet folder with ``train/<wnid>`` and ``val/<wnid>``."""

from __future__ import annotations

from pathlib import Path

from ddbench.data import constants
from ddbench.data.folder_listing import Listing, list_classes, listing_chosen
from ddbench.data.image_folder import decode_listings
from ddbench.data.pixels import Form
from ddbench.data.rawdata import RawData, Request
from ddbench.errors import UserError
from ddbench.files.regular_file import shown_path

# ImageNet class ids, 0 to 999 in the order of the sorted wnids; a class's place in the list is its label. Source: MTT.
SUBSETS = {
    "imagenette": (0, 217, 482, 491, 497, 566, 569, 571, 574, 701),
    "imagewoof": (193, 182, 258, 162, 155, 167, 159, 273, 207, 229),
    "imagemeow": (281, 282, 283, 284, 285, 291, 292, 290, 289, 287),
    "imagesquawk": (84, 130, 88, 144, 145, 22, 96, 9, 100, 89),
    "imagefruit": (953, 954, 949, 950, 951, 957, 952, 945, 943, 948),
    "imageyellow": (309, 986, 954, 951, 987, 779, 599, 291, 72, 11),
}
SUBSET_SIZE, IMAGENET_SIZE = 128, 64


def load(request: Request) -> RawData:
    """Load ``imagenet`` at 64 pixels or a subset at 128 unless a size is given; the val folder is the test set.

    Images are squashed to squares as in the reference (a resize to (s, s), bilinear; ours is antialiased). A subset
    needs only its own ten class folders. The published constants are of images as they are stored, so that EXIF
    orientation is not applied.

    Args:
        request: ``what`` is "imagenet" or the name of a subset.

    Returns:
        The set, its images memory-mapped.

    Raises:
        UserError: Folders are missing (they are named), or there are other counts of images.
    """
    chosen = SUBSETS.get(request.what, tuple(range(1000)))
    wnids, class_names = _known_classes()
    root = _root(request, wnids[chosen[0]])
    train, test = (
        _listing(root / part, [wnids[identity] for identity in chosen], request) for part in ("train", "val")
    )
    size = request.size or (SUBSET_SIZE if request.what in SUBSETS else IMAGENET_SIZE)
    return decode_listings(
        tuple(class_names[identity] for identity in chosen),
        listing_chosen(train, test, root),
        root,
        request,
        known=request.what,
        instead=f"folder:{shown_path(root)}",
        constants=constants.IMAGENET,
        form=Form(channels=3, size=size, resize=True, upright=False),
    )


def _known_classes() -> tuple[list[str], list[str]]:
    from timm.data.imagenet_info import ImageNetInfo

    known = ImageNetInfo()
    wnids = known.label_names()
    return wnids, [known.label_name_to_description(wnid, detailed=False).split(",")[0] for wnid in wnids]


def _root(request: Request, wnid: str) -> Path:
    locations = [request.data_root / "imagenet", request.data_root / request.what, request.data_root]
    for context in locations:
        if (context / "train" / wnid).is_dir():
            return context
    raise UserError(
        f"{request.what} is not under the data root",
        request.origin,
        f"expected {locations[0] / 'train' / wnid}/*.JPEG and {locations[0] / 'val' / wnid}/*.JPEG",
        fix="ImageNet cannot be downloaded freely: get it from image-net.org, unpack it there, sort the validation "
        "images into class folders, or give the folder that has train/ and val/ with --data-root",
    )


def _listing(part: Path, wnids: list[str], request: Request) -> Listing:
    folders = [part / wnid for wnid in wnids]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise UserError(
            f"{len(missing)} of the {len(folders)} class folders of {request.what} are missing",
            request.origin,
            f"such as  {missing[0]}",
            fix=f"put one folder a class (its wnid) in {missing[0].parent}, sorted validation images too; or, for "
            f"classes of your own choice, use them as they are:  folder:{shown_path(part.parent)}",
        )
    return list_classes([(folder, label) for label, folder in enumerate(folders)], str(part))
