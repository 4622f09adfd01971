"""Tensors of any origin: images and labels in one file or two, as ``.pt``, ``.npy``, ``.npz`` or ``.safetensors``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.arrays import read_npy, read_npz, read_safetensors
from ddbench.formats.find_files import labels_sidecar, one_of, require_path
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_images, as_labels, listed, stated_rate

_READERS: dict[str, Callable[[Path], Any]] = {
    ".pt": read_torch,
    ".pth": read_torch,
    ".npy": read_npy,
    ".npz": read_npz,
    ".safetensors": read_safetensors,
}
_NAMES = [f"{stem}{ending}" for stem in ("images", "images_best") for ending in _READERS]
_RATES = ("student_lr", "syn_lr", "lr")


@dataclass(frozen=True)
class PlainTensors:
    """Nothing is known of such files but what is in them."""

    name: str = "tensors"
    title: str = "images and labels: two files, or one with both (.pt, .npy, .npz, .safetensors)"
    source: str = "any project"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a folder of images.* and labels.*, or images_best.* and labels_best.*; one file with both; or two files,
        of which images come first.

        Images of uint8 are pixels of 0 to 255.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: The files hold something else.
        """
        del real
        require_path(path)
        file = one_of(path, _NAMES, "file of images") if path.is_dir() else path
        content = _read(file)
        images, labels, rate = _parts(content, file)
        files, beside = [file], facts.others[0] if facts.others else labels_sidecar(file)
        if labels is None and beside is not None:
            labels = _read(beside)
            files.append(beside)
        whole = isinstance(images, Tensor) and images.dtype == torch.uint8
        notes: list[str] = []
        return Read(
            images=as_images(images.float() / 255 if whole else images, file, notes=notes),
            labels=None if labels is None else as_labels(labels, files[-1], notes=notes),
            student_lr=stated_rate(rate, file, facts),
            space="pixels" if whole else None,
            files=tuple(files),
            notes=(*notes, *(() if labels is not None else ("no labels: images taken as sorted by class",))),
        )


def _read(path: Path) -> Any:
    require_path(path)
    if path.suffix not in _READERS:
        raise UserError(
            f"{path} is of no kind that can be read",
            f"known {', '.join(_READERS)}",
            fix="save the images and labels as one of these",
        )
    return _READERS[path.suffix](path)


def _parts(content: Any, file: Path) -> tuple[Any, Any, Any]:
    """Images, labels and the learned rate, as far as the file has them."""
    if isinstance(content, dict):
        if "images" not in content:
            raise UserError(
                f"{file} has no 'images'", f"it has {listed(content)}", fix="name its parts 'images' and 'labels'"
            )
        rate = next((content[name] for name in _RATES if name in content), None)
        return content["images"], content.get("labels"), rate
    if isinstance(content, list | tuple):
        if len(content) != 2:
            raise UserError(
                f"{file} holds {len(content)} things side by side", fix="save it as a pair:  (images, labels)"
            )
        return content[0], content[1], None
    return content, None, None


TENSORS = PlainTensors()
