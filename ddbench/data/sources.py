"""The table of datasets: what each name means and who loads it. Imports no tensor library."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.data.known_sets import KNOWN
from ddbench.data.split_names import role_of_file
from ddbench.errors import UserError, unknown

if TYPE_CHECKING:
    from ddbench.data.rawdata import RawData, Request


@dataclass(frozen=True)
class DatasetSource:
    """Loader of a data set, and facts about the set for ``ddbench datasets``."""

    target: str
    """The loader, ``"module:function"`` in the package of its domain, of ``Request -> RawData`` for images and of
    ``Request -> RawGraphs`` for graphs."""
    images: str
    """How many images, or other items, for ``ddbench datasets``."""
    classes: int | str
    """How many classes, for ``ddbench datasets``."""
    size: str
    """Size of an item, for ``ddbench datasets``."""
    source: str
    """Origin of the data, for ``ddbench datasets``."""
    domain: str = "images"
    """Name of the domain (``ddbench.pipeline.domain``) whose data it is."""

    def load(self, request: Request) -> RawData:
        """Load the images.

        Args:
            request: Of the recipe.

        Returns:
            The set, before its validation split is cut.

        Raises:
            UserError: It is a set of another domain; or as its loader.
        """
        if self.domain != "images":
            raise other_kind(request, self.domain, "images", "a set of images, such as digits or cifar10")
        return self.loader("ddbench.data")(request)

    def loader(self, package: str) -> Callable[[Request], Any]:
        """Import the function that reads such a set.

        Args:
            package: Package of its kind of data, such as "ddbench.data".

        Returns:
            The function, of a ``Request``.
        """
        module, function = self.target.split(":")
        return getattr(importlib.import_module(f"{package}.{module}"), function)


def other_kind(request: Request, kind: str, wanted: str, choice: str) -> UserError:
    """Make the error for a set of images where graphs are wanted, or the other way round.

    Args:
        request: Of the recipe.
        kind: What the set is of.
        wanted: What is wanted.
        choice: What to choose instead.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"{request.what} is a set of {kind}, and {wanted} are wanted here", request.origin, fix=f"choose {choice}"
    )


LONGEST_NAME = 4096
_DOWNLOADED = "torchvision (downloaded)"
_IMAGENET = "an ImageNet folder, train/<wnid> and val/<wnid>"


def _known(name: str, target: str, source: str) -> DatasetSource:
    """A set of images whose counts are known."""
    facts = KNOWN[name]
    return DatasetSource(target, facts.images_in_words, facts.classes, facts.size_in_words, source)


def _graphs(target: str, source: str) -> DatasetSource:
    return DatasetSource(target, "any, graphs", "any", "any", source, domain="graphs")


SOURCES = {
    "digits": _known("digits", "digits:load", "scikit-learn (embedded)"),
    **{
        name: _known(name, "torchvision_sets:load", _DOWNLOADED)
        for name in ("mnist", "fashion-mnist", "svhn", "cifar10", "cifar100")
    },
    "cifar10-jpeg": _known(
        "cifar10-jpeg", "parquet:load_cifar10_jpeg", "Parquet files, cifar10-jpeg/{train,test}.parquet"
    ),
    "tiny-imagenet": _known("tiny-imagenet", "tiny_imagenet:load", "the official folder, tiny-imagenet-200"),
    **{
        name: _known(name, "imagenet:load", _IMAGENET)
        for name in (
            "imagenette",
            "imagewoof",
            "imagemeow",
            "imagesquawk",
            "imagefruit",
            "imageyellow",
            "imagenet",
        )
    },
    "motifs": DatasetSource(
        "motifs:load", "540 + 60 graphs", 2, "15-25 nodes", "trees with a motif (embedded)", domain="graphs"
    ),
}

