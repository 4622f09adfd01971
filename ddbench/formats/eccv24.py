"""Entries to the ECCV 2024 challenge: one tensor of ten images a class, sorted by class, standardized.

Source: DataDistillation/ECCV2024-Dataset-Distillation-Challenge, track 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.find_files import one_of, require_path
from ddbench.formats.project_constants import project_constants
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_images

_IPC = 10
_FILES = {"cifar100": "cifar100.pt", "tiny-imagenet": "tinyimagenet.pt"}


@dataclass(frozen=True)
class Challenge:
    """The images alone; the rate is the challenge's, and none is learned."""

    name: str = "eccv24"
    title: str = "cifar100.pt or tinyimagenet.pt: 10 images a class, no labels"
    source: str = "DataDistillation/ECCV2024-Dataset-Distillation-Challenge"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file, or the data set's own in a folder.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: It does not hold 10 images a class.
        """
        require_path(path)
        wanted = _FILES.get(real.name, "*.pt")
        file = one_of(path, (wanted,), "entry to the challenge") if path.is_dir() else path
        notes: list[str] = []
        images = as_images(read_torch(file), file, notes=notes)
        if len(images) != _IPC * real.classes:
            raise UserError(
                f"{file} is no entry to the challenge: it needs {_IPC} images of each class",
                f"found {len(images)} images; {real.name} has {real.classes} classes",
                fix="check --dataset, or say --format tensors",
            )
        mean, std = project_constants("eccv24", real.name)
        return Read(
            images=images,
            lr_known=True,
            space="meanstd",
            mean=mean,
            std=std,
            method=facts.method or self.name,
            protocol="eccv24-v1",
            files=(file,),
            notes=tuple(notes),
        )


ECCV24 = Challenge()
