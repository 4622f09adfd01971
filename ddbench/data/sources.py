"""The table of datasets: what each name means and who loads it. Imports no tensor library."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import UserError, unknown

if TYPE_CHECKING:
    from ddbench.data.rawdata import RawData, Request
    from ddbench.graphs.rawgraphs import RawGraphs


@dataclass(frozen=True)
class Source:
    """What a name stands for.

    target: the loader, ``"module:function"`` of ``Request -> RawData``, or of ``Request -> RawGraphs`` where ``graphs``
    says that the set is one of graphs. The rest is what ``ddbench datasets`` shows.
    """

    target: str
    images: str
    classes: int | str
    size: str
    source: str
    graphs: bool = False

    def load(self, request: Request) -> RawData:
        """The images. Errors: UserError for a set of graphs."""
        if self.graphs:
            raise _other_kind(request, "graphs", "images", "a set of images, such as digits or cifar10")
        return self._loader("ddbench.data")(request)

    def load_graphs(self, request: Request) -> RawGraphs:
        """The graphs. Errors: UserError for a set of images."""
        if not self.graphs:
            raise _other_kind(request, "images", "graphs", "a set of graphs, such as motifs or tu:NCI1")
        return self._loader("ddbench.graphs")(request)

    def _loader(self, package: str) -> Callable[[Request], Any]:
        module, function = self.target.split(":")
        return getattr(importlib.import_module(f"{package}.{module}"), function)


def _other_kind(request: Request, found: str, wanted: str, choice: str) -> UserError:
    return UserError(
        f"{request.what} is a set of {found}, and {wanted} are wanted here", request.origin, fix=f"choose {choice}"
    )


_DOWNLOADED = "torchvision (downloaded)"
_IMAGENET = "an ImageNet folder, train/<wnid> and val/<wnid>"


def _subset() -> Source:
    return Source("imagenet:load", "up to 13,000 + 500", 10, "128", _IMAGENET)


def _graphs(target: str, source: str) -> Source:
    return Source(target, "any, graphs", "any", "any", source, graphs=True)


SOURCES = {
    "digits": Source("digits:load", "1,437 + 360", 10, "8, grey", "scikit-learn (embedded)"),
    "mnist": Source("torchvision_sets:load", "60,000 + 10,000", 10, "28, grey", _DOWNLOADED),
    "fashion-mnist": Source("torchvision_sets:load", "60,000 + 10,000", 10, "28, grey", _DOWNLOADED),
    "svhn": Source("torchvision_sets:load", "73,257 + 26,032", 10, "32", _DOWNLOADED),
    "cifar10": Source("torchvision_sets:load", "50,000 + 10,000", 10, "32", _DOWNLOADED),
    "cifar100": Source("torchvision_sets:load", "50,000 + 10,000", 100, "32", _DOWNLOADED),
    "cifar10-jpeg": Source(
        "parquet:load_cifar10_jpeg", "50,000 + 10,000", 10, "32", "Parquet files, cifar10-jpeg/{train,test}.parquet"
    ),
    "tiny-imagenet": Source(
        "tiny_imagenet:load", "100,000 + 10,000", 200, "64", "the official folder, tiny-imagenet-200"
    ),
    "imagenette": _subset(),
    "imagewoof": _subset(),
    "imagemeow": _subset(),
    "imagesquawk": _subset(),
    "imagefruit": _subset(),
    "imageyellow": _subset(),
    "imagenet": Source("imagenet:load", "1,281,167 + 50,000", 1000, "64", _IMAGENET),
    "motifs": Source("motifs:load", "540 + 60 graphs", 2, "15-25 nodes", "trees with a motif (embedded)", graphs=True),
}

PREFIXED = {
    "folder": Source("image_folder:load", "any", "any", "any", "class folders, PATH/{train,test}/<class>/*"),
    "parquet": Source("parquet:load", "any", "any", "any", "Parquet files, PATH/{train,test}*.parquet"),
    "npz": Source("npz:load", "any", "any", "any", "a numpy file with x_train, y_train, x_test, y_test"),
    "hub": Source("hub:load", "any", "any", "any", "the Hugging Face hub (needs ddbench[hub])"),
    "tu": _graphs("tu:load", "the TU collection, PATH/NAME/raw (or downloaded)"),
    "ogb": _graphs("ogb_sets:load", "the Open Graph Benchmark (needs ddbench[ogb])"),
    "pyg": _graphs("pyg_path:load", "a PyG dataset by its Python path"),
}
_ARGUMENT = {
    "folder": "PATH",
    "parquet": "PATH",
    "npz": "PATH",
    "hub": "NAME",
    "tu": "NAME",
    "ogb": "NAME",
    "pyg": "MODULE:CALLABLE",
}
_FORM = {  # of what stands after the colon, where it is neither a path nor decided by a server
    "tu": r"[A-Za-z0-9][\w.-]*",
    "ogb": r"[A-Za-z0-9][\w-]*",
    "pyg": r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*",
}


@dataclass(frozen=True)
class Found:
    """A dataset name taken apart. short: how rows, artefacts and folders call it; it holds no path.

    what: the loader's argument. data_root: where the name itself says the data lies, or None.
    """

    source: Source
    short: str
    what: str
    data_root: Path | None = None


def find_source(name: str, where: str = "") -> Found:
    """Who loads this name. ``parquet:PATH/cifar10-jpeg`` is the known set ``cifar10-jpeg`` at that path.

    Errors: UserError with the nearest names if there is none; UserError if what follows the colon is empty or has not
    the form of a name.
    """
    if name in SOURCES:
        return Found(SOURCES[name], name, name)
    prefix, colon, what = name.partition(":")
    if not colon or prefix not in PREFIXED:
        known = [*SOURCES, *(f"{prefix}:{argument}" for prefix, argument in _ARGUMENT.items())]
        raise unknown("dataset", name, known, where)
    if not what.strip():
        raise UserError(
            f"the dataset {name!r} says nothing after its colon",
            f"from  {where}" if where else "",
            fix=f"write {prefix}:{_ARGUMENT[prefix]}",
        )
    if prefix in _FORM:
        return _graph_set(prefix, what, where)
    if prefix == "hub":
        return Found(PREFIXED[prefix], f"hub-{_slug(what)}", what)
    path = Path(what).expanduser()
    if prefix == "parquet" and path.resolve().name == "cifar10-jpeg":
        return Found(SOURCES["cifar10-jpeg"], "cifar10-jpeg", "cifar10-jpeg", path.resolve().parent)
    own = path.stem if prefix == "npz" else path.resolve().name
    return Found(PREFIXED[prefix], f"{prefix}-{_slug(own)}", what)


def _graph_set(prefix: str, what: str, where: str) -> Found:
    what = what.strip()
    if not re.fullmatch(_FORM[prefix], what):
        raise UserError(
            f"{prefix}:{what} does not name a set of graphs",
            f"from  {where}" if where else "",
            fix=f"write {prefix}:{_ARGUMENT[prefix]}",
        )
    what = what.removeprefix("ogbg-") if prefix == "ogb" else what
    return Found(PREFIXED[prefix], f"{prefix}-{_slug(what.rpartition(':')[2])}", what)


def check_dataset_name(name: str, where: str = "") -> None:
    """Errors: UserError with the nearest names if no dataset is called so. Nothing is loaded or looked for."""
    find_source(name, where)


def dataset_table() -> list[dict[str, Any]]:
    """One row a dataset for ``ddbench datasets``: name, images (train + test) or graphs, classes, size, source."""
    rows = list(SOURCES.items())
    rows += [(f"{prefix}:{_ARGUMENT[prefix]}", source) for prefix, source in PREFIXED.items()]
    return [
        {"name": name, "images": s.images, "classes": s.classes, "size": s.size, "source": s.source} for name, s in rows
    ]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "unnamed"
