"""Sets of the condensation family: several experiments in one ``res_*.pt``, or the steps of a ``results.pth``.

Images are standardized, never whitened, and the rate is fixed by the protocol. Source: VICO-UoE/DatasetCondensation
``main.py`` and ``main_DM.py`` (arXiv:2006.05929, 2102.08259, 2110.04181); ssnl/dataset-distillation
(arXiv:1811.10959); zhouzhengqd/BEARD.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.find_files import one_of, require_path
from ddbench.formats.project_constants import project_constants
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_images, as_labels, listed, stated_rate

_PROTOCOLS = {"dc": "dc-v1"}
_METHODS = ("dc", "dsa", "dm", "idm", "cafe", "datadam")


@dataclass(frozen=True)
class Experiments:
    """A dictionary whose ``data`` is a list of [images, labels], one pair an experiment."""

    name: str
    title: str
    source: str
    usual: int = -1
    """Experiment that is read where the user names none, from the end where negative."""
    patterns: tuple[str, ...] = field(default=("res_*.pt", "*.pt"))
    """Names of the file in a folder, in order."""

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file, or the only one in a folder.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: A file is not such a dictionary, or has no such experiment.
        """
        require_path(path)
        file = one_of(path, self.patterns, "file of results") if path.is_dir() else path
        content = read_torch(file)
        data = content.get("data") if isinstance(content, dict) else None
        if not isinstance(data, list) or not data:
            raise UserError(
                f"{file} is no result of dataset condensation",
                f"found {_names(content)}",
                "want  a dictionary whose 'data' lists [images, labels], one pair an experiment",
                fix="see  ddbench formats  for the others",
            )
        position, pair = _chosen(data, self.usual if facts.experiment is None else facts.experiment, file, "experiment")
        images, labels, _ = _pair(pair, file)
        method = facts.method or self._method(file)
        mean, std = project_constants("dc", real.name)
        notes: list[str] = []
        return Read(
            images=as_images(images, file, notes=notes),
            labels=as_labels(labels, file, notes=notes),
            lr_known=True,
            space="meanstd",
            mean=mean,
            std=std,
            method=method,
            protocol=_PROTOCOLS.get(method, "dsa-v1"),
            files=(file,),
            notes=(*notes, *(() if len(data) == 1 else (f"experiment {position} of 0 to {len(data) - 1}",))),
        )

    def _method(self, file: Path) -> str:
        match = re.search(rf"(?:^|_)({'|'.join(_METHODS)})(?:_|$)", file.stem.lower())
        return match[1] if match and self.name in ("dc", "beard") else self.name


@dataclass(frozen=True)
class Steps:
    """A list of (images, labels, rate), one a step of training, of which one is read: the last."""

    name: str
    title: str
    source: str

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file, or ``results.pth`` in a folder.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: A file is not such a list.
        """
        require_path(path)
        file = one_of(path, ("results.pth",), "file of results") if path.is_dir() else path
        steps = read_torch(file)
        if not isinstance(steps, list | tuple) or not steps:
            raise UserError(
                f"{file} is no result of dataset distillation",
                f"found {_names(steps)}",
                "want  a list of (images, labels, rate)",
                fix="see  ddbench formats  for the others",
            )
        wanted = -1 if facts.experiment is None else facts.experiment
        position, step = _chosen(list(steps), wanted, file, "step")
        images, labels, rate = _pair(step, file)
        mean, std = project_constants("dc", real.name)
        notes: list[str] = []
        return Read(
            images=as_images(images, file, notes=notes),
            labels=as_labels(labels, file, notes=notes),
            label_kind=facts.labels or "hard",
            student_lr=stated_rate(rate, file, facts),
            space="meanstd",
            mean=mean,
            std=std,
            method=self.name,
            protocol="mtt-v1",
            files=(file,),
            notes=(
                *notes,
                *(() if len(steps) == 1 else (f"step {position} of 0 to {len(steps) - 1}, the others left out",)),
            ),
        )


def _chosen(several: list[Any], wanted: int, file: Path, what: str) -> tuple[int, Any]:
    if not -len(several) <= wanted < len(several):
        raise UserError(
            f"there is no {what} {wanted} in {file}",
            f"there {len(several)}, counted from 0",
            fix=f"give --experiment 0 to {len(several) - 1}, or -1 for the last",
        )
    return wanted % len(several), several[wanted]


def _pair(value: Any, file: Path) -> tuple[Any, Any, Any]:
    if not isinstance(value, list | tuple) or len(value) not in (2, 3):
        raise UserError(
            f"{file} does not hold images and labels side by side",
            f"found {_names(value)}",
            fix="see  ddbench formats  for what each project's files are",
        )
    return value[0], value[1], value[2] if len(value) == 3 else None


def _names(value: Any) -> str:
    """What was found, in few words."""
    if isinstance(value, dict):
        return f"a dictionary of {listed(value)}"
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, list | tuple) else type(value).__name__


_VICO = "VICO-UoE/DatasetCondensation"
DC = Experiments("dc", "res_{METHOD}_{DATASET}_{NETWORK}_{ipc}ipc.pt of DC, DSA or DM (its name says which)", _VICO)
DSA = Experiments("dsa", "as dc, of DSA whatever its name", _VICO)
DM = Experiments("dm", "as dc, of DM whatever its name", _VICO)
BEARD = Experiments("beard", "{METHOD}_{dataset}_ipc{n}_conv.pt: as dc, the first experiment", "zhouzhengqd/BEARD", 0)
DD = Steps("dd", "results.pth: (images, labels, rate) by step, of which the last is read", "ssnl/dataset-distillation")
