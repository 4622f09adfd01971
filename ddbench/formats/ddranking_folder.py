"""DD-Ranking's images as pictures: class folders, with ``labels.pt`` and ``lr.pt`` beside them where there are such.

Rows of labels.pt go with the images as torchvision's ImageFolder lists them; soft labels are logits. Its random images
are folders of the same kind, ``{class:05d}/{i:05d}.jpg``. Source: NUS-HPC-AI-Lab/DD-Ranking 0.2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ddbench.data import RealSet
from ddbench.data.pixels import Picture
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.class_folders import list_class_folders, only_path
from ddbench.formats.pictures import read_pictures
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_labels, stated_rate


@dataclass(frozen=True)
class RankedFolder:
    """One folder a class, and what lies beside the folders."""

    name: str = "ddranking-images"
    title: str = "one folder a class, with labels.pt (logits) and lr.pt beside them"
    source: str = "NUS-HPC-AI-Lab/DD-Ranking"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read pictures, and labels and learned rate where they are.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: They do not go together.
        """
        only_path(facts)
        listing = list_class_folders(path, real)
        pictures = (Picture(str(file), file) for file in listing.paths)
        images = read_pictures(pictures, len(listing.paths), real)
        labels_file, rate_file = path / "labels.pt", path / "lr.pt"
        labels = as_labels(read_torch(labels_file), labels_file) if labels_file.exists() else None
        if labels is not None and len(labels) != len(images):
            raise UserError(
                f"{labels_file} has {len(labels)} labels, but there are {len(images)} images",
                fix="give the labels that were saved with the images",
            )
        if labels is not None:
            placed = torch.empty_like(labels)
            placed[listing.listed] = labels
            labels = placed
        rate = stated_rate(read_torch(rate_file), rate_file, facts) if rate_file.exists() else None
        beside = [file for file in (labels_file, rate_file) if file.exists()]
        return Read(
            images=images,
            labels=listing.labels if labels is None else labels,
            label_kind="hard" if labels is None or labels.ndim == 1 else "logits",
            student_lr=rate,
            space="pixels",
            files=(*listing.paths, *beside),
            labels_named=True,
            notes=(listing.note,),
        )


DDRANKING_IMAGES = RankedFolder()
