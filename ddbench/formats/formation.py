"""``data.pt`` of IDC and those after it: (images in [0, 1], labels), where an image may hold several in small.

How many it holds is in no file. ImageNet-100 comes in folders ``..._phase0``, ``..._phase1``, of 20 classes each.
Source: snu-mllab/Efficient-Dataset-Condensation (arXiv:2205.14959); vimar-gu/DREAM; gszfwsb/NCFM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.find_files import natural, one_of, require_path
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_images, as_labels

_ROUNDING = 1e-3


@dataclass(frozen=True)
class MultiFormation:
    """A pair of images and labels, whose factor is said by the user or by the name of the folder."""

    name: str
    title: str
    source: str
    files: tuple[str, ...] = ("data.pt",)
    """Names of the file in a folder, in order."""

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file, the one in a folder, or the phases of a set.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: Images lie outside [0, 1], a factor is not said, or phases do not fit together.
        """
        files = [self._file(phase) for phase in _phases(path, facts)]
        notes: list[str] = []
        pairs = [_pair(file, notes) for file in files]
        labels, shifted = _joined([labels for _, labels in pairs])
        shapes = {tuple(images.shape[1:]) for images, _ in pairs}
        if len(shapes) > 1:
            raise UserError("the phases differ in the shape of their images", fix="give the phases of one set")
        return Read(
            images=torch.cat([images for images, _ in pairs]),
            labels=labels,
            lr_known=True,
            space="pixels",
            formation=_factor(files[0], facts),
            method=self.name,
            protocol="idc-v1",
            files=tuple(files),
            notes=(
                *dict.fromkeys(notes),
                *((f"labels of {len(pairs)} phases made to follow each other",) if shifted else ()),
            ),
        )

    def _file(self, path: Path) -> Path:
        require_path(path)
        return one_of(path, self.files, "file of data") if path.is_dir() else path


def _phases(path: Path, facts: Facts) -> list[Path]:
    if facts.others:
        return [path, *facts.others]
    inner = sorted((folder for folder in path.glob("*_phase[0-9]*") if folder.is_dir()), key=natural)
    return inner if inner and path.is_dir() else [path]


def _pair(file: Path, notes: list[str]) -> tuple[Tensor, Tensor]:
    pair = read_torch(file)
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise UserError(
            f"{file} does not hold images and labels side by side",
            f"found {type(pair).__name__}",
            "want  a tuple of images in [0, 1] and labels",
            fix="see  ddbench formats  for the others",
        )
    images, labels = as_images(pair[0], file, notes=notes), as_labels(pair[1], file, notes=notes)
    low, high = images.min().item(), images.max().item()
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise UserError(
            f"the images in {file} are no pixels in [0, 1]",
            f"found {low:.3g} to {high:.3g}",
            fix="where they are standardized, say  --format tensors --space meanstd",
        )
    if labels.ndim != 1:
        raise UserError(f"the labels in {file} are no classes", fix="where they are soft, say --format tensors")
    return images, labels


def _joined(labels: list[Tensor]) -> tuple[Tensor, bool]:
    """Labels of all phases, and whether each phase counted its classes from zero."""
    classes = [set(part.unique().tolist()) for part in labels]
    if len(labels) == 1 or sum(map(len, classes)) == len(set().union(*classes)):
        return torch.cat(labels), False
    if all(part == set(range(len(part))) for part in classes):
        starts = [sum(map(len, classes[:phase])) for phase in range(len(classes))]
        return torch.cat([part + start for part, start in zip(labels, starts, strict=True)]), True
    raise UserError(
        "some classes are in several phases of the set",
        fix="give the phases of one set, each once, in their order",
    )


def _factor(file: Path, facts: Facts) -> int:
    if facts.formation is not None:
        return facts.formation
    if match := re.search(r"(?:^|_)factor([1-9])(?:_|$)", file.parent.name):
        return int(match[1])
    raise UserError(
        f"{file} does not say how many small images each image holds",
        "why   the factor is an argument of the project's program; 2 is usual for 32 pixels, 3 for ImageNet",
        fix="say it: --formation 2 for 2 x 2 in one, --formation 1 where each is a single image",
    )


IDC = MultiFormation(
    "idc",
    "data.pt: (images in [0, 1], labels), several small images in one",
    "snu-mllab/Efficient-Dataset-Condensation",
)
DREAM = MultiFormation("dream", "data.pt as idc", "vimar-gu/DREAM")
NCFM = MultiFormation("ncfm", "data_*.pt as idc", "gszfwsb/NCFM", ("data.pt", "data_best.pt", "data_*.pt"))
