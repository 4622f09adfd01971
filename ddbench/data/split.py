"""Cutting part of a training set off, class by class, by a seed and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddbench import artefact
from ddbench.data.decode import open_images
from ddbench.errors import UserError

IN_MEMORY_BYTES = 1 << 30


def stratified_holdout(labels: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Positions that are kept and that are held out, both ascending, (n - count,) and (count,), int64.

    Every class gives in proportion to its size (largest remainders first), and always keeps one image. The raw bits of
    numpy's PCG64 decide, which numpy promises never to change, so a seed means the same split everywhere and always.
    Errors: UserError when classes are too small to give ``count`` and keep one each.
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

    keys = np.random.PCG64(seed).random_raw(len(labels))
    by_class = np.lexsort((keys, labels.numpy()))
    starts = np.cumsum(sizes) - sizes
    held = np.sort(np.concatenate([by_class[s : s + q] for s, q in zip(starts, quota, strict=True)]))
    kept = np.delete(np.arange(len(labels)), held)
    return torch.from_numpy(kept), torch.from_numpy(held.astype(np.int64))


def take_rows(images: Tensor, rows: Tensor, folder: Path) -> Tensor:
    """Some rows of the images: copied in memory, or, above a gibibyte, to a memory-mapped file in ``folder``."""
    if len(rows) == len(images):
        return images
    if images.nbytes <= IN_MEMORY_BYTES:
        return images[rows]
    path = folder / f"rows-{artefact.tensors_sha256({'rows': rows})[:16]}.npy"
    shape = (len(rows), *images.shape[1:])
    if (kept := open_images(path, shape)) is not None:
        return kept
    with artefact.replacing(path) as part, part.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(images.numpy().dtype), "fortran_order": False, "shape": shape}
        )
        for chunk in rows.split(1024):
            file.write(images[chunk].numpy().tobytes())
    written = open_images(path, shape)
    if written is None:
        raise artefact.damaged(path, "it was changed while it was written")
    return written
