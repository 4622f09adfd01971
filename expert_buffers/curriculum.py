"""Difficulty of training images, and the images of an expert's epoch where it has a curriculum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddbench.data.realset import RealSet
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.expert_buffers.trajectory import unflatten_into
from ddbench.networks import build_network
from ddbench.recipe.experts import Curriculum

SCORED_AT_ONCE = 512
"""Images that pass a network together."""


def epoch_rows(order: Tensor, labels: Tensor, curriculum: Curriculum, epoch: int) -> Tensor:
    """Choose the training images of an epoch.

    Args:
        order: Rows of the training split from the easiest to the hardest, (N,), int64.
        labels: Class of each row, (N,), int64.
        curriculum: Shares by epoch.
        epoch: The epoch, counted from 0.

    Returns:
        Rows, class by class, each from easy to hard, (n,), int64. Of a class of n_c images floor(share * n_c) count.
    """
    first, last = shares(curriculum, epoch)
    chosen = []
    for label in labels.unique():
        rows = order[labels[order] == label]
        chosen.append(rows[int(first * len(rows)) : int(last * len(rows))])
    return torch.cat(chosen)


def shares(curriculum: Curriculum, epoch: int) -> tuple[float, float]:
    """Compute the part of each class that an epoch has.

    Args:
        curriculum: Shares by epoch.
        epoch: The epoch, counted from 0.

    Returns:
        The share of the easiest images that is left out, and the share from the easiest on at which the part ends.
    """
    left_out = [share for after, share in curriculum.drop_easiest if epoch > after]
    if left_out:
        return left_out[-1], 1.0
    start = curriculum.start_fraction
    return 0.0, min(1.0, start + (1 - start) * epoch / curriculum.full_at)


@torch.no_grad()
def difficulty(buffer: ExpertBuffer, real: RealSet, curriculum: Curriculum, device: torch.device) -> Tensor:
    """Score how hard the training images are, by networks at the end of a short training.

    Args:
        buffer: The networks' trajectories.
        real: Real data.
        curriculum: Kind of the score, and the epoch of the networks.
        device: Where the networks compute.

    Returns:
        Means over the networks, (N,), float64, on the CPU. ``grand`` is |p - y| * sqrt(1 + |h|^2) with the softmax p,
        the one-hot label y and what the last linear layer sees, h: the norm of the gradient by its weights and bias.

    Source: Paul et al. 2021 (arXiv:2107.07075), with the last layer alone, as DeepCore computes it.
    """
    features: list[Tensor] = []

    def keep_features(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        features.append(inputs[0].flatten(1))

    sums = torch.zeros(len(real.train), dtype=torch.float64)
    for number in range(len(buffer)):
        network = _network(buffer, number, curriculum.epochs, real, device)
        last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        last.register_forward_pre_hook(keep_features)
        for rows in torch.arange(len(real.train)).split(SCORED_AT_ONCE):
            errors = network(real.inputs(real.train, rows).to(device)).softmax(1)
            errors[torch.arange(len(rows)), real.train.labels[rows].to(device)] -= 1
            score, seen = errors.norm(dim=1), features.pop()
            if curriculum.score == "grand":
                score = score * (1 + seen.square().sum(1)).sqrt()
            sums[rows] += score.double().cpu()
    return sums / len(buffer)


def _network(buffer: ExpertBuffer, number: int, epoch: int, real: RealSet, device: torch.device) -> nn.Module:
    """A network in eval mode, with the running statistics that belong to its parameters."""
    network = build_network(buffer.description.network, real.shape, seed=0).to(device).eval()
    unflatten_into(buffer[number, epoch], network.parameters())
    statistics = buffer.statistics(number, epoch)
    if statistics is not None:
        unflatten_into(statistics, network.buffers())
    return network
