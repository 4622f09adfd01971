"""The table of datasets: what each name means and who loads it. Imports no tensor library."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import UserError, unknown

if TYPE_CHECKING:
    from ddbench.data.rawdata import RawData, Request


@dataclass(frozen=True)
class Source:
    """What a name stands for.

    target: the loader, ``"module:function"`` of ``Request -> RawData``. The rest is what ``ddbench datasets`` shows.
    """

    target: str
    images: str
    classes: int | str
    size: str
    source: str

    def load(self, request: Request) -> RawData:
        module, function = self.target.split(":")
        return getattr(importlib.import_module(f"ddbench.data.{module}"), function)(request)


_DOWNLOADED = "torchvision (downloaded)"
_IMAGENET = "an ImageNet folder, train/<wnid> and val/<wnid>"


def _subset() -> Source:
    return Source("imagenet:load", "up to 13,000 + 500", 10, "128", _IMAGENET)


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
}

PREFIXED = {
    "folder": Source("image_folder:load", "any", "any", "any", "class folders, PATH/{train,test}/<class>/*"),
    "parquet": Source("parquet:load", "any", "any", "any", "Parquet files, PATH/{train,test}*.parquet"),
    "npz": Source("npz:load", "any", "any", "any", "a numpy file with x_train, y_train, x_test, y_test"),
    "hub": Source("hub:load", "any", "any", "any", "the Hugging Face hub (needs ddbench[hub])"),
}
_ARGUMENT = {"folder": "PATH", "parquet": "PATH", "npz": "PATH", "hub": "NAME"}


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

    Errors: UserError with the nearest names if there is none; UserError if a path or hub name is empty.
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
    if prefix == "hub":
        return Found(PREFIXED[prefix], f"hub-{_slug(what)}", what)
    path = Path(what).expanduser()
    if prefix == "parquet" and path.resolve().name == "cifar10-jpeg":
        return Found(SOURCES["cifar10-jpeg"], "cifar10-jpeg", "cifar10-jpeg", path.resolve().parent)
    own = path.stem if prefix == "npz" else path.resolve().name
    return Found(PREFIXED[prefix], f"{prefix}-{_slug(own)}", what)


def check_dataset_name(name: str, where: str = "") -> None:
    """Errors: UserError with the nearest names if no dataset is called so. Nothing is loaded or looked for."""
    find_source(name, where)


def dataset_table() -> list[dict[str, Any]]:
    """One row a dataset for ``ddbench datasets``: name, images (train + test), classes, size (pixels), source."""
    rows = list(SOURCES.items())
    rows += [(f"{prefix}:{_ARGUMENT[prefix]}", source) for prefix, source in PREFIXED.items()]
    return [
        {"name": name, "images": s.images, "classes": s.classes, "size": s.size, "source": s.source} for name, s in rows
    ]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "unnamed"
