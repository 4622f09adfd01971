"""Distillation of images and graphs from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

from ddbench.api.methods import resolve_method
from ddbench.data.realset import RealSet
from ddbench.distillation.method import Method
from ddbench.estimates.memory_check import Policy
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.pipeline.domains import domain_named
from ddbench.runtime.compile import Choice
from ddbench.runtime.compute import Compute, choose_compute
from ddbench.runtime.executors import Executor
from ddbench.runtime.precision import Precision
from ddbench.runtime.progress import Progress
from ddbench.synthetic.synthetic_set import SyntheticSet
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
    precision: Precision = "auto",
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
    precision: Precision = "auto",
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
        precision: Of products and convolutions on a GPU: ``auto`` (what PyTorch does), ``float32`` or ``tf32``.
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
    compute = choose_compute(device, compile=compile, precision=precision, executor=executor, progress=progress)
    own = {"memory": memory} if domain_named(real.DOMAIN).parallel else {"executor": executor}
    options = {"network": network, "experts": experts, "teachers": teachers, "folder": folder, **own}
    return _distill("distill()", method, real, ipc, settings, seed, compute, **options)


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
    return _distill("distill_graphs()", method, real, ipc, settings, seed, Compute())


def _distill(
    caller: str,
    method: str | Method,
    real: RealSet | GraphSet,
    ipc: int | None,
    settings: dict[str, Any],
    seed: int,
    compute: Compute,
    **options: Any,
) -> Any:
    domain = domain_named(real.DOMAIN)
    name, chosen = resolve_method(method, settings, caller, domain)
    chosen = chosen if ipc is None else chosen.for_ipc(ipc)
    return domain.distill(chosen, name, real, ipc, seed=seed, compute=compute, **options)
