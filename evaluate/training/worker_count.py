"""Count of worker processes that an evaluation is worth."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ddbench.estimates.memory import activation_floats
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.networks import ImageShape, build_network
from ddbench.runtime.executors import Executor, Local, Serial
from ddbench.synthetic.synthetic_set import SyntheticSet

WORTH_WORKERS = 3e9
"""Activations in all trainings of one evaluation above which starting processes, a few seconds, is repaid."""

WORTH_RUNNING_WORKERS = 5e8
"""The same where the processes run already, and only have to be sent the images."""


def should_parallelize(
    syn: SyntheticSet, protocol: Protocol, networks: Iterable[str], seeds: int, *, running: bool = False
) -> bool:
    """Tell whether training fresh networks on a set is work enough for several processes.

    Args:
        syn: Synthetic set.
        protocol: Protocol of the training.
        networks: Names of the networks.
        seeds: Fresh networks of each name.
        running: Whether the processes run already.

    Returns:
        True where all values that all trainings compute are more than ``WORTH_WORKERS``, or ``WORTH_RUNNING_WORKERS``.
    """
    _, channels, size, _ = syn.images.shape
    shape = ImageShape(channels, size, syn.classes)
    floats = sum(activation_floats(build_network(name, shape, seed=0), shape) for name in networks)
    least = WORTH_RUNNING_WORKERS if running else WORTH_WORKERS
    return floats * len(syn.labels) * syn.formation**2 * protocol.trained_epochs * seeds > least


def workers_for(device: torch.device, worth: bool) -> Executor:
    """Executor of an evaluation.

    Args:
        device: Device that trains.
        worth: Whether the work is enough for several processes.

    Returns:
        On a CPU of several cores, as many workers as torch would use threads; elsewhere, or not worth it, this process.
    """
    cores = torch.get_num_threads()
    return Local(cores) if worth and device.type == "cpu" and cores > 1 else Serial()
