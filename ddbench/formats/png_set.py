"""A set that ``ddbench export --format png`` wrote, with all that lies beside its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ddbench import artifact
from ddbench.data import RealSet
from ddbench.data.folder_listing import image_files, subfolders
from ddbench.data.pixels import Picture
from ddbench.errors import UserError
from ddbench.formats.class_folders import only_path
from ddbench.formats.export_png import DOCUMENT, DOCUMENT_KIND, LABELS, LABELS_KIND
from ddbench.formats.pictures import read_pictures
from ddbench.formats.reader import Facts, Read
from ddbench.formats.sidecar import Sidecar, read_sidecar
from ddbench.formats.tensors import as_labels
from ddbench.synthetic.epoch_labels import EpochLabels, epoch_labels_from

_EPOCH = "epoch_labels."


@dataclass(frozen=True)
class OwnPictures:
    """One folder a class with PNG files, ``labels.safetensors`` and ``set.json``."""

    name: str = "png"
    title: str = "ddbench export --format png: class folders, labels.safetensors, set.json"
    source: str = "ddbench"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read pictures in the order of the set, labels and facts.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: One is missing or damaged.
        """
        only_path(facts)
        document = _document(path)
        sidecar = read_sidecar(document, str(path / DOCUMENT), real)
        tensors, _ = artifact.load(path / LABELS, LABELS_KIND)
        files = _in_order(path, sidecar)
        labels = as_labels(tensors.get("labels"), path / LABELS)
        if (labels.ndim == 1) != (sidecar.label_kind == "hard"):
            raise UserError(f"{path / LABELS} does not hold {sidecar.label_kind} labels", fix="export the set again")
        return Read(
            images=read_pictures((Picture(str(file), file) for file in files), len(files), real),
            labels=labels,
            label_kind=sidecar.label_kind,
            student_lr=sidecar.student_lr,
            lr_known=True,
            space="pixels",
            formation=sidecar.formation,
            epoch_labels=_epoch_labels(tensors, sidecar.epoch_labels, path / LABELS),
            method=sidecar.method,
            network=sidecar.network,
            files=(*files, path / LABELS, path / DOCUMENT),
            notes=sidecar.notes,
            labels_named=True,
        )


def _document(root: Path) -> Any:
    if not root.is_dir():
        raise UserError(f"there is no folder {root}", fix="give the folder that ddbench export --format png wrote")
    try:
        return artifact.read_json(root / DOCUMENT, DOCUMENT_KIND)
    except RecursionError:
        raise UserError(
            f"{root / DOCUMENT} is nested too deeply to be what ddbench wrote", fix="export again"
        ) from None


def _in_order(root: Path, sidecar: Sidecar) -> list[Path]:
    """The pictures by their numbers.

    Raises:
        UserError: Unless these are 0, 1, ... of as many as there should be.
    """
    pictures = [Path(file) for name in subfolders(root) for file in image_files(root / name)]
    by_number = {int(file.stem): file for file in pictures if file.stem.isdecimal() and file.stem.isascii()}
    if not len(by_number) == len(pictures) == sidecar.images or max(by_number) != sidecar.images - 1:
        raise UserError(
            f"{root} has {len(pictures)} pictures, not those of positions 0 to {sidecar.images - 1}",
            fix="export the set again, or import what is left with --format image-folder",
        )
    return [by_number[position] for position in range(sidecar.images)]


def _epoch_labels(tensors: Mapping[str, Tensor], document: Any, path: Path) -> EpochLabels | None:
    if document is None:
        return None
    stored = {name.removeprefix(_EPOCH): tensor for name, tensor in tensors.items() if name.startswith(_EPOCH)}
    try:
        return epoch_labels_from(stored, document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(
            f"the labels of each epoch in {path} are not whole: {error}", fix="export the set again"
        ) from None


PNG = OwnPictures()
