"""Agreement of a set's tensors with its description."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.synthetic.description import ImageSetDescription


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
