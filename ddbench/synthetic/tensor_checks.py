"""Checks of a set's tensors: against each other, and against the description of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ddbench.data.preprocessing import WHITENED
from ddbench.synthetic.description import ImageSetDescription

if TYPE_CHECKING:
    from ddbench.synthetic.synthetic_set import SyntheticSet


def require_fitting_parts(syn: SyntheticSet) -> None:
    """Refuse a set whose parts do not fit together.

    Args:
        syn: The set.

    Raises:
        ValueError: Counts, shapes or kinds of images and labels contradict each other; says which.
    """
    if (extra := syn.compensation) is not None:
        extra.check_compatible(syn.images, syn.classes)
    if (shown := len(syn) * (1 if extra is None else extra.blocks)) != len(syn.labels):
        raise ValueError(f"{shown} images but {len(syn.labels)} labels")
    if syn.images.dtype == torch.uint8 and syn.preprocessing["kind"] in WHITENED:
        raise ValueError("whitened images are no pixels")
    if (syn.label_kind == "hard") != (syn.labels.ndim == 1):
        raise ValueError(f"{syn.label_kind} labels can not have shape {tuple(syn.labels.shape)}")
    if syn.labels.ndim == 2 and syn.labels.shape[1] != syn.classes:
        raise ValueError(f"its labels are over {syn.labels.shape[1]} classes, but {syn.classes} are named")
    if syn.warm_images is not None and syn.warm_images.shape != syn.images.shape:
        raise ValueError(f"warm_images of shape {tuple(syn.warm_images.shape)} beside {tuple(syn.images.shape)}")
    if not 1 <= syn.formation <= syn.images.shape[-1]:
        raise ValueError(f"images of {syn.images.shape[-1]} pixels can not hold {syn.formation} in a row")
    if (stored := syn.epoch_labels) is not None and (
        bool((stored.order >= len(syn)).any()) or stored.logits.shape[-1] != syn.classes
    ):
        raise ValueError(f"its epoch labels are not of {len(syn)} images and {syn.classes} classes")
    if stored is not None and int(stored.boxes.max()) > syn.images.shape[-1]:
        raise ValueError(f"boxes of its epoch labels leave images of {syn.images.shape[-1]} pixels")


def require_agreement(tensors: dict[str, Tensor], about: ImageSetDescription) -> None:
    """Refuse tensors that are not what the description says of them.

    Args:
        tensors: Tensors of the file, by name.
        about: Its description.

    Raises:
        KeyError: Images or labels are missing.
        ValueError: Type, shape or values of a tensor differ from the description; says which.
    """
    images, labels, classes = tensors["images"], tensors["labels"], len(about.class_names)
    if images.dtype not in (torch.float32, torch.uint8) or images.ndim != 4 or not images.numel():
        raise ValueError(f"its images are {images.dtype} of shape {tuple(images.shape)}")
    if about.label_kind == "hard":
        if labels.dtype != torch.int64 or not labels.numel():
            raise ValueError(f"hard labels can not be {labels.dtype} of shape {tuple(labels.shape)}")
        if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(f"a label is not one of {classes} classes")
    elif labels.dtype not in (torch.float32, torch.float16):
        raise ValueError(f"{about.label_kind} can not be {labels.dtype}")
    if about.compensation is None and about.ipc not in (len(images) // classes, -(-len(images) // classes)):
        raise ValueError(f"{len(images)} images of {classes} classes are not ipc {about.ipc}")
    if about.preprocessing.kind == "meanstd" and len(about.preprocessing.mean) != images.shape[1]:
        raise ValueError(f"its preprocessing has {len(about.preprocessing.mean)} channels, images {images.shape[1]}")
    recipe = about.provenance.recipe
    if recipe is not None and recipe.size not in (None, images.shape[-1]):
        raise ValueError(f"its recipe says {recipe.size} pixels, but images have {images.shape[-1]}")
    rate = tensors.get("student_lr")
    if rate is not None and rate.numel() != 1:
        raise ValueError(f"its learned rate is of shape {tuple(rate.shape)}")
    if (None if rate is None else rate.item()) != about.student_lr:
        raise ValueError(f"its learned rate is not {about.student_lr}")
