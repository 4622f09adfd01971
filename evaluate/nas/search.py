"""Searching a space with a synthetic set: it says which networks are good, and real images have the last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.nas.network_scores import NetworkScores
from ddbench.evaluate.nas.proxies import ProxySetup, real_proxy, recipe, require_validation, synthetic_proxy
from ddbench.evaluate.nas.runner import TRUE_SEED, Runner, sizes
from ddbench.evaluate.nas.samplers import Trials, optuna_search, random_search, require_optuna, takes
from ddbench.evaluate.nas.space import Space
from ddbench.evaluate.nas.space import space as space_named
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.networks import canonical_network_name
from ddbench.randomness import derive
from ddbench.runtime.compute import Compute
from ddbench.synthetic.synthetic_set import SyntheticSet

DEFAULT_NETWORK = "convnet-d3"


@dataclass(frozen=True, kw_only=True)
class SearchedNetwork:
    """A network trained on real images."""

    network: str
    """Canonical name."""
    by: str
    """Origin of the network: "search", the random search, or the default."""
    parameters: int
    """Number of parameters."""
    proxy: float | None
    """Its accuracy when trained on the synthetic set."""
    validation: tuple[float, ...]
    """Accuracies of its seeds."""
    test: tuple[float, ...]
    """Accuracies of its seeds."""
    seconds: float
    """Of training on real images."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """Networks that a search tried, and the accuracies of its best on real images."""

    space: str
    """Name of the space."""
    dataset: str
    """Name of the real set."""
    proxy: str
    """Label of the synthetic set."""
    trials: Mapping[str, float]
    """Accuracy on the validation split by network, of Optuna's search, in its order."""
    compared: Mapping[str, float]
    """Of random search."""
    found: tuple[SearchedNetwork, ...]
    """The best by proxy first; then that of random search, then the default network."""
    seconds: float
    """Of training on the synthetic set, in all calls, for the search."""
    compared_seconds: float
    """The same for random search."""
    facts: Mapping[str, Any]
    """Facts that all of this depends on."""


def search(
    syn: SyntheticSet,
    real: RealSet,
    *,
    folder: Path,
    space: str | Space = "convnet-720",
    trials: int = 30,
    seconds: float | None = None,
    top: int = 3,
    seeds: int = 1,
    seed: int = 0,
    compare: bool = False,
    protocol: Protocol | None = None,
    compute: Compute = Compute(),
) -> Search:
    """Let Optuna's TPE look for the network that a synthetic set trains best, then train the best ones on real images.

    Args:
        syn: Synthetic set.
        real: Real set that it was distilled from.
        folder: Folder of all scores. The sampler is seeded, so that the same call goes the same way, and trains nothing
            twice.
        space: Name of a space of networks, or a space.
        trials: Networks trained on the set, at most.
        seconds: Of training on the set, at most; seconds of an earlier call count. None is no limit.
        top: How many are trained on real images, in addition to ``convnet-d3``.
        seeds: Trainings of each network.
        seed: Of the samplers.
        compare: Search at random under the same budget too.
        protocol: None is ``recipe()``.
        compute: How networks are trained and tested.

    Returns:
        All networks tried, and those trained on real images with their accuracies.

    Raises:
        UserError: Without Optuna, for unknown names, a budget of nothing, and as in ``rank``.
    """
    for what, count in (("trial", trials), ("network on top", top), ("seed", seeds)):
        if count < 1:
            raise UserError(f"a search needs at least one {what}", fix="choose 1 or more")
    require_validation(real)
    optuna = require_optuna()
    of = space if isinstance(space, Space) else space_named(space)
    bench = ProxySetup(real=real.to(compute.device), protocol=protocol or recipe(), compute=compute)
    proxy, meter = synthetic_proxy(syn, bench), compute.progress
    searched, compared = (Trials(NetworkScores(proxy, bench, folder), of, real, seeds) for _ in range(2))
    try:
        meter.start(trials, f"{proxy.label}: search")
        searched.run(optuna_search(of, derive(seed, "nas", "search"), searched), trials, seconds, meter.update)
        if compare:
            meter.start(trials, f"{proxy.label}: random search")
            compared.run(random_search(of, seed, compared), trials, seconds, meter.update)
        chosen = [(network, "search") for network in searched.best(top)]
        chosen += [(network, "random search") for network in compared.best(1)]
        if takes(DEFAULT_NETWORK, real):
            chosen.append((canonical_network_name(DEFAULT_NETWORK), "default"))
        worth = {**compared.worth, **searched.worth}
        runner = Runner(bench=bench, folder=folder, seeds=seeds)
        on_real = _on_real(chosen, worth, runner, real)
    finally:
        meter.close()
    setting = bench.protocol.setting
    return Search(
        space=of.name,
        dataset=real.name,
        proxy=proxy.label,
        trials=searched.worth,
        compared=compared.worth,
        found=on_real,
        seconds=searched.seconds,
        compared_seconds=compared.seconds,
        facts={
            "real": real.fingerprint,
            "protocol": [bench.protocol.key, bench.protocol.fingerprint],
            "epochs": setting.epochs,
            "augmentation": setting.augmentation,
            "seeds": seeds,
            "seed": seed,
            "budget": {"trials": trials, "seconds": seconds},
            "optuna": optuna.__version__,
        },
    )


def _on_real(
    chosen: Sequence[tuple[str, str]], worth: Mapping[str, float], runner: Runner, real: RealSet
) -> tuple[SearchedNetwork, ...]:
    """Networks trained on real images: to be ranked, and, once more, to be tested."""
    networks = list(dict.fromkeys(network for network, _ in chosen))
    parameters, proxy = sizes(networks, real), real_proxy(runner.bench)
    validation, seconds = runner.scores(proxy, networks, first=TRUE_SEED)
    test, _ = runner.scores(proxy, networks, "test", first=TRUE_SEED)
    return tuple(
        SearchedNetwork(
            network=network,
            by=by,
            parameters=parameters[network],
            proxy=worth.get(network),
            validation=validation[network],
            test=test[network],
            seconds=seconds[network],
        )
        for network, by in chosen
    )
