"""The commands on graphs as Python functions: ``ddbench.distill_graphs`` and its neighbours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddbench.commands.options import home_folder
from ddbench.distillation.method import OuterStep
from ddbench.errors import UserError
from ddbench.evaluate.graphs.score import GraphScores, score_graphs
from ddbench.graphs import load as sources
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.graphs.synthetic_graphs import SyntheticGraphs, load_synthetic_graphs
from ddbench.methods import METHODS
from ddbench.randomness import derive
from ddbench.recipe.settings import validate
from ddbench.recipe.yaml_source import YamlSource
from ddbench.runtime.device import choose_device
from ddbench.runtime.provenance import code_identity, versions

__all__ = ["distill_graphs", "evaluate_graphs", "load_graphs", "load_synthetic_graphs"]


def load_graphs(
    name: str,
    *,
    validation: float = 0.1,
    seed: int = 0,
    home: str | Path | None = None,
    data_root: str | Path | None = None,
) -> GraphSet:
    """A set of graphs by name (``ddbench datasets``), split; see :func:`ddbench.graphs.load.load_graphs`."""
    return sources.load_graphs(
        name,
        validation=validation,
        seed=seed,
        home=home_folder(None if home is None else Path(home)),
        data_root=None if data_root is None else Path(data_root),
    )


def distill_graphs(method: str, real: GraphSet, ipc: int, *, seed: int = 0, **settings: Any) -> SyntheticGraphs:
    """Distil ``real`` with a method on graphs; ``settings`` are the method's, as in a recipe.

    Errors: UserError for wrong settings, a method that distils images, and what the method itself finds wrong.
    """
    kind = METHODS.get(method, "distill_graphs()")
    if not issubclass(kind, GraphMethod):
        raise UserError(f"{method} distils images, not graphs", fix="call ddbench.distill")
    chosen = validate(kind, settings, YamlSource("distill_graphs()", settings), ())
    chosen.validate_ipc(ipc)
    real.require_ipc(ipc)
    told = {"real_fingerprint": real.fingerprint, "code": code_identity(), "versions": versions()}
    began = time.monotonic()
    made = chosen.distill(
        GraphTask(real=real, method=method, provenance=told), ipc, OuterStep(0, derive(seed, "distill"))
    )
    return replace(made, provenance={**made.provenance, "seconds": time.monotonic() - began})


def evaluate_graphs(
    syn: SyntheticGraphs,
    real: GraphSet,
    *,
    network: str = "gin-sum",
    protocol: str = "graphs-v1",
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    device: str = "auto",
) -> GraphScores:
    """Train fresh networks on ``syn`` and test them on ``real``; see ``ddbench.evaluate.graphs.score``."""
    return score_graphs(syn, real, protocol=protocol, network=network, seeds=seeds, device=choose_device(device))
