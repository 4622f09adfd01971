"""``images_best.pt``, ``labels_best.pt`` and ``lr_best.pt``, as MTT and DATM save and read them.

Source: DATM's released ``DATM.py`` writes the three; MTT's ``distill.py`` the first two. Both keep images in the space
that networks see; MTT's labels are int64, DATM's are logits of which it takes the softmax.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ddbench.artifact import replacing
from ddbench.formats.export import Exported, Exporter, as_logits, not_exported, taken_apart
from ddbench.formats.export_folder import whole_folder
from ddbench.synthetic.synthetic_set import SyntheticSet

IMAGES, LABELS, LR = "images_best.pt", "labels_best.pt", "lr_best.pt"


def write(syn: SyntheticSet, out: Path, home: Path) -> Exported:
    """Write the three files in a folder. There is no lr_best.pt where no rate was learned.

    Args:
        syn: The set, on the CPU.
        out: Folder to write.
        home: Folder of cached whitenings.

    Returns:
        The files, and notes on what they hold otherwise or not at all.

    Raises:
        UserError: Something lies at ``out`` already.
    """
    del home
    seen, notes = taken_apart(syn)
    labels, changed = (seen.labels, ()) if seen.label_kind == "hard" else as_logits(seen)
    tensors = {IMAGES: seen.images.float(), LABELS: labels}
    if seen.student_lr is not None:
        tensors[LR] = seen.student_lr.float()
    with whole_folder(out) as folder:
        for name, tensor in tensors.items():
            save_tensor(folder / name, tensor)
    all_notes = (_space(syn), *notes, *changed, *_of_labels(syn), *_of_rate(syn), *not_exported(syn, "student_lr"))
    return Exported(files=tuple(out / name for name in tensors), notes=all_notes)


def save_tensor(path: Path, tensor: Tensor) -> None:
    """Write one plain tensor with ``torch.save``, atomically; ``torch.load(weights_only=True)`` reads it.

    Args:
        path: The file.
        tensor: On any device.
    """
    with replacing(path) as part:
        torch.save(tensor.detach().cpu().contiguous().clone(), part)


def _space(syn: SyntheticSet) -> str:
    about = syn.preprocessing
    if about["kind"] == "kip":
        return "the images are whitened as KIP's are: the other program must do the same to its real images"
    if about["kind"] == "zca":
        return "the images are whitened: run the other program with --zca, fitted on the same training images"
    if about["kind"] == "meanstd":
        mean, std = (", ".join(f"{value:g}" for value in about[key]) for key in ("mean", "std"))
        return f"the images are standardized with mean ({mean}) and std ({std}): use the same there"
    return "the images are in [0, 1], not standardized: undo the other program's normalization"


def _of_labels(syn: SyntheticSet) -> tuple[str, ...]:
    if syn.label_kind == "hard":
        return ("DATM takes the softmax of its labels; these are classes, as MTT has them",)
    if syn.label_kind == "probabilities":
        return ("TESLA reads probabilities: give it labels.exp()",)
    return ()


def _of_rate(syn: SyntheticSet) -> tuple[str, ...]:
    if syn.student_lr is None:
        return (f"no rate was learned, so there is no {LR}; DATM needs one",)
    return (f"MTT reads no {LR}: give it the rate {syn.student_lr.item():.6g} yourself",)


PT = Exporter(
    name="pt",
    title="images_best.pt, labels_best.pt and lr_best.pt of MTT and DATM, in the space of networks",
    write=write,
)
