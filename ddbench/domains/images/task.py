"""The task of a method on images, made once for recipes and for the Python API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ddbench.data import RealSet
from ddbench.distillation.method import Method
from ddbench.distillation.task import Task
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.networks import FlatNetwork, build_network
from ddbench.runtime.compute import Compute
from ddbench.runtime.provenance import code_identity, device_name, versions
from ddbench.training.teachers import Teachers


def make_student(real: RealSet, network: str, seed: int, device: torch.device) -> FlatNetwork:
    """Build the student of a distillation.

    Args:
        real: Images that it is to take.
        network: Canonical name.
        seed: Seed of its first parameters.
        device: Where it computes.

    Returns:
        The network, its parameters one vector (P,).
    """
    return FlatNetwork(build_network(network, real.shape, seed=seed)).to(device)


def make_task(
    method: Method,
    name: str,
    real: RealSet,
    student: FlatNetwork,
    network: str,
    *,
    compute: Compute,
    experts: ExpertBuffer | None = None,
    teachers: Teachers | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Task:
    """Make the task of a method.

    Args:
        method: The method.
        name: Name under which sets record it.
        real: Real images, their inputs on the device that distills.
        student: Student, on that device.
        network: Canonical name of the student.
        compute: How it is distilled.
        experts: Expert buffer, for a method that needs one.
        teachers: Networks that the method distills.
        provenance: What sets are to carry beyond what follows from the other arguments.

    Returns:
        The task, with fingerprints of everything that it follows from.

    Raises:
        UserError: Ranks disagree on the data.
    """
    epochs, device, ranks = method.needed_epochs(), compute.device, compute.ranks
    digest = None if experts is None or epochs is None else experts.digest(epochs)
    notes = () if experts is None else experts.description.notes
    origin = {"real images": real.fingerprint, "experts": None}
    if experts is not None and epochs is not None:
        origin["experts"] = experts.identity(epochs)
    origin |= {"teachers": teachers.fingerprint} if teachers else {}
    ranks.require_same(origin, fix="give all ranks the same home and the same data")
    facts = {
        **({"notes": list(notes)} if notes else {}),
        **(provenance or {}),
        "student": network if method.outer_steps else None,
        "real_fingerprint": real.fingerprint,
        "buffer_fingerprint": digest,
        "expert_seconds": 0.0 if experts is None else experts.seconds,
        "code": code_identity(),
        "versions": versions(),
        "device": ("" if ranks.alone else f"{ranks.world} x ") + device_name(device),
        **({} if device.type == "cpu" else {"precision": compute.precision}),
    }
    return Task(
        real=real,
        network=student,
        network_name=network,
        experts=experts,
        compute=compute,
        teachers=teachers and teachers.to(device),
        method=name,
        origin=origin,
        provenance=facts,
    )
