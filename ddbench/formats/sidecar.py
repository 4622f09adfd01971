"""Sidecar files that ddbench writes beside the pictures of a set, read again and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.training.losses import LabelKind


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """Facts of a set's document that an import goes by."""

    label_kind: LabelKind
    """Kind of the labels."""
    student_lr: float | None
    """Learned rate; None where none was learned."""
    formation: int
    """Crops a side into which an image decodes."""
    method: str
    """Method that made the set."""
    network: str
    """Network that it was distilled with."""
    images: int
    """Number of pictures."""
    epoch_labels: Mapping[str, Any] | None
    """Description of the labels of each epoch; None where the set has none."""
    notes: tuple[str, ...]
    """What a user must know of the set, a sentence each."""


def read_sidecar(document: Any, where: str, real: RealSet) -> Sidecar:
    """Check a document of ``export_document``.

    Args:
        document: JSON, as it was read.
        where: What to call it in messages.
        real: The real data.

    Returns:
        Its facts.

    Raises:
        UserError: The document is not whole, or of other classes than the real set's.
    """
    try:
        names = tuple(str(name) for name in document["class_names"])
        lr = document["student_lr"]
        made_for = str(document["preprocessing"]["kind"]), str(document["preprocessing"]["fingerprint"])
        sidecar = Sidecar(
            label_kind=_kind(document["label_kind"]),
            student_lr=None if lr is None else float(lr),
            formation=_whole(document["formation"]),
            method=str(document["method"]),
            network=str(document["network"]),
            images=_whole(document["images"]),
            epoch_labels=document.get("epoch_labels"),
            notes=_notes(document, made_for, real),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{where} is not what ddbench wrote: {type(error).__name__} {error}",
            fix="export the set again, or import the pictures alone with --format image-folder",
        ) from None
    if names != real.class_names:
        differ = [
            f"{theirs!r} where {ours!r} is"
            for theirs, ours in zip(names, real.class_names, strict=False)
            if theirs != ours
        ]
        raise UserError(
            f"{where} is of other classes than {real.name}",
            f"found {len(names)} classes; {real.name} has {real.classes}",
            f"such as {differ[0]}" if differ else "",
            fix="check --dataset",
        )
    return sidecar


def _notes(document: Mapping[str, Any], made_for: tuple[str, str], real: RealSet) -> tuple[str, ...]:
    notes = [f"made by {document['method']} on {document['dataset']} with {document['network']}"]
    if made_for[1] != real.preprocessing.fingerprint:
        notes.append(f"made for other preprocessing ({made_for[0]} {made_for[1]})")
    return tuple(notes)


def _kind(value: Any) -> LabelKind:
    if value not in get_args(LabelKind):
        raise ValueError(f"no kind of label is called {value!r}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is no count")
    return value
