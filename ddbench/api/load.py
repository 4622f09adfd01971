"""Loading real data and synthetic sets, images and graphs by the same functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, overload

import ddbench.data
from ddbench.artifact import describe
from ddbench.data.realset import RealSet
from ddbench.data.sources import find_source
from ddbench.errors import UserError
from ddbench.graphs import load as graph_sources
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import KIND as SYNTHETIC_GRAPHS
from ddbench.graphs.synthetic_graphs import SyntheticGraphs, load_synthetic_graphs
from ddbench.runtime.home import home_folder
from ddbench.runtime.progress import Progress, choose_progress, is_silent
from ddbench.synthetic import synthetic_set
from ddbench.synthetic.synthetic_set import SyntheticSet

__all__ = ["load_dataset", "load_graphs", "load_synthetic", "load_synthetic_graphs"]

ImageDataset = Literal[
    "digits",
    "mnist",
    "fashion-mnist",
    "svhn",
    "cifar10",
    "cifar10-jpeg",
    "cifar100",
    "tiny-imagenet",
    "imagenette",
    "imagewoof",
    "imagemeow",
    "imagesquawk",
    "imagefruit",
    "imageyellow",
    "imagenet",
]
"""Names of image data sets, for type checkers: these give a ``RealSet``."""

GraphDataset = Literal["motifs"]
"""Names of graph data sets, for type checkers: these give a ``GraphSet``."""


@overload
def load_dataset(
    name: ImageDataset,
    *,
    preprocessing: str | None = None,
    validation: float = 0.1,
    seed: int = 0,
    home: str | Path | None = None,
    data_root: str | Path | None = None,
    size: int | None = None,
    progress: bool | Progress | None = None,
) -> RealSet: ...
@overload
def load_dataset(
    name: GraphDataset,
    *,
    validation: float = 0.1,
    seed: int = 0,
    home: str | Path | None = None,
    data_root: str | Path | None = None,
    progress: bool | Progress | None = None,
) -> GraphSet: ...
@overload
def load_dataset(
    name: str,
    *,
    preprocessing: str | None = None,
    validation: float = 0.1,
    seed: int = 0,
    home: str | Path | None = None,
    data_root: str | Path | None = None,
    size: int | None = None,
    progress: bool | Progress | None = None,
) -> RealSet | Any: ...
def load_dataset(
    name: str,
    *,
    preprocessing: str | None = None,
    validation: float = 0.1,
    seed: int = 0,
    home: str | Path | None = None,
    data_root: str | Path | None = None,
    size: int | None = None,
    progress: bool | Progress | None = None,
) -> RealSet | GraphSet:
    """Load a data set of images or graphs by name, split into train, validation and test.

    Args:
        name: A name of ``ddbench.list_datasets()``, such as ``cifar10``, ``folder:PATH`` or ``tu:NCI1``.
        preprocessing: Of images: ``identity``, ``meanstd`` or ``zca``; None takes ``meanstd``.
        validation: Fraction of the training split, in [0, 1), that is held out for validation.
        seed: Seed of the validation split.
        home: Folder of caches and downloads; None takes $DDBENCH_HOME, else ``./artifacts``.
        data_root: Folder that holds the raw data; None looks in, and downloads to, ``home/downloads``.
        size: Side in pixels to which image files are resized; None keeps their own.
        progress: Whether downloads, decoding and fitting show progress; None shows it on terminals and in notebooks.

    Returns:
        A ``RealSet`` of images, or a ``GraphSet`` where the name is one of graphs.

    Raises:
        UserError: The name is unknown, the data is missing or damaged, or an option does not apply to graphs.
    """
    if find_source(name).source.graphs:
        given = {"preprocessing": preprocessing, "size": size}
        if extra := [option for option, value in given.items() if value is not None]:
            raise UserError(f"{name} is a set of graphs, which have no {extra[0]}", fix=f"remove {extra[0]}")
        return load_graphs(name, validation=validation, seed=seed, home=home, data_root=data_root, progress=progress)
    return ddbench.data.load_dataset(
        name,
        preprocessing=preprocessing or "meanstd",
        validation=validation,
        seed=seed,
        home=home_folder(home),
        data_root=None if data_root is None else Path(data_root),
        size=size,
        quiet=is_silent(choose_progress(progress)),
    )


def load_graphs(
    name: str,
    *,
    validation: float = 0.1,
    seed: int = 0,
    home: str | Path | None = None,
    data_root: str | Path | None = None,
    progress: bool | Progress | None = None,
) -> GraphSet:
    """Load a data set of graphs by name; :func:`load_dataset` does the same for images and graphs.

    Args:
        name: ``motifs``, ``tu:NAME``, ``ogb:NAME`` or ``pyg:MODULE:CALLABLE``.
        validation: Fraction of the shuffled split; a set with an official split keeps it.
        seed: Seed of the shuffled split.
        home: Folder of downloads; None takes $DDBENCH_HOME, else ``./artifacts``.
        data_root: Folder that holds the raw data; None looks in, and downloads to, ``home/downloads``.
        progress: Whether downloads show progress; None shows it on terminals and in notebooks.

    Returns:
        The graphs, split into train, validation and test.

    Raises:
        UserError: The name is unknown or one of images, or the data is missing or damaged.
    """
    return graph_sources.load_graphs(
        name,
        validation=validation,
        seed=seed,
        home=home_folder(home),
        data_root=None if data_root is None else Path(data_root),
        quiet=is_silent(choose_progress(progress)),
    )


def load_synthetic(path: str | Path) -> SyntheticSet | Any:
    """Read a synthetic set of images or graphs from its file.

    Args:
        path: The file (``synthetic.safetensors``).

    Returns:
        A ``SyntheticSet`` of images, or ``SyntheticGraphs`` where the file holds graphs; tensors on the CPU.

    Raises:
        UserError: The file is absent, damaged, or no synthetic set.
    """
    path = Path(path)
    if describe(path).get("kind") == SYNTHETIC_GRAPHS:
        graphs: SyntheticGraphs = load_synthetic_graphs(path)
        return graphs
    return synthetic_set.load_synthetic(path)
