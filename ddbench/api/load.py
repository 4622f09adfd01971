"""Loading real data and synthetic sets, images and graphs by the same functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, overload

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.graphs import load as graph_sources
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import load_synthetic_graphs
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.domains import domain_of_dataset, domain_of_file
from ddbench.runtime.home import home_folder
from ddbench.runtime.progress import Progress, choose_progress, is_silent
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
        preprocessing: Of images: ``identity``, ``meanstd``, ``zca`` or ``kip``; None takes ``meanstd``.
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
    domain = domain_of_dataset(name)
    options = {"preprocessing": preprocessing, "size": size}
    view: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if view and domain.name != "images":
        extra = next(iter(view))
        raise UserError(f"{name} is a set of {domain.name}, which have no {extra}", fix=f"remove {extra}")
    root = None if data_root is None else Path(data_root)
    context = RunContext(home_folder(home), root, quiet=is_silent(choose_progress(progress)))
    return domain.load(name, validation=validation, seed=seed, context=context, **view)


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
    return domain_of_file(Path(path)).load_set(Path(path))
