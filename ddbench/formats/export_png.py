"""One folder a class with PNG files, as every image viewer and ``torchvision.datasets.ImageFolder`` read them."""

from __future__ import annotations

import re
from pathlib import Path

from ddbench import artifact
from ddbench.formats.export import Exported, Exporter, not_exported
from ddbench.formats.export_document import document_of
from ddbench.formats.export_folder import whole_folder
from ddbench.formats.export_pixels import eight_bit, png
from ddbench.synthetic.synthetic_set import SyntheticSet

DOCUMENT, LABELS = "set.json", "labels.safetensors"
DOCUMENT_KIND, LABELS_KIND = "pictures of a synthetic set", "labels of a synthetic set"


def write(syn: SyntheticSet, out: Path, home: Path) -> Exported:
    """Write ``out/<number>_<class>/<position>.png``, ``labels.safetensors`` and ``set.json`` with everything else.

    The number of a class folder makes sorting by name give the classes in their order; the position is the image's in
    the set. labels.safetensors also holds the labels of each epoch, where there are any.

    Args:
        syn: The set, on the CPU.
        out: Folder to write.
        home: Folder of cached whitenings.

    Returns:
        The files, and notes on what they hold otherwise or not at all.

    Raises:
        UserError: Something lies at ``out`` already, or the images are no pictures.
    """
    pixels, notes = eight_bit(syn, home)
    width = max(5, len(str(len(syn))))
    stored = {} if syn.epoch_labels is None else syn.epoch_labels.tensors()
    with whole_folder(out) as folder:
        for position, (image, label) in enumerate(zip(pixels, syn.made_for().tolist(), strict=True)):
            file = folder / folder_name(label, syn.class_names) / f"{position:0{width}d}.png"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(png(image))
        tensors = {"labels": syn.labels, **{f"epoch_labels.{name}": tensor for name, tensor in stored.items()}}
        digest = artifact.save(folder / LABELS, LABELS_KIND, tensors, {"label_kind": syn.label_kind})
        artifact.write_json(
            folder / DOCUMENT, {**document_of(syn), "kind": DOCUMENT_KIND, "schema": 1, "labels_sha256": digest}
        )
    missing = not_exported(syn, "student_lr", "epoch_labels", "provenance")
    mosaics = () if syn.formation == 1 else (f"each picture is a mosaic of {syn.formation} x {syn.formation} images",)
    return Exported(files=(out,), notes=(*notes, *mosaics, *missing))


def folder_name(label: int, class_names: tuple[str, ...]) -> str:
    """Name the folder of a class: its number, so that names sort as classes do, and its name, as far as a path holds
    it.

    Args:
        label: The class.
        class_names: Names of all classes.

    Returns:
        Such as ``003_cat``.
    """
    digits = max(3, len(str(len(class_names) - 1)))
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", class_names[label])[:60].strip("._")
    return f"{label:0{digits}d}_{plain}".rstrip("_")


PNG = Exporter(name="png", title="one folder a class with PNG files, labels and a JSON beside them", write=write)
