"""``npz:PATH``: plain numpy arrays ``x_train, y_train, x_test, y_test`` in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddbench.data.assemble import split_names
from ddbench.data.check import check_classes, require_gapless
from ddbench.data.npz_file import names_in, read_npz
from ddbench.data.parts import SplitPart, choose
from ddbench.data.rawdata import RawData, Request, arrays_to_split
from ddbench.data.realset import Split
from ddbench.data.split_names import Role, roles_of
from ddbench.errors import UserError
from ddbench.files.regular_file import shown_path

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
CLASS_NAMES = "class_names"


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images and labels of one split."""

    images: Tensor
    """(n, C, H, W), uint8."""
    labels: Tensor
    """(n,), int64."""

    def rows(self, rows: Tensor) -> Arrays:
        """Take some images.

        Args:
            rows: Positions, (count,), int64.

        Returns:
            Those images with their labels.
        """
        return Arrays(self.images[rows], self.labels[rows])


def load(request: Request) -> RawData:
    """Images uint8, (n, H, W), (n, H, W, C) or (n, C, H, W) with C 1 or 3; labels integers, (n,) or (n, 1).

    Splits are called as everywhere, ``x_val`` or ``x_valid`` beside ``x_train`` and ``x_test``. An array of strings
    ``class_names`` is used where there is one. Nothing is unpickled.

    Args:
        request: ``what`` is the path.

    Returns:
        The set, in memory.

    Raises:
        UserError: The file is absent, damaged or needs unpickling; an array is missing, or of another type or shape; or
            labels are not 0 to C-1.
    """
    path = Path(request.what).expanduser()
    shown = shown_path(path)
    inside = names_in(path)
    roles, _ = roles_of((name[2:] for name in inside if name.startswith("x_")), shown)
    labeled: dict[Role, bool] = {role: f"y_{name}" in inside for role, name in roles.items()}
    if "train" not in roles or not labeled["train"]:
        missing = [name for name in ARRAYS[: 2 if roles else 4] if name not in inside]
        raise UserError(
            f"{shown} lacks {', '.join(missing)}",
            request.origin,
            f"it has   {', '.join(map(shown_path, inside[:20])) or 'nothing'}",
            fix=f"save it with np.savez(path, {', '.join(f'{name}=...' for name in ARRAYS)})",
        )
    splits = [f"{kind}_{name}" for name in roles.values() for kind in "xy"]
    arrays = read_npz(path, {*splits, CLASS_NAMES})
    parts: dict[Role, SplitPart[Arrays]] = {role: _part(arrays, name, shown) for role, name in roles.items()}
    train = parts["train"].images.labels
    if CLASS_NAMES in arrays:
        names = _class_names(arrays[CLASS_NAMES], shown)
    else:
        require_gapless(train, f"y_{roles['train']} of {shown}")
        names = tuple(str(i) for i in range(int(train.max()) + 1))
    if CLASS_NAMES in arrays:
        check_classes({"train": train}, names, shown, locations={"train": parts["train"].context}, where=request.where)
    chosen = choose(parts, labeled=labeled)

    def split(part: SplitPart[Arrays]) -> Split:
        return arrays_to_split(part.images.images, part.images.labels, len(names), request.size, part.context)

    raw = RawData(
        class_names=names,
        train=split(chosen.train),
        test=split(chosen.test),
        validation=chosen.validation and split(chosen.validation),
        split_names=split_names(chosen),
        notes=chosen.notes,
    )
    _require_alike(chosen.train.name, raw.train, chosen.test.name, raw.test, shown)
    if chosen.validation is not None and raw.validation is not None:
        _require_alike(chosen.train.name, raw.train, chosen.validation.name, raw.validation, shown)
    return raw


