"""Reader of DD-Ranking's tensors: ``images.pt``, sorted by class, ``labels.pt`` and ``lr.pt``.

Soft labels are logits. Whether the images are whitened is an option of its evaluator (``use_zca``), and so is in no
file. Its random baselines are ``rdm_data_iter{i}.pt`` and ``rdm_labels_iter{i}.pt``. Source: NUS-HPC-AI-Lab/DD-Ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddbench.data import RealSet
from ddbench.files.torch_file import read_torch
from ddbench.formats.find_files import one_of, require_path
from ddbench.formats.project_constants import project_constants
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_images, as_labels, stated_rate


@dataclass(frozen=True)
class RankedTensors:
    """A tensor of images, and beside it those of labels and of the learned rate."""

    name: str = "ddranking"
    title: str = "images.pt, labels.pt (logits), lr.pt; rdm_data_iter{i}.pt with rdm_labels_iter{i}.pt"
    source: str = "NUS-HPC-AI-Lab/DD-Ranking"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read the folder, or its file of images.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: It is not there, or several are meant.
        """
        require_path(path)
        file = one_of(path, ("images.pt", "rdm_data_iter*.pt"), "file of images") if path.is_dir() else path
        random = file.name.startswith("rdm_data_iter")
        beside = file.with_name(file.name.replace("rdm_data", "rdm_labels").replace("images", "labels"))
        notes: list[str] = []
        labels = as_labels(read_torch(beside), beside, notes=notes) if beside != file and beside.is_file() else None
        rate = file.with_name("lr.pt")
        learned = not random and rate.is_file() and facts.lr is None
        mean, std = project_constants("mtt", real.name)
        return Read(
            images=as_images(read_torch(file), file, notes=notes),
            labels=labels,
            label_kind="logits" if labels is not None and labels.ndim == 2 else "hard",
            student_lr=stated_rate(read_torch(rate), rate, facts) if learned else None,
            lr_known=random,
            mean=mean,
            std=std,
            method="random" if random else None,
            files=(file, *(() if labels is None else (beside,)), *((rate,) if learned else ())),
            notes=(*notes, *(() if labels is not None else ("no file of labels: images taken as sorted by class",))),
        )


DDRANKING = RankedTensors()
