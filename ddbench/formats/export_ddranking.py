"""Export for the DD-Ranking package: ``images.pt``, ``labels.pt``, ``lr.pt``, a configuration and how to use them.

Source: NUS-HPC-AI-Lab/DD-Ranking 0.2.0, its demo scripts and ``ddranking/utils/data.py``. Images are sorted by class
and standardized as its own test images are; soft labels are logits.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
import yaml

from ddbench.artifact import replacing
from ddbench.data.constants import CIFAR10, IMAGENET, Constants
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.whitening_cache import load_preprocessing
from ddbench.formats.ddranking_settings import DATASETS, guide, model_name, settings
from ddbench.formats.export import Exported, Exporter, as_logits, not_exported, taken_apart
from ddbench.formats.export_folder import whole_folder
from ddbench.formats.export_pt import save_tensor
from ddbench.synthetic.synthetic_set import SyntheticSet


def write(syn: SyntheticSet, out: Path, home: Path) -> Exported:
    """Write the tensors, ``config.yaml`` and ``README.md``; there is no lr.pt where no rate was learned, and DD-Ranking
    searches one.

    Args:
        syn: The set, on the CPU.
        out: Folder to write.
        home: Folder of cached whitenings.

    Returns:
        The files, and notes on what they hold otherwise or not at all.

    Raises:
        UserError: Something lies at ``out`` already.
    """
    seen, notes = taken_apart(syn)
    seen = _sorted_by_class(seen)
    seen, moved = _as_theirs(seen, home)
    labels, changed = (seen.labels, ()) if seen.label_kind == "hard" else as_logits(seen)
    tensors = {"images.pt": seen.images.float(), "labels.pt": labels}
    if seen.student_lr is not None:
        tensors["lr.pt"] = seen.student_lr.float()
    texts = {"config.yaml": yaml.safe_dump(settings(seen), sort_keys=False), "README.md": guide(seen)}
    with whole_folder(out) as folder:
        for name, tensor in tensors.items():
            save_tensor(folder / name, tensor)
        for name, text in texts.items():
            with replacing(folder / name) as part:
                part.write_text(text)
    all_notes = (*notes, *moved, *changed, *_unknown_there(seen), *not_exported(syn, "student_lr"))
    return Exported(files=tuple(out / name for name in (*tensors, *texts)), notes=all_notes)


def _sorted_by_class(syn: SyntheticSet) -> SyntheticSet:
    order = syn.made_for().argsort(stable=True)
    return replace(syn, images=syn.images[order], labels=syn.labels[order], warm_images=None, epoch_labels=None)


def _as_theirs(syn: SyntheticSet, home: Path) -> tuple[SyntheticSet, tuple[str, ...]]:
    """The set standardized with the constants that DD-Ranking gives its test images, where it knows the data set."""
    constants = _constants(syn)
    if constants is None or len(constants[0]) != syn.images.shape[1] or syn.preprocessing["kind"] == "zca":
        return syn, ()
    theirs = Preprocessing.meanstd(*constants)
    if theirs.fingerprint == syn.preprocessing["fingerprint"]:
        return syn, ()
    images = theirs.forward(load_preprocessing(syn.preprocessing, home).inverse(syn.images.float()))
    note = "the images were standardized anew, with the mean and std that DD-Ranking gives its test images"
    return replace(syn, images=images, preprocessing=theirs.describe()), (note,)


def _constants(syn: SyntheticSet) -> Constants | None:
    known = DATASETS.get(syn.dataset)
    return None if known is None else CIFAR10 if known.startswith("CIFAR") else IMAGENET


def _unknown_there(syn: SyntheticSet) -> tuple[str, ...]:
    notes = []
    if syn.dataset not in DATASETS:
        notes.append(f"DD-Ranking has no data set {syn.dataset}: its test images must be read as this set's were")
    if syn.dataset == "cifar10-jpeg":
        notes.append("DD-Ranking tests on CIFAR-10 itself, not on the JPEG pictures that this set was made from")
    if model_name(syn.network) is None:
        notes.append(f"DD-Ranking has no network {syn.network}: config.yaml names none")
    if int(torch.bincount(syn.made_for(), minlength=syn.classes).unique().numel()) > 1:
        notes.append(
            "its classes differ in size, and DD-Ranking takes them for equal: its random baseline will not fit"
        )
    return tuple(notes)


DDRANKING = Exporter(
    name="ddranking", title="images.pt, labels.pt, lr.pt and a configuration for DD-Ranking", write=write
)
