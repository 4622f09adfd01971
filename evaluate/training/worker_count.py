"""Count of worker processes that an evaluation is worth."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ddbench.estimates.memory import activation_floats
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.networks import ImageShape, build_network
from ddbench.runtime.executors import Local
from ddbench.synthetic.synthetic_set import SyntheticSet

WORTH_WORKERS = 3e9
"""Activations in all trainings of one evaluation above which starting processes, a few seconds, is repaid."""


def should_parallelize(syn: SyntheticSet, protocol: Protocol, networks: Iterable[str], seeds: int) -> bool:
    """Whether training ``seeds`` fresh networks of each kind on a set is work enough for several processes."""
    _, channels, size, _ = syn.images.shape
    shape = ImageShape(channels, size, syn.classes)
    floats = sum(activation_floats(build_network(name, shape, seed=0), shape) for name in networks)
    return floats * len(syn.labels) * syn.formation**2 * protocol.trained_epochs * seeds > WORTH_WORKERS


def workers_for(device: torch.device, worth: bool) -> Local | None:
    """As many workers as torch would use threads, on a CPU of several cores; elsewhere, or not worth it, None."""
    cores = torch.get_num_threads()
    return Local(cores) if worth and device.type == "cpu" and cores > 1 else None
