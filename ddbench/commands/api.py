"""The commands as Python functions, for notebooks and scripts: ``ddbench.distill`` and its neighbours."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import ddbench.data
from ddbench.data.realset import RealSet
from ddbench.distillation import carry_out
from ddbench.errors import UserError
from ddbench.execution import Progress, choose_device
from ddbench.expert_buffers.record import train_experts as record_experts
from ddbench.expert_buffers.store import ExpertBuffer
from ddbench.method import Task
from ddbench.methods import METHODS
from ddbench.networks import FlatNetwork, build_network, canonical_network_name
from ddbench.randomness import derive
from ddbench.recipe import ExpertRecipe, validate
from ddbench.source import Source
from ddbench.synthetic import SyntheticSet, load_synthetic

__all__ = ["distill", "load_dataset", "load_synthetic", "open_buffer", "train_experts"]


def load_dataset(
    name: str,
    *,
    preprocessing: str = "meanstd",
    validation: float = 0.1,
    seed: int = 0,
    home: str | Path = "artefacts",
    data_root: str | Path | None = None,
    size: int | None = None,
) -> RealSet:
    """A data set by name (``ddbench datasets``), split and preprocessed; see :func:`ddbench.data.load_dataset`."""
    return ddbench.data.load_dataset(
        name,
        preprocessing=preprocessing,
        validation=validation,
        seed=seed,
        home=Path(home),
        data_root=None if data_root is None else Path(data_root),
        size=size,
    )


def train_experts(
    real: RealSet,
    network: str,
    folder: str | Path,
    *,
    epochs: int,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
    **settings: Any,
) -> ExpertBuffer:
    """Train experts into ``folder``, or go on with it; ``settings`` are those of ``experts`` in a recipe."""
    recipe = validate(ExpertRecipe, settings, Source("train_experts()", settings), ())
    where = choose_device(device)
    return record_experts(
        folder, real.to(where), network, recipe, epochs=epochs, seed=seed, device=where, progress=progress
    )


def open_buffer(folder: str | Path) -> ExpertBuffer:
    """An expert buffer: ``buffer[expert, epoch]`` is a parameter vector (P,)."""
    return ExpertBuffer.open(folder)


def distill(
    method: str,
    real: RealSet,
    network: str,
    ipc: int,
    *,
    experts: ExpertBuffer | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
    **settings: Any,
) -> SyntheticSet:
    """Distil ``real`` with a method (``ddbench methods``); ``settings`` are the method's, as in a recipe.

    folder: where state and candidates are kept, so that the same call continues; None keeps nothing. Returns the set
    after the last outer step. Errors: UserError for wrong settings, and where the method needs experts and has none.
    """
    kind = METHODS.get(method, "distill()")
    chosen = validate(kind, settings, Source("distill()", settings), ())
    needed = chosen.needed_epochs()
    if needed is not None:
        if experts is None:
            raise UserError(f"{method} needs experts", fix="give experts=ddbench.train_experts(...)")
        experts.require_epochs(needed)
    where, name = choose_device(device), canonical_network_name(network)
    real = real.to(where)
    module = build_network(name, channels=real.channels, size=real.size, classes=real.classes, seed=seed)
    flat = FlatNetwork(module).to(where)
    task = Task(real=real, network=flat, network_name=name, experts=experts, device=where)
    with tempfile.TemporaryDirectory() as passing:
        kept = Path(folder or passing)
        last = carry_out(chosen, task, ipc, kept, seed=derive(seed, "distill"), progress=progress)[-1]
        return replace(load_synthetic(last), method=method)
