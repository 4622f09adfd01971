"""Reader of MTT and its kin: ``images_best.pt`` and ``labels_best.pt``, or those of an iteration, or in parts.

The learned rate is not among them (where there is an ``lr_best.pt`` all the same, it is read), nor whether the images
are whitened. Source: GeorgeCazenavette/mtt-distillation
``distill.py`` (arXiv:2203.11932); AngusDujw/FTD-distillation (arXiv:2211.11004); justincui03/tesla (arXiv:2211.10586).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.find_files import labels_sidecar, one_of, rate_sidecar, require_path, shards
from ddbench.formats.project_constants import project_constants
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_images, as_labels, stated_rate
from ddbench.training.losses import LabelKind


@dataclass(frozen=True)
class TrajectoryTensors:
    """Files of images and of labels side by side."""

    name: str
    title: str
    source: str
    averaged: bool = False
    """Whether an ``ema_`` version is preferred."""
    soft: LabelKind | None = None
    """Kind of labels that are rows of numbers; None where the project has none."""
    protocol: str = "mtt-v1"
    """Protocol that comes nearest to how the project scores."""

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file of images, all parts of one, or the folder of a run, of which the best is taken.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: Files are missing, not of this format, or several of which one is meant.
        """
        files = self._files(path, facts)
        notes: list[str] = []
        images = torch.cat(_alike([as_images(read_torch(file), file, notes=notes) for file in files], files))
        labels, label_files = _labels(files, notes)
        rate = rate_sidecar(files[0]) if facts.lr is None else None
        mean, std = project_constants("mtt", real.name)
        viewed = all("images_zca_" in file.name for file in files)
        return Read(
            images=images,
            labels=labels,
            label_kind="hard" if labels is None or labels.ndim == 1 else self.soft or "hard",
            student_lr=None if rate is None else stated_rate(read_torch(rate), rate, facts),
            space="pixels" if viewed else None,
            mean=mean,
            std=std,
            method=self.name,
            protocol=self.protocol,
            files=(*files, *label_files, *(() if rate is None else (rate,))),
            notes=(*dict.fromkeys(notes), *self._notes(files, labels, viewed)),
        )

    def _files(self, path: Path, facts: Facts) -> tuple[Path, ...]:
        if facts.others:
            return shards(_images_of((path, *facts.others)))
        require_path(path)
        if path.is_file():
            _require_whole(path)
            return (path,)
        for prefix in ("ema_", "") if self.averaged else ("",):
            if parts := [*path.glob(f"{prefix}images_best_[0-9]*.pt")]:
                return shards(parts)
            if (path / f"{prefix}images_best.pt").is_file():
                return (path / f"{prefix}images_best.pt",)
        return (one_of(path, ("[!e]*images_best.pt", "images_[0-9]*.pt"), "file of images"),)

    def _notes(self, files: tuple[Path, ...], labels: Tensor | None, viewed: bool) -> tuple[str, ...]:
        notes = []
        if labels is None:
            notes.append("no file of labels: images taken as sorted by class")
        if self.averaged and not files[0].name.startswith("ema_"):
            notes.append("the images themselves, not their moving average, which was not there")
        if self.soft == "probabilities" and (labels is None or labels.ndim == 1):
            notes.append("hard labels")
        if viewed:
            notes.append("read from the version for viewing, whose whitening was undone")
        return tuple(notes)


def _images_of(paths: Sequence[Path]) -> list[Path]:
    """The files of images among those given.

    Raises:
        UserError: One that is no part of the set.
    """
    images = [path for path in paths if "images" in path.name]
    known = {*images, *(beside(path) for path in images for beside in (labels_sidecar, rate_sidecar))}
    for path in paths:
        require_path(path)
        if path not in known:
            raise UserError(
                f"{path} is neither a file of images nor what lies beside one",
                "want  images_best_0.pt, images_best_1.pt, ...; labels_best.pt and lr_best.pt beside them are found",
                fix="leave it out; for files of other names say --format tensors",
            )
    return images


def _require_whole(path: Path) -> None:
    """Refuse a file that is one of several parts of a set."""
    parts = [*path.parent.glob(re.sub(r"_best_[0-9]+\.pt$", "_best_[0-9]*.pt", path.name))]
    if re.search(r"_best_[0-9]+\.pt$", path.name) and len(parts) > 1:
        raise UserError(
            f"{path} is one of {len(parts)} parts of a set",
            fix=f"give the folder instead:  {path.parent}",
        )


def _alike(images: list[Tensor], files: Sequence[Path]) -> list[Tensor]:
    for tensor, file in zip(images, files, strict=True):
        if tensor.shape[1:] != images[0].shape[1:]:
            raise UserError(
                "the parts of the set differ in shape",
                f"found {tuple(images[0].shape[1:])} in {files[0].name}, {tuple(tensor.shape[1:])} in {file.name}",
                fix="give parts of one set",
            )
    return images


def _labels(files: Sequence[Path], notes: list[str]) -> tuple[Tensor | None, tuple[Path, ...]]:
    """The labels of all parts: a file for each, or one for all, or none at all."""
    sidecars = [labels_sidecar(file) for file in files]
    if len(files) > 1 and not any(sidecars):
        first = files[0]
        whole = first.with_name(first.name.replace("images_best_0", "labels_best"))
        sidecars = [whole] if whole.is_file() and whole not in files else []
    paths = tuple(path for path in sidecars if path is not None)
    if not paths:
        return None, ()
    if len(paths) < len(sidecars):
        raise UserError(
            f"{len(files)} files of images but {len(paths)} files of labels",
            f"in    {files[0].parent}",
            fix="copy the missing labels beside their images",
        )
    labels = [as_labels(read_torch(path), path, notes=notes) for path in paths]
    if len({(part.ndim, *part.shape[1:]) for part in labels}) > 1:
        raise UserError(
            "the parts of the labels differ in kind", f"in    {files[0].parent}", fix="give one set's parts"
        )
    return torch.cat(labels), paths


MTT = TrajectoryTensors(
    name="mtt",
    title="images_best.pt, labels_best.pt; images_{iteration}.pt; images_best_0.pt, ... in parts",
    source="GeorgeCazenavette/mtt-distillation",
)
FTD = TrajectoryTensors(
    name="ftd",
    title="ema_images_best.pt, ema_labels_best.pt; else as mtt",
    source="AngusDujw/FTD-distillation",
    averaged=True,
)
TESLA = TrajectoryTensors(
    name="tesla",
    title="as mtt, with probabilities as labels",
    source="justincui03/tesla",
    soft="probabilities",
    protocol="tesla-v1",
)