PREFIXED = {
    "folder": DatasetSource("image_folder:load", "any", "any", "any", "class folders, PATH/{train,test}/<class>/*"),
    "parquet": DatasetSource("parquet:load", "any", "any", "any", "Parquet files, PATH/{train,test}*.parquet"),
    "npz": DatasetSource("npz:load", "any", "any", "any", "a numpy file with x_train, y_train, x_test, y_test"),
    "hub": DatasetSource("hub:load", "any", "any", "any", "the Hugging Face hub (needs ddbench[hub])"),
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
class DatasetReference:
    """A dataset name taken apart."""

    source: DatasetSource
    """Who loads it."""
    short: str
    """How rows, artifacts and folders call it; it holds no path."""
    what: str
    """The loader's argument."""
    data_root: Path | None = None
    """Where the name itself says the data lies, or None."""


def find_source(name: str, where: str = "") -> DatasetReference:
    """Find who loads a data set.

    ``parquet:PATH/cifar10-jpeg`` is the known set ``cifar10-jpeg`` at that path.

    Args:
        name: Name as in recipes, such as ``cifar10`` or ``folder:/data/birds``.
        where: The place it was read from, for errors; may be empty.

    Returns:
        Loader, short name, and where the name itself says the data lies.

    Raises:
        UserError: There is none (the nearest names are given); or what follows the colon is empty, has not the form of
            a name, or is no text that a path can be.
    """
    _require_text(name, where)
    if name in SOURCES:
        return DatasetReference(SOURCES[name], name, name)
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
        return DatasetReference(PREFIXED[prefix], f"hub-{_slug(what)}", what)
    path = _absolute(what, where)
    if prefix == "parquet" and path.suffix == ".parquet":  # one file of a set, or all of it
        path = path.parent if role_of_file(path.stem) else path.with_suffix("")
    if prefix == "parquet" and path.name == "cifar10-jpeg":
        return DatasetReference(SOURCES["cifar10-jpeg"], "cifar10-jpeg", "cifar10-jpeg", path.parent)
    own = path.stem if prefix == "npz" else path.name
    return DatasetReference(PREFIXED[prefix], f"{prefix}-{_slug(own)}", what)


def _require_text(name: str, location: str) -> None:
    """Refuse a name that no file can have, or that cannot be written into a row."""
    printed = name.encode("utf-8", "backslashreplace").decode()
    if printed != name or "\0" in name or len(name) > LONGEST_NAME:
        why = "it is too long" if len(name) > LONGEST_NAME else "it has a NUL" if "\0" in name else "it is not UTF-8"
        shown = printed if len(printed) < 80 else f"{printed[:80]}..."
        raise UserError(
            f"the dataset {shown!r} cannot be a name",
            f"from  {location}" if location else "",
            f"why   {why}",
            fix="rename the folder or file, or give a link to it",
        )


def _absolute(what: str, location: str) -> Path:
    """The path in full, links followed.

    Raises:
        UserError: One that the system cannot follow.
    """
    try:
        return Path(what).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        try:
            Path.cwd()
        except OSError:
            raise UserError(
                "the current folder does not exist any more",
                f"from  {location}" if location else "",
                fix="change to a folder that does (cd), or give the whole path",
            ) from None
        raise UserError(
            f"{what[:200]} is no path that can be followed",
            f"from  {location}" if location else "",
            f"why   {error.strerror if isinstance(error, OSError) else error}",
            fix="check the path",
        ) from None


def _graph_set(prefix: str, what: str, location: str) -> DatasetReference:
    what = what.strip()
    if not re.fullmatch(_FORM[prefix], what):
        raise UserError(
            f"{prefix}:{what} does not name a set of graphs",
            f"from  {location}" if location else "",
            fix=f"write {prefix}:{_ARGUMENT[prefix]}",
        )
    what = what.removeprefix("ogbg-") if prefix == "ogb" else what
    return DatasetReference(PREFIXED[prefix], f"{prefix}-{_slug(what.rpartition(':')[2])}", what)


def check_dataset_name(name: str, where: str = "") -> None:
    """Refuse a name that no data set has. Nothing is loaded or looked for.

    Args:
        name: The name.
        where: The place it was read from, for the error; may be empty.

    Raises:
        UserError: There is no such data set; gives the nearest names.
    """
    find_source(name, where)


def dataset_table() -> list[dict[str, Any]]:
    """List all data sets for ``ddbench datasets``.

    Returns:
        One row a data set: "name", "images" (train + test) or graphs, "classes", "size", "source".
    """
    rows = list(SOURCES.items())
    rows += [(f"{prefix}:{_ARGUMENT[prefix]}", source) for prefix, source in PREFIXED.items()]
    return [
        {"name": name, "images": s.images, "classes": s.classes, "size": s.size, "source": s.source} for name, s in rows
    ]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "unnamed"
