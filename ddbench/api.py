"""The commands as Python functions, for notebooks and scripts: ``ddbench.distill`` and its neighbours."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ddbench.data
from ddbench.commands.options import home_folder
from ddbench.data.realset import RealSet
from ddbench.distillation.job_method import JobMethod
from ddbench.distillation.method import DirectMethod, OptimizedMethod, Task
from ddbench.distillation.run import last_candidate, run
from ddbench.errors import UserError
from ddbench.estimates.memory_check import Policy, available_bytes, require
from ddbench.evaluate.train_teachers import train_teachers as learned_teachers
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.expert_buffers.expert_training import train_experts as record_experts
from ddbench.expert_buffers.metadata import describe_buffer
from ddbench.methods import METHODS
from ddbench.networks import FlatNetwork, build_network, canonical_network_name
from ddbench.randomness import derive
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.settings import validate
from ddbench.recipe.yaml_source import YamlSource
from ddbench.runtime.compile import Choice
from ddbench.runtime.device import choose_device
from ddbench.runtime.executors import Executor
from ddbench.runtime.progress import Progress
from ddbench.runtime.provenance import code_identity, device_name, versions
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic
from ddbench.training.teachers import Teachers

__all__ = ["distill", "load_dataset", "load_synthetic", "open_buffer", "train_experts", "train_teachers"]


def load_dataset(
    name: str,
    *,
    preprocessing: str = "meanstd",
    validation: float = 0.1,
    seed: int = 0,
    home: str | Path | None = None,
    data_root: str | Path | None = None,
    size: int | None = None,
) -> RealSet:
    """A data set by name (``ddbench datasets``), split and preprocessed; see :func:`ddbench.data.load_dataset`.

    home: where caches are kept; None: $DDBENCH_HOME, else ./artefacts.
    """
    return ddbench.data.load_dataset(
        name,
        preprocessing=preprocessing,
        validation=validation,
        seed=seed,
        home=home_folder(None if home is None else Path(home)),
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
    compile: Choice = "auto",
    progress: Progress | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> ExpertBuffer:
    """Train experts into ``folder``, or go on with it; ``settings`` are those of ``experts`` in a recipe.

    compile: whether their training steps are compiled; "auto" does where the run is long enough to gain. executor: who
    trains them (``ddbench.runtime.executors``: Serial, Local, RayExecutor); None is this process, one after the other.
    """
    recipe = validate(ExpertRecipe, settings, YamlSource("train_experts()", settings), ())
    where = choose_device(device)
    return record_experts(
        folder,
        real.to(where),
        network,
        recipe,
        epochs=epochs,
        seed=seed,
        device=where,
        compile=compile,
        progress=progress,
        executor=executor,
    )


def train_teachers(
    real: RealSet,
    networks: Sequence[str],
    folder: str | Path,
    *,
    protocol: str = "real-v1",
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Teachers:
    """Networks that know the whole training split, a file each in ``folder``; what is there is read, not trained."""
    where = choose_device(device)
    return learned_teachers(
        real.to(where), networks, Path(folder), protocol=protocol, epochs=epochs, seed=seed, device=where
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
    teachers: Teachers | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    compile: Choice = "auto",
    memory: Policy = "refuse",
    progress: Progress | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> SyntheticSet:
    """Distil ``real`` with a method (``ddbench methods``); ``settings`` are the method's, as in a recipe.

    folder: where state and candidates are kept, so that the same call continues; None keeps nothing. compile: whether
    the student's steps are compiled; "auto" does where the run is long enough to gain. memory: what happens
    where the estimate of peak memory is above what is free: "refuse", or "warn" and begin. executor: who does the jobs
    of a method that is made of independent ones, such as infer's compensators; None is this process. Returns the set
    after the last outer step. Errors: UserError for wrong settings, a method that distils graphs, what does not
    fit in memory, and where the method needs experts or teachers and has none.
    """
    kind = METHODS.get(method, "distill()")
    chosen = validate(kind, settings, YamlSource("distill()", settings), ())
    if not isinstance(chosen, OptimizedMethod | DirectMethod | JobMethod):
        raise UserError(f"{method} distils graphs, not images", fix="call ddbench.distill_graphs")
    needed = chosen.needed_epochs()
    if chosen.required_teachers() and teachers is None:
        raise UserError(f"{method} needs teachers", fix="give teachers=ddbench.train_teachers(...)")
    chosen.validate_data(real, ipc)
    where, name = choose_device(device), canonical_network_name(network)
    if needed is not None:
        if experts is None:
            raise UserError(f"{method} needs experts", fix="give experts=ddbench.train_experts(...)")
        experts.require_match(describe_buffer(real, name, None, None))
        experts.require_epochs(needed)
    module = build_network(name, channels=real.channels, size=real.size, classes=real.classes, seed=seed)
    digest = None if experts is None or needed is None else experts.digest(needed)
    task = Task(
        real=real.to(where),
        network=FlatNetwork(module).to(where),
        network_name=name,
        experts=experts,
        device=where,
        teachers=teachers and teachers.to(where),
        method=method,
        origin={
            "real images": real.fingerprint,
            "experts": digest,
            **({"teachers": teachers.fingerprint} if teachers else {}),
        },
        provenance={
            "real_fingerprint": real.fingerprint,
            "buffer_fingerprint": digest,
            "code": code_identity(),
            "versions": versions(),
            "device": device_name(where),
        },
        compile=compile,
    )
    with tempfile.TemporaryDirectory() as passing:
        kept = Path(folder or passing)
        to_do = teachers is None and not last_candidate(chosen, kept).exists()  # of given teachers, sizes are not known
        if to_do and (needed := chosen.peak_bytes(task.sizes, ipc)):
            memory_suggestions = partial(chosen.memory_suggestions, task.sizes, ipc)
            require(
                f"distilling by {method} at ipc {ipc}",
                needed,
                where,
                available_bytes(where),
                memory_suggestions,
                policy=memory,
            )
        how = {"seed": derive(seed, "distill"), "progress": progress, "executor": executor}
        return load_synthetic(run(chosen, task, ipc, kept, **how)[-1])
