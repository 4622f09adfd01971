"""All of a synthetic set that is no image and no label, as one JSON document to lie beside pictures of it."""

from __future__ import annotations

from typing import Any

from ddbench.synthetic.synthetic_set import SyntheticSet

KEYS = ("label_kind", "ipc", "dataset", "network", "preprocessing", "method", "formation", "provenance")


def document_of(syn: SyntheticSet) -> dict[str, Any]:
    """Describe everything that a reader of the pictures needs to make the same set again, or to know what it lacks.

    Args:
        syn: The set.

    Returns:
        JSON.
    """
    return {
        **{key: getattr(syn, key) for key in KEYS},
        "class_names": list(syn.class_names),
        "student_lr": None if syn.student_lr is None else syn.student_lr.item(),
        "epoch_labels": None if syn.epoch_labels is None else syn.epoch_labels.document(),
        "images": len(syn),
        "channels": syn.images.shape[1],
    }
