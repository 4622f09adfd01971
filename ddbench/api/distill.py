"""Distillation of images and graphs from Python."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, overload

from ddbench.api.methods import resolve_method
from ddbench.data.realset import RealSet
from ddbench.distillation.job_method import JobMethod
from ddbench.distillation.method import DirectMethod, Method, OptimizedMethod
from ddbench.distillation.run import last_candidate
from ddbench.distillation.run import run as run_method
from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.estimates.memory_check import Policy, available_bytes, require
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.expert_buffers.metadata import describe_buffer
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.networks import FlatNetwork, build_network, canonical_network_name
from ddbench.randomness import derive
from ddbench.runtime.compile import Choice
from ddbench.runtime.device import choose_device
from ddbench.runtime.executors import Executor
from ddbench.runtime.progress import Progress, choose_progress
from ddbench.runtime.provenance import code_identity, device_name, versions
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic
from ddbench.training.teachers import Teachers


@overload
def distill(
    method: str | Method,
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
    progress: bool | Progress | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> SyntheticSet: ...
@overload
def distill(
    method: str | Method,
    real: GraphSet,
    *,
    ipc: int,
    seed: int = 0,
    **settings: Any,
) -> SyntheticGraphs: ...
def distill(
    method: str | Method,
    real: RealSet | GraphSet,
    network: str | None = None,
    ipc: int | None = None,
    *,
    experts: ExpertBuffer | None = None,
    teachers: Teachers | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    compile: Choice = "auto",
    memory: Policy = "refuse",
    progress: bool | Progress | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> SyntheticSet | SyntheticGraphs:
    """Distill real images or graphs into a small synthetic set.

    Args:
        method: A name of ``ddbench.list_methods()``, its settings given as ``**settings``; or a method with its
            settings, such as ``ddbench.methods.MTT(inner_steps=50, ...)``.
        real: What to distill. Graphs take ``method``, ``real``, ``ipc`` (by keyword), ``seed`` and settings alone.
        network: Of images: the student's architecture, a name of ``ddbench.list_networks()``.
        ipc: Images, or graphs at most, per class.
        experts: Expert trajectories (``ddbench.train_experts``), for methods that match them.
        teachers: Teacher networks (``ddbench.train_teachers``), for methods that need them.
        folder: Folder of state and candidates, with which the same call resumes; None keeps none.
        seed: Seed of every draw.
        device: ``auto`` (CUDA where present, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ...
        compile: Whether the student's steps are compiled; ``auto`` compiles where the run is long enough to gain.
        memory: What to do where the estimated peak memory exceeds what is free: ``refuse``, or ``warn`` and begin.
        progress: True or False, or a reporter of your own; None shows a bar on terminals and in notebooks.
        executor: Runs the independent jobs of a method that has some, such as INFER's compensators; None is this
            process.
        **settings: Settings of a method that is given by name, as in a recipe.

    Returns:
        The set after the last outer step: ``SyntheticSet`` for images, ``SyntheticGraphs`` for graphs.

    Raises:
        UserError: The method is unknown or distills the other kind of data, a setting is wrong, experts or teachers
            that the method needs are missing, or the run does not fit into memory.
    """
    if isinstance(real, GraphSet):
        image_options: dict[str, Any] = {
            "network": network,
            "experts": experts,
            "teachers": teachers,
            "folder": folder,
            "executor": executor,
        }
        if extra := [name for name, value in image_options.items() if value is not None]:
            raise UserError(f"{extra[0]} does not apply to graphs", fix="call distill(method, graphs, ipc=...)")
        if ipc is None:
            raise UserError("the number of graphs per class is missing", fix="give ipc, such as ipc=10")
        return _distill_graphs("distill()", method, real, ipc, seed, settings)
    if network is None or ipc is None:
        missing = "network" if network is None else "ipc"
        raise UserError(f"{missing} is missing", fix='call distill(method, real, "convnet-d3", ipc=10)')
    return _distill_images(
        method,
        real,
        network,
        ipc,
        settings,
        experts=experts,
        teachers=teachers,
        folder=folder,
        seed=seed,
        device=device,
        compile=compile,
        memory=memory,
        progress=choose_progress(progress),
        executor=executor,
    )


def distill_graphs(
    method: str | Method, real: GraphSet, ipc: int, *, seed: int = 0, **settings: Any
) -> SyntheticGraphs:
    """Distill graphs; :func:`distill` does the same for images and graphs.

    Args:
        method: A name of ``ddbench.list_methods()``, or a method with its settings.
        real: Graphs to distill.
        ipc: Graphs per class, at most.
        seed: Seed of every draw.
        **settings: Settings of a method that is given by name, as in a recipe.

    Returns:
        The synthetic graphs, or computation trees in their place.

    Raises:
        UserError: The method is unknown or distills images, or a setting is wrong.
    """
    return _distill_graphs("distill_graphs()", method, real, ipc, seed, settings)


def _distill_graphs(
    caller: str, method: str | Method, real: GraphSet, ipc: int, seed: int, settings: dict[str, Any]
) -> SyntheticGraphs:
    name, chosen = resolve_method(method, settings, caller, GraphMethod, "graphs")
    chosen.validate_ipc(ipc)
    real.require_ipc(ipc)
    provenance = {"real_fingerprint": real.fingerprint, "code": code_identity(), "versions": versions()}
    start = time.monotonic()
    task = GraphTask(real=real, method=name, provenance=provenance)
    synthetic = chosen.distill(task, ipc, OuterStep(0, derive(seed, "distill")))
    return replace(synthetic, provenance={**synthetic.provenance, "seconds": time.monotonic() - start})


def _distill_images(
    method: str | Method,
    real: RealSet,
    network: str,
    ipc: int,
    settings: dict[str, Any],
    *,
    experts: ExpertBuffer | None,
    teachers: Teachers | None,
    folder: str | Path | None,
    seed: int,
    device: str,
    compile: Choice,
    memory: Policy,
    progress: Progress,
    executor: Executor | None,
) -> SyntheticSet:
    name, chosen = resolve_method(method, settings, "distill()", (OptimizedMethod, DirectMethod, JobMethod), "images")
    chosen = chosen.for_ipc(ipc)
    epochs = chosen.needed_epochs()
    if chosen.required_teachers() and teachers is None:
        raise UserError(f"{name} needs teachers", fix="give teachers=ddbench.train_teachers(...)")
    chosen.validate_data(real, ipc)
    target, network = choose_device(device), canonical_network_name(network)
    if epochs is not None:
        if experts is None:
            raise UserError(f"{name} needs experts", fix="give experts=ddbench.train_experts(...)")
        experts.require_match(describe_buffer(real, network, None, None))
        experts.require_epochs(epochs)
    module = build_network(network, real.shape, seed=seed)
    digest = None if experts is None or epochs is None else experts.digest(epochs)
    task = Task(
        real=real.to(target),
        network=FlatNetwork(module).to(target),
        network_name=network,
        experts=experts,
        device=target,
        teachers=teachers and teachers.to(target),
        method=name,
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
            "device": device_name(target),
        },
        compile=compile,
    )
    with tempfile.TemporaryDirectory() as temporary:
        run_folder = Path(folder or temporary)
        # the sizes of teachers that a caller gives are not known
        unfinished = teachers is None and not last_candidate(chosen, run_folder).exists()
        if unfinished and (needed := chosen.peak_bytes(task.sizes, ipc)):
            require(
                f"distilling by {name} at ipc {ipc}",
                needed,
                target,
                available_bytes(target),
                partial(chosen.memory_suggestions, task.sizes, ipc),
                policy=memory,
            )
        candidates = run_method(
            chosen, task, ipc, run_folder, seed=derive(seed, "distill"), progress=progress, executor=executor
        )
        return load_synthetic(candidates[-1])
