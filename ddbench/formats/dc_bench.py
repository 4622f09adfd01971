"""The folders of DC-BENCH, ``distilled_results/{METHOD}/{DATASET}/IPC{n}``: each method's files as its own project has
them, and ``{dataset}_IPC{n}[_normalize]_images.pt`` with ``..._labels.pt`` for random and k-means.

Source: justincui03/dc_benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.files.torch_file import read_torch
from ddbench.formats.condensation import DC
from ddbench.formats.find_files import labels_sidecar, one_of, require_path
from ddbench.formats.kip import KIP
from ddbench.formats.mtt import MTT
from ddbench.formats.project_constants import project_constants
from ddbench.formats.reader import Facts, Read, Reader
from ddbench.formats.tensors import as_images, as_labels

_METHODS = {"tm": "mtt", **{name: name for name in ("mtt", "dc", "dsa", "dm", "kip", "random", "herding", "k-means")}}
_PARTS: tuple[tuple[str, Reader], ...] = (("res_*.pt", DC), ("images_best*.pt", MTT), ("*.npz", KIP))


@dataclass(frozen=True)
class BenchTree:
    """A folder of the tree, or a file in it; the method is in the path."""

    name: str = "dc-bench"
    title: str = "{METHOD}/{DATASET}/IPC{n}/...; {dataset}_IPC{n}[_normalize]_images.pt with ..._labels.pt"
    source: str = "justincui03/dc_benchmark"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read what lies in a folder of the tree, or a file in it.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: It is nothing of DC-BENCH's; or as its projects' formats.
        """
        require_path(path)
        method = facts.method or _method(path)
        for pattern, layout in _PARTS:
            if next(path.glob(pattern), None) if path.is_dir() else path.match(pattern):
                read = layout.read(path, facts, real)
                return replace(read, method=method or read.method)
        return self._pair(path, method, real)

    def _pair(self, path: Path, method: str | None, real: RealSet) -> Read:
        file = one_of(path, ("*_images.pt",), "file of images") if path.is_dir() else path
        labels = labels_sidecar(file)
        if labels is None:
            raise UserError(
                f"{file} is nothing of DC-BENCH's",
                "want  a pair {dataset}_IPC{n}_images.pt and {dataset}_IPC{n}_labels.pt",
                fix="copy both files side by side, or say --format tensors",
            )
        mean, std = project_constants("mtt", real.name)
        notes: list[str] = []
        return Read(
            images=as_images(read_torch(file), file, notes=notes),
            labels=as_labels(read_torch(labels), labels, notes=notes),
            lr_known=True,
            space="meanstd" if "_normalize_" in file.name else "pixels",
            mean=mean,
            std=std,
            method=method,
            protocol="dsa-v1",
            files=(file, labels),
            notes=tuple(notes),
        )


def _method(path: Path) -> str | None:
    """The method that a component of the path names, looked for from the end."""
    for part in reversed(path.parts):
        if (known := _METHODS.get(part.lower().replace("kmeans", "k-means"))) is not None:
            return known
    return None


DC_BENCH = BenchTree()
