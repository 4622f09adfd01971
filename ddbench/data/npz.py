"""``npz:PATH``: plain numpy arrays ``x_train, y_train, x_test, y_test`` in one file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddbench.data.rawdata import RawData, Request, arrays_to_split
from ddbench.data.realset import Split
from ddbench.errors import UserError

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load(request: Request) -> RawData:
    """Images uint8, (n, H, W), (n, H, W, C) or (n, C, H, W) with C 1 or 3; labels integers, (n,) or (n, 1).

    An array of strings ``class_names`` is used where there is one. Nothing is unpickled. Errors: UserError when the
    file is absent, damaged or needs unpickling, when an array is missing, or of another type or shape.
    """
    path = Path(request.what).expanduser()
    arrays = _arrays(path, request)
    labels = {part: _labels(arrays[f"y_{part}"], f"y_{part} of {path}") for part in ("train", "test")}
    if "class_names" in arrays:
        names = tuple(str(name) for name in arrays["class_names"])
    else:
        names = tuple(str(i) for i in range(int(labels["train"].max()) + 1))

    def split(part: str) -> Split:
        images = _images(arrays[f"x_{part}"], f"x_{part} of {path}")
        return arrays_to_split(images, labels[part], len(names), request.size, f"x_{part} of {path}")

    train, test = split("train"), split("test")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(
            f"x_train and x_test of {path} differ in size or channels",
            f"train    {tuple(train.images.shape[1:])}",
            f"test     {tuple(test.images.shape[1:])}",
            fix="store both alike, or set the dataset's size (in pixels)",
        )
    return RawData(class_names=names, train=train, test=test)


def _arrays(path: Path, request: Request) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            missing = [name for name in ARRAYS if name not in file.files]
            if missing:
                raise UserError(
                    f"{path} lacks {', '.join(missing)}",
                    request.origin,
                    f"it has   {', '.join(file.files)}",
                    fix=f"save it with np.savez(path, {', '.join(f'{name}=...' for name in ARRAYS)})",
                )
            return {name: file[name] for name in file.files if name in (*ARRAYS, "class_names")}
    except FileNotFoundError:
        raise UserError(f"there is no file {path}", request.origin, fix="check the path") from None
    except (ValueError, OSError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is not a readable .npz file",
            f"why      {error}",
            fix="save plain arrays (no objects, which would need unpickling) with np.savez",
        ) from None


def _labels(array: np.ndarray, what: str) -> Tensor:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer) or not len(array):
        raise UserError(
            f"{what} does not hold one integer an image",
            f"found    {array.dtype}, shape {array.shape}",
            fix="store class numbers from 0, shape (n,)",
        )
    return torch.from_numpy(array.astype(np.int64))


def _images(array: np.ndarray, what: str) -> Tensor:
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
        fix="convert the array",
    )
