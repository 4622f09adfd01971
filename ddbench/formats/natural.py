"""The natural images from which UFC starts: ``tensor_{k}.pt``, the k-th image of every class, standardized.

Source: zhangxin-xd/UFC (INFER).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.find_files import require_path, shards
from ddbench.formats.project_constants import project_constants
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_images


@dataclass(frozen=True)
class InitialTensors:
    """A folder with a file an image-per-class, each of as many images as there are classes, in their order."""

    name: str = "ufc-init"
    title: str = "tensor_0.pt, tensor_1.pt, ...: one natural image of every class in each"
    source: str = "zhangxin-xd/UFC"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read all files of a folder, or those given; ``facts.ipc`` reads only so many of them.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: One is missing, or has another number of images than there are classes.
        """
        require_path(path)
        candidates = (*path.glob("tensor_[0-9]*.pt"),) if path.is_dir() else (path, *facts.others)
        files = shards(candidates)
        if path.is_dir() and not files:
            raise UserError(f"there is no tensor_0.pt in {path}", fix="check the path")
        if facts.ipc is not None and facts.ipc > len(files):
            raise UserError(f"there are {len(files)} images a class in {path}", fix=f"--ipc {len(files)} or less")
        files = files[: facts.ipc]
        images = [as_images(read_torch(file), file) for file in files]
        for file, tensor in zip(files, images, strict=True):
            if len(tensor) != real.classes or tensor.shape != images[0].shape:
                raise UserError(
                    f"{file} does not hold one image of every class",
                    f"found shape {tuple(tensor.shape)}; {real.name} has {real.classes} classes",
                    fix="check --dataset, and that the files are of one set",
                )
        mean, std = project_constants("ufc", real.name)
        return Read(
            images=torch.stack(images, 1).flatten(0, 1),
            lr_known=True,
            space="meanstd",
            mean=mean,
            std=std,
            method="random",
            protocol="dsa-v1",
            files=files,
        )


UFC_INIT = InitialTensors()