def _part(arrays: dict[str, np.ndarray], name: str, path: str) -> SplitPart[Arrays]:
    images = _images(arrays[f"x_{name}"], f"x_{name} of {path}", f"x_{name}")
    labels = torch.full((len(images),), -1)
    if f"y_{name}" in arrays:
        labels = _labels(arrays[f"y_{name}"], f"y_{name} of {path}")
    if len(images) != len(labels) or not len(images):
        raise UserError(
            f"x_{name} of {path} has {len(images)} images and {len(labels)} labels",
            fix="give every image one label, and at least one",
        )
    return SplitPart(Arrays(images, labels), f"x_{name}", f"x_{name} of {path}")


def _require_alike(train_name: str, train: Split, name: str, split: Split, path: str) -> None:
    if train.images.shape[1:] != split.images.shape[1:]:
        raise UserError(
            f"{train_name} and {name} of {path} differ in size or channels",
            f"{train_name:8} {tuple(train.images.shape[1:])}",
            f"{name:8} {tuple(split.images.shape[1:])}",
            fix="store both alike, or set the dataset's size (in pixels)",
        )


def _class_names(array: np.ndarray, path: str) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind not in "SUiu":
        raise UserError(
            f"class_names of {path} does not hold one name a class",
            f"found    {array.dtype}, shape {array.shape}",
            fix="store an array of strings, shape (classes,)",
        )
    try:
        return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in array.tolist())
    except UnicodeDecodeError:
        raise UserError(
            f"class_names of {path} holds bytes that are not UTF-8 text",
            fix="store an array of strings:  class_names = np.char.decode(class_names, 'latin-1')",
        ) from None


def _labels(array: np.ndarray, what: str) -> Tensor:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array):
        fix = "store class numbers from 0, shape (n,)"
        if array.ndim == 1 and array.dtype.kind == "f" and bool((array == np.round(array)).all()):
            fix = f"convert them:  {what.split()[0]} = {what.split()[0]}.astype(np.int64)"
        if array.ndim == 2 and array.shape[1] > 1:
            fix = f"store class numbers:  {what.split()[0]} = {what.split()[0]}.argmax(axis=1)"
        raise UserError(
            f"{what} does not hold one integer an image", f"found    {array.dtype}, shape {array.shape}", fix=fix
        )
    if int(array.max()) > np.iinfo(np.int64).max:
        raise UserError(f"{what} holds {array.max()}", fix="store class numbers from 0, shape (n,)")
    return torch.from_numpy(array.astype(np.int64))


def _images(array: np.ndarray, what: str, name: str) -> Tensor:
    if array.dtype == np.uint8 and array.ndim == 3:
        return torch.from_numpy(array)[:, None]
    if array.dtype == np.uint8 and array.ndim == 4 and array.shape[3] in (1, 3):
        return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous()
    if array.dtype == np.uint8 and array.ndim == 4 and array.shape[1] in (1, 3):
        return torch.from_numpy(array)
    raise UserError(
        f"{what} does not hold images",
        f"found    {array.dtype}, shape {array.shape}",
        "expected uint8, (n, H, W, C) or (n, C, H, W) with C 1 or 3, or (n, H, W)",
        fix=_conversion(array, name),
    )


def _conversion(array: np.ndarray, name: str) -> str:
    """The line of numpy that makes images of an array, where its values leave no doubt which."""
    if array.ndim not in (3, 4) or array.dtype.kind not in "fiub" or not array.size or array.dtype == np.uint8:
        return "convert the array"
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        return f"convert the array:  {name} = ({name} * 255).round().astype(np.uint8)"
    if low >= 0 and high <= 255:
        rounded = f"{name}.round()" if array.dtype.kind == "f" else name
        return f"convert the array:  {name} = {rounded}.astype(np.uint8)"
    if low >= -1 and high <= 1:
        return f"convert the array:  {name} = (({name} + 1) * 127.5).round().astype(np.uint8)  if it is in [-1, 1]"
    return f"store pixels of 0 to 255: its values, {low:.3g} to {high:.3g}, look standardized or are no pixels"
