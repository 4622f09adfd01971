"""The true ranking by itself: networks of a space trained on real data, for a table to share."""

from __future__ import annotations

from pathlib import Path

from ddbench.data.realset import RealSet
from ddbench.evaluate.nas.ground_truth import GroundTruth
from ddbench.evaluate.nas.proxies import ProxySetup, recipe, require_validation
from ddbench.evaluate.nas.ranking import SEEDS
from ddbench.evaluate.nas.runner import Runner, facts_of, sizes
from ddbench.evaluate.nas.space import Space, draw, part_of
from ddbench.evaluate.nas.space import space as space_named
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.runtime.compute import Compute


def true_accuracies(
    real: RealSet,
    *,
    folder: Path,
    space: str | Space = "convnet-36",
    networks: int | None = None,
    seeds: int = SEEDS,
    seed: int = 0,
    protocol: Protocol | None = None,
    test: bool = False,
    part: tuple[int, int] | None = None,
    compute: Compute = Compute(),
) -> GroundTruth:
    """Train networks on real data alone, for the true ranking.

    :func:`ddbench.evaluate.nas.rank` uses again what was trained here under ``folder``.

    Args:
        real: Real set.
        folder: Folder of every network's scores, written as soon as they are known, so that the same call goes on.
        space: Name of a space of networks, or a space.
        networks: How many, drawn from the space; None is all.
        seeds: Trainings of each.
        seed: Of what is drawn.
        protocol: None is ``recipe()``.
        test: Also for test accuracies, by a second training.
        part: (2, 4) takes the second of every four networks.
        compute: How networks are trained and tested.

    Returns:
        The table of accuracies.

    Raises:
        UserError: As in ``rank``.
    """
    require_validation(real)
    of = space if isinstance(space, Space) else space_named(space)
    bench = ProxySetup(real=real.to(compute.device), protocol=protocol or recipe(), compute=compute)
    chosen = part_of(draw(of.networks, networks, seed), part)
    sizes(chosen, real)
    runner = Runner(bench=bench, folder=folder, seeds=seeds)
    truth = runner.truth(chosen, facts_of(bench, of, seeds))
    return runner.tested(truth, chosen) if test else truth
