"""Memories of another project: ``cl_*_{steps}steps_seed{order}.pt``, one file a class order, made step by step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from ddbench.data import Preprocessing, RealSet
from ddbench.data.class_subset import subset_name
from ddbench.errors import UserError
from ddbench.evaluate.continual.class_order import class_steps
from ddbench.evaluate.continual.replay_memory import StepSet
from ddbench.files.torch_file import read_torch
from ddbench.formats.pixel_space import convert_space
from ddbench.formats.project_constants import project_constants
from ddbench.formats.tensors import as_images, as_labels
from ddbench.synthetic.synthetic_set import SyntheticSet

_METHODS = ("herding", "dsa", "dm", "dc", "random")


def order_of(file: Path) -> int:
    """Read the number of a class order from the name of a file, which ends with it.

    Args:
        file: File named ``..._seed{order}.pt``.

    Returns:
        The number.

    Raises:
        UserError: The name ends otherwise.
    """
    match = re.search(r"seed(\d{1,9})$", file.stem)
    if match is None:
        raise UserError(
            f"the name of {file} does not say which class order it is of",
            fix="call it by it, as its project does:  ..._5steps_seed0.pt",
        )
    return int(match[1])


def parts_of_file(file: Path, real: RealSet, network: str) -> list[StepSet]:
    """Read the sets of all steps and convert their images to the space of the real data.

    The file is a dictionary whose ``data`` lists (images, labels) by step: images standardized as the project does for
    this data set, labels the classes of the whole data set.

    Args:
        file: File of one class order.
        real: Real data that the memories are of.
        network: The one distilled with.

    Returns:
        One set a step, with labels counted from 0 within the step.

    Raises:
        UserError: Any other file, images of another size, and classes that do not come in numpy's order.

    Source: CL_DM.py of VICO-UoE/DatasetCondensation.
    """
    document = read_torch(file)
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list) or not data or not all(isinstance(p, list | tuple) and len(p) == 2 for p in data):
        raise UserError(
            f"{file} holds no memories step by step",
            "want  a dictionary whose 'data' lists (images, labels), one pair a step",
            fix="give a cl_*_{steps}steps_seed{order}.pt of DatasetCondensation",
        )
    by_step = class_steps(real.classes, len(data), order_of(file))
    return [_part(pair, classes, file, real, network) for pair, classes in zip(data, by_step, strict=True)]


def _part(pair: Any, classes: tuple[int, ...], file: Path, real: RealSet, network: str) -> StepSet:
    images, labels = as_images(pair[0], file), as_labels(pair[1], file)
    if labels.ndim != 1 or len(labels) != len(images):
        raise UserError(f"{file} does not have one class an image", fix="give a file of hard labels")
    if tuple(images.shape[1:]) != (real.channels, real.size, real.size):
        raise UserError(
            f"the images in {file} are not like those of {real.name}",
            f"found channels, height, width {tuple(images.shape[1:])}",
            f"want  {(real.channels, real.size, real.size)}",
            fix="check --dataset",
        )
    if sorted(set(labels.tolist())) != sorted(classes):
        raise UserError(
            f"the classes in {file} do not come in the order that its name says",
            f"found {sorted(set(labels.tolist()))} in one step",
            f"want  {sorted(classes)}, of numpy's permutation with seed {order_of(file)}",
            fix="check the name of the file, and --dataset",
        )
    mean, std = project_constants("dc", real.name)
    if mean is None or std is None:
        raise UserError(
            f"it is not known how DatasetCondensation standardizes {real.name}",
            fix="give files of cifar100, or of another data set of that project",
        )
    moved, _ = convert_space(images, Preprocessing.meanstd(mean, std), real)
    context = torch.full((real.classes,), -1)
    context[torch.tensor(classes)] = torch.arange(len(classes))
    syn = SyntheticSet(
        images=moved,
        labels=context[labels],
        ipc=len(images) // len(classes),
        dataset=subset_name(real.name, classes),
        class_names=tuple(real.class_names[label] for label in classes),
        network=network,
        preprocessing=real.preprocessing.describe(),
        method=_method(file),
    )
    return StepSet(syn, classes)


def _method(file: Path) -> str:
    words = re.split(r"[_\W]+", file.stem.lower())
    return next((name for name in _METHODS if name in words), file.stem)
