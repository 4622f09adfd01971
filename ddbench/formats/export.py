"""Synthetic sets for other programs: the table of formats that can be written, and what is said of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ddbench.registry import Registry
from ddbench.runtime.home import home_folder
from ddbench.synthetic.synthetic_set import SyntheticSet


@dataclass(frozen=True, kw_only=True)
class Exported:
    """Files that an export wrote."""

    files: tuple[Path, ...]
    """The files, or the folder."""
    notes: tuple[str, ...] = ()
    """What the format holds otherwise than the set does, or not at all."""


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """A format to write."""

    name: str
    """Name of the format."""
    title: str
    """The format in one line."""
    write: Callable[[SyntheticSet, Path, Path], Exported]
    """``write(syn, out, home)`` writes the files; ``home`` is the folder of cached whitenings."""


EXPORTS: Registry[Exporter] = Registry(
    "format",
    {
        "native": "ddbench.formats.export_native:NATIVE",
        "pt": "ddbench.formats.export_pt:PT",
        "ddranking": "ddbench.formats.export_ddranking:DDRANKING",
        "png": "ddbench.formats.export_png:PNG",
        "parquet": "ddbench.formats.export_parquet:PARQUET",
    },
    group="ddbench.exports",
)


def export_set(syn: SyntheticSet, out: str | Path, format: str, home: str | Path | None = None) -> Exported:
    """Write a synthetic set in a format of :data:`EXPORTS`.

    Args:
        syn: The set.
        out: File or folder to write, which must not exist.
        format: A name of :data:`EXPORTS`.
        home: Folder of the whitening of a ZCA set, for formats that hold pixels; None takes the default home.

    Returns:
        The files, and notes on what they do not hold.

    Raises:
        UserError: The format is unknown, something exists at ``out``, or the format can not hold the set.
    """
    return EXPORTS.get(format).write(syn.to("cpu"), Path(out).expanduser(), home_folder(home))


def not_exported(syn: SyntheticSet, *kept: str) -> tuple[str, ...]:
    """Note the parts of a set that a format does not hold.

    Args:
        syn: The set.
        kept: Parts that it holds, of "student_lr", "warm_images", "epoch_labels", "provenance".

    Returns:
        A sentence for each other part that the set has.
    """
    lr = syn.student_lr
    parts = {
        "student_lr": None if lr is None else f"the learned rate {lr.item():.6g}",
        "warm_images": None if syn.warm_images is None else "the images that networks are warmed up on",
        "epoch_labels": None if syn.epoch_labels is None else "the labels of each epoch",
        "provenance": "where the set comes from (recipe, seconds, hashes)" if syn.provenance else None,
    }
    return tuple(f"not in these files: {what}" for part, what in parts.items() if what and part not in kept)


def taken_apart(syn: SyntheticSet) -> tuple[SyntheticSet, tuple[str, ...]]:
    """Decode the set for readers that know nothing of mosaics.

    Args:
        syn: The set.

    Returns:
        The set as it is trained on, and a note where that changed it.
    """
    if syn.formation == 1:
        return syn, ()
    whole = syn.decoded()
    note = f"the {len(syn)} mosaics of {syn.formation} x {syn.formation} were taken apart: {len(whole)} images"
    return whole, (note,)


def as_logits(syn: SyntheticSet) -> tuple[Tensor, tuple[str, ...]]:
    """Turn soft labels into logits, for a reader that takes their softmax.

    Args:
        syn: A set with soft labels.

    Returns:
        (S, classes), float32, and a note where they were changed.
    """
    if syn.label_kind == "logits":
        return syn.labels.float(), ()
    labels = syn.labels.float()
    logs = labels.clamp(min=torch.finfo(torch.float32).tiny).log()
    sums = labels.sum(1)
    if bool((sums - 1).abs().max() > 1e-3):
        lost = f"the labels add up to {sums.min():.3g} to {sums.max():.3g} an image, which the format can not say"
        return logs, (f"{lost}: their logarithms are written, whose softmax adds up to 1",)
    return logs, ("the labels are probabilities: their logarithms are written, whose softmax they are",)
