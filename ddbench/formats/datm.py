"""Reader of DATM and EDF: ``images_best.pt``, ``labels_best.pt`` of logits, ``lr_best.pt``, in the folder ``Normal``.

Source: NUS-HPC-AI-Lab/DATM ``distill`` (arXiv:2310.05773); NUS-HPC-AI-Lab/EDF.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.formats.mtt import TrajectoryTensors
from ddbench.formats.reader import Facts, Read


@dataclass(frozen=True)
class DatmLabels:
    """MTT's files, with logits for labels and the learned rate beside them."""

    name: str
    source: str
    title: str = "images_best.pt, labels_best.pt (logits), lr_best.pt, in the folder Normal"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file of images or the folder of a run.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: As MTT's, and where labels are no logits.
        """
        inner = path / "Normal" if (path / "Normal").is_dir() else path
        tensors = TrajectoryTensors(self.name, self.title, self.source, soft="logits", protocol="datm-v1")
        read = tensors.read(inner, facts, real)
        if read.labels is None:
            raise UserError(
                f"there are no labels beside {read.files[0]}",
                "why   this project learns them, so the images are of no use alone",
                fix=f"copy {read.files[0].name.replace('images', 'labels')} to it, or say --format mtt",
            )
        return read


DATM = DatmLabels(name="datm", source="NUS-HPC-AI-Lab/DATM")
EDF = DatmLabels(name="edf", source="NUS-HPC-AI-Lab/EDF")
