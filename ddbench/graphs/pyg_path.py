"""``pyg:package.module:Callable``: any PyG dataset, or function that returns PyG graphs, by its Python path."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ddbench.data.rawdata import Request
from ddbench.errors import UserError, nearest
from ddbench.graphs.codes import ranked
from ddbench.graphs.graphs import graphs_from_pyg
from ddbench.graphs.rawgraphs import RawGraphs


def load(request: Request) -> RawGraphs:
    """Load the graphs that a callable returns: a sequence of PyG ``Data``, each with an integer y.

    It is called with ``root``, a folder of its own under ``home/downloads``, if it has a parameter of that name, else
    with nothing. Classes are numbered in the order of the labels; x and edge_attr are read as ``graphs_from_pyg`` says.

    Args:
        request: ``what`` is ``MODULE:CALLABLE``.

    Returns:
        The graphs.

    Raises:
        UserError: It cannot be imported or called, or what it returns are not labeled graphs.
    """
    sequence = _sequence(request)
    try:
        graphs = graphs_from_pyg(sequence, where=request.where or f"pyg:{request.what}")
    except (UserError, MemoryError):
        raise
    except Exception as error:  # objects that only look like PyG's can fail in any way
        raise _unusable(request, "gives graphs that cannot be read", error) from error
    if len(graphs) == 0 or (graphs.y == -1).all():
        raise UserError(
            f"pyg:{request.what} gives no graphs with classes",
            request.origin,
            f"found    {len(graphs)} graphs{', none of which has a y' if len(graphs) else ''}",
            fix="return graphs with one integer y each",
        )
    y, values = ranked(graphs.y)
    labeled = getattr(sequence[0], "x", None) is not None
    return RawGraphs(
        graphs=replace(graphs, y=y),
        class_names=tuple(str(value) for value in values.tolist()),
        notes=() if labeled else ("the set has no node labels: the degree of a node is its label",),
    )


def _sequence(request: Request) -> list[Any]:
    make = _callable(request)
    root = request.home / "downloads" / "pyg" / request.what.replace(":", ".")
    arguments = {"root": str(root)} if _wants_root(make, request) else {}
    try:
        return list(make(**arguments))
    except UserError:
        raise
    except Exception as error:  # whatever a dataset's own code raises
        raise _unusable(request, "could not be loaded", error) from error


def _callable(request: Request) -> Callable[..., Any]:
    module, _, attribute = request.what.partition(":")
    try:
        target: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(
            f"there is no module {error.name!r}, and pyg:{request.what} needs it",
            request.origin,
            fix="check the path; for a file of your own, put its folder on PYTHONPATH",
        ) from None
    except Exception as error:  # whatever a module's own code raises
        raise _unusable(request, "could not be imported", error) from error
    for name in attribute.split("."):
        if not hasattr(target, name):
            known = [known for known in dir(target) if not known.startswith("_") and callable(getattr(target, known))]
            near = nearest(name, known)
            raise UserError(
                f"{module} has no {attribute!r}",
                request.origin,
                fix=f"did you mean {near!r}?" if near else "check the name after the second colon",
            )
        target = getattr(target, name)
    if not callable(target):
        raise UserError(
            f"pyg:{request.what} is {type(target).__name__}, and cannot be called",
            request.origin,
            fix="give a dataset's class, or a function that returns a sequence of torch_geometric.data.Data",
        )
    return target


def _wants_root(make: Callable[..., Any], request: Request) -> bool:
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):  # a callable written in C
        return False
    missing = [
        name
        for name, parameter in parameters.items()
        if name != "root"
        and parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if missing:
        raise UserError(
            f"pyg:{request.what} wants to be told more than where to keep its files",
            request.origin,
            f"missing  {', '.join(missing)}",
            fix="write a function of your own that gives these and returns the graphs, and name that",
        )
    return "root" in parameters


def _unusable(request: Request, how: str, error: Exception) -> UserError:
    return UserError(
        f"pyg:{request.what} {how}",
        request.origin,
        f"why      {type(error).__name__}: {' '.join(str(error).split())[:300]}",
        fix="mend it, or choose another set; it is called with root=FOLDER where it has that parameter, else with "
        "nothing, and returns a sequence of torch_geometric.data.Data",
    )
