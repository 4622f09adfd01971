"""Distillation of images from Python, without a recipe."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from ddbench.data import RealSet
from ddbench.distillation.method import Method
from ddbench.distillation.run import last_candidate, run
from ddbench.domains.images.task import make_student, make_task
from ddbench.errors import UserError
from ddbench.estimates.memory_check import Policy, available_bytes, require
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.expert_buffers.metadata import describe_buffer
from ddbench.networks import canonical_network_name
from ddbench.randomness import derive
from ddbench.runtime.compute import Compute
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic
from ddbench.training.teachers import Teachers


def distill_images(
    method: Method,
    name: str,
    real: RealSet,
    ipc: int | None,
    *,
    seed: int,
    compute: Compute,
    network: str | None,
    experts: ExpertBuffer | None,
    teachers: Teachers | None,
    folder: str | Path | None,
    memory: Policy = "refuse",
) -> SyntheticSet:
    """Distill real images; see :func:`ddbench.distill`.

    Args:
        method: The method.
        name: Name under which the set records it.
        real: Images.
        ipc: Images per class.
        seed: Seed of every draw.
        compute: How to distill.
        network: Name of the student.
        experts: Trajectories that the method matches.
        teachers: Networks that the method distills.
        folder: Folder of state and candidates; None keeps none.
        memory: What to do where the estimated peak memory exceeds what is free.

    Returns:
        The set after the last outer step.

    Raises:
        UserError: Network, ipc, experts or teachers are missing or do not fit, or the run does not fit into memory.
    """
    if network is None or ipc is None:
        missing = "network" if network is None else "ipc"
        raise UserError(f"{missing} is missing", fix='call distill(method, real, "convnet-d3", ipc=10)')
    method = method.for_ipc(ipc)
    epochs = method.needed_epochs()
    if method.required_teachers() and teachers is None:
        raise UserError(f"{name} needs teachers", fix="give teachers=ddbench.train_teachers(...)")
    method.validate_data(real, ipc)
    network = canonical_network_name(network)
    if epochs is not None:
        if experts is None:
            raise UserError(f"{name} needs experts", fix="give experts=ddbench.train_experts(...)")
        experts.require_match(describe_buffer(real, network, None, None))
        experts.require_epochs(epochs)
    device = compute.device
    here = real.to(device)
    task = make_task(
        method,
        name,
        here,
        make_student(here, network, seed, device),
        network,
        compute=compute,
        experts=experts,
        teachers=teachers,
    )
    with tempfile.TemporaryDirectory() as temporary:
        run_folder = Path(folder or temporary)
        # the sizes of teachers that a caller gives are not known
        unfinished = teachers is None and not last_candidate(method, run_folder).exists()
        if unfinished and (needed := method.peak_bytes(task.sizes, ipc)):
            require(
                f"distilling by {name} at ipc {ipc}",
                needed,
                device,
                available_bytes(device),
                partial(method.memory_suggestions, task.sizes, ipc),
                policy=memory,
            )
        return load_synthetic(run(method, task, ipc, run_folder, seed=derive(seed, "distill"))[-1])
