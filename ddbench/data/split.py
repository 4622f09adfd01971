"""Cutting part of a training set off, class by class, by a seed and nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddbench import artifact
from ddbench.data import content
from ddbench.errors import UserError

IN_MEMORY_BYTES = 1 << 30


def stratified_holdout(labels: Tensor, count: int, seed: int, *, least: int = 0) -> tuple[Tensor, Tensor]:
    """Divide positions into those that are kept and those that are held out.

    Every class gives in proportion to its size (largest remainders first), and always keeps one image. The raw bits of
    numpy's PCG64 decide, which numpy promises never to change, so a seed means the same split everywhere and always.

    Args:
        labels: (n,), int64.
        count: Images to hold out.
        seed: Of the draw.
        least: Images that every class gives at least, also beyond ``count``, where it has them and keeps one.

    Returns:
        Positions that are kept and that are held out, both ascending, int64.

    Raises:
        UserError: Classes are too small to give ``count`` and keep one each.
    """
    sizes = np.bincount(labels.numpy())
    room = np.maximum(sizes - 1, 0)
    if count > room.sum():
        raise UserError(
            f"{count} images cannot be held out of {len(labels)} in {np.count_nonzero(sizes)} classes",
            "every class keeps at least one image for training",
            fix="use a smaller validation fraction, or 0",
        )
    share = sizes * (count / max(len(labels), 1))
    quota = np.minimum(np.floor(share).astype(np.int64), room)
    for label in np.argsort(quota - share, kind="stable"):
        if quota.sum() < count and quota[label] < room[label]:
            quota[label] += 1
    while quota.sum() < count:
        quota[np.argmax(room - quota)] += 1
    quota = np.maximum(quota, np.minimum(least, room))

    keys = np.random.PCG64(seed).random_raw(len(labels))
    by_class = np.lexsort((keys, labels.numpy()))
    starts = np.cumsum(sizes) - sizes
    held = np.sort(np.concatenate([by_class[s : s + q] for s, q in zip(starts, quota, strict=True)]))
    rest = np.delete(np.arange(len(labels)), held)
    return torch.from_numpy(rest), torch.from_numpy(held.astype(np.int64))


def take_rows(images: Tensor, rows: Tensor, folder: Path) -> Tensor:
    """Some rows of the images: copied in memory, or, above a gibibyte, to a memory-mapped file in ``folder``.

    Args:
        images: (n, C, H, W).
        rows: Ascending positions, (count,).
        folder: A cache that belongs to these images alone; its files are checked against their hash, as all are.

    Returns:
        (count, C, H, W).

    Raises:
        UserError: The disk has no room.
    """
    if len(rows) == len(images):
        return images
    if images.nbytes <= IN_MEMORY_BYTES:
        return images[rows]
    path = folder / f"rows-{artifact.tensors_sha256({'rows': rows})[:16]}.npy"
    about = path.with_suffix(".json")
    shape, dtype = (len(rows), *images.shape[1:]), images.numpy().dtype
    known = content.read_note(about) or {}
    if (stored := content.open_verified(path, shape, known.get("sha256"), dtype)) is not None:
        return stored
    digest = hashlib.sha256()
    with artifact.replacing(path) as part, part.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        )
        for chunk in rows.split(1024):
            values = images[chunk].numpy().tobytes()
            digest.update(values)
            file.write(values)
    artifact.write_json(about, {"kind": "rows of images", "shape": list(shape), "sha256": digest.hexdigest()})
    written = content.open_verified(path, shape, digest.hexdigest(), dtype)
    if written is None:
        raise artifact.damaged(path, "it was changed while it was written")
    return written
