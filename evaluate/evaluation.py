"""Scoring a synthetic set from Python: ``ddbench.evaluate(syn, real)``."""

from __future__ import annotations

from collections.abc import Sequence

from ddbench.data.realset import RealSet
from ddbench.evaluate.score import Scores, score
from ddbench.execution import Progress, choose_device
from ddbench.synthetic import SyntheticSet


def evaluate(
    syn: SyntheticSet,
    real: RealSet,
    *,
    protocol: str = "mtt-v1",
    network: str | None = None,
    seeds: int | Sequence[int] = 5,
    device: str = "auto",
    progress: Progress | None = None,
) -> Scores:
    """Train fresh networks on ``syn`` and score them on the test split of ``real``: accuracies, mean, std, seconds.

    network: None takes the one it was distilled with. seeds: how many networks, or their seeds.
    """
    where = choose_device(device)
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    return score(syn, real.to(where), protocol=protocol, network=network, seeds=chosen, device=where, progress=progress)
