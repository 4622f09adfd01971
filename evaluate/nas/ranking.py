"""Ranking the networks of a space by what they are trained on, and how well each ranking agrees with the true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from ddbench.data.realset import RealSet
from ddbench.errors import UserError, unknown
from ddbench.evaluate.nas.ground_truth import GroundTruth, differences
from ddbench.evaluate.nas.proxies import (
    ProxyDataset,
    ProxySetup,
    early_stopped_proxy,
    random_proxy,
    real_proxy,
    recipe,
    require_validation,
    synthetic_proxy,
)
from ddbench.evaluate.nas.rank_correlation import RankEstimate, agreement
from ddbench.evaluate.nas.runner import Runner, facts_of, sizes
from ddbench.evaluate.nas.space import Space, draw, part_of
from ddbench.evaluate.nas.space import space as space_named
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.runtime.compute import Compute
from ddbench.synthetic.synthetic_set import SyntheticSet

BASELINES = ("random", "early-stopping", "parameters")
"""As many random images as the set has; all images for as many updates; the number of parameters, without training."""

SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class RankingEntry:
    """One ranking."""

    label: str
    """Name of the set or baseline."""
    images: int
    """Number of images stored."""
    bytes: int
    """Bytes to store them."""
    seconds: float
    """Of all its trainings."""
    scores: Mapping[str, tuple[float, ...]]
    """By network, accuracies of its seeds on validation, or what else it ranks by."""
    measures: Mapping[str, RankEstimate]
    """Agreement with the truth, by name."""
    chosen: str
    """The network it puts first; of ``ties`` with the same score, the first in the space's order."""
    ties: int
    """Number of networks that share the highest score."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Networks, their true accuracies, and how well each set and baseline ranks them."""

    space: str
    """Name of the space."""
    dataset: str
    """Name of the real set."""
    networks: tuple[str, ...]
    """Names of the networks, in the space's order."""
    parameters: Mapping[str, int]
    """How many each network has."""
    truth: GroundTruth
    """Its ``test`` holds the networks that some ranking puts first."""
    best: str
    """By truth."""
    real_images: int
    """Number of real training images."""
    real_bytes: int
    """Bytes to store them."""
    real_seconds: float | None
    """Of training for the truth, None where a table does not say."""
    entries: tuple[RankingEntry, ...]
    """One a set or baseline, in the order given."""
    facts: Mapping[str, Any]
    """What all of this depends on."""
    notes: tuple[str, ...] = ()
    """Notes for readers."""


def rank(
    sets: Sequence[SyntheticSet],
    real: RealSet,
    *,
    folder: Path,
    space: str | Space = "convnet-36",
    baselines: Sequence[str] = ("random", "early-stopping"),
    networks: int | None = None,
    seeds: int = SEEDS,
    seed: int = 0,
    protocol: Protocol | None = None,
    truth: GroundTruth | None = None,
    part: tuple[int, int] | None = None,
    compute: Compute = Compute(),
) -> Ranking:
    """Train networks on each synthetic set, real data, and baselines, and compare their order on the validation split.

    Args:
        sets: Synthetic sets, one at least.
        real: Real set that they were distilled from.
        folder: Folder of every network's scores, written as soon as they are known, so that the same call goes on.
        space: Name of a space of networks, or a space.
        baselines: Names out of "random" and "early-stopping".
        networks: How many, drawn from the space; None is all.
        seeds: Trainings of each.
        seed: Of what is drawn.
        protocol: None is ``recipe()``.
        truth: A table instead of training on real data; then its networks are ranked.
        part: (2, 4) takes the second of every four networks, and tests none.
        compute: How networks are trained and tested.

    Returns:
        Accuracies of all networks on all proxies, and the agreement of each proxy with the truth.

    Raises:
        UserError: Unknown names, networks that do not take these images, sets that do not fit the data, and data
            without a validation split.
    """
    for name in baselines:
        if name not in BASELINES:
            raise unknown("baseline of a ranking", name, BASELINES)
    if not sets:
        raise UserError("there is no synthetic set to rank networks with", fix="give one or more")
    if seeds < 1:
        raise UserError("a ranking needs at least one seed", fix="choose 1 or more")
    require_validation(real)
    of = space if isinstance(space, Space) else space_named(space)
    bench = ProxySetup(real=real.to(compute.device), protocol=protocol or recipe(), compute=compute)
    proxies = _proxies(sets, bench, baselines, seed)
    known = of.networks if truth is None else tuple(network for network in of.networks if network in truth.accuracy)
    chosen = part_of(draw(known, networks, seed), part)
    parameters = sizes(chosen, real)
    runner = Runner(bench=bench, folder=folder, seeds=seeds)
    facts = facts_of(bench, of, seeds)
    notes = [*_unseen(sets, real)]
    if part is not None:
        notes.append(f"this is part {part[0]} of {part[1]} of the networks: without a part, all are ranked")
    if truth is None:
        truth = runner.truth(chosen, facts)
    else:
        notes += [*truth.notes, *differences(truth, facts)]
        truth = truth.only(chosen)
    entries = []
    for proxy in proxies:
        scores, seconds = runner.scores(proxy, chosen)
        compared = _compared(scores, truth, seed)
        cost = {"images": proxy.images, "bytes": proxy.bytes, "seconds": sum(seconds.values())}
        entries.append(RankingEntry(label=proxy.label, **cost, **compared))
    if "parameters" in baselines:
        compared = _compared({name: (float(parameters[name]),) for name in chosen}, truth, seed)
        entries.append(RankingEntry(label="number of parameters", images=0, bytes=0, seconds=0.0, **compared))
    best = _first({name: fmean(truth.accuracy[name]) for name in chosen})[0]
    if not truth.where and part is None:
        truth = runner.tested(truth, list(dict.fromkeys([best, *(entry.chosen for entry in entries)])))
    whole = real_proxy(bench)
    return Ranking(
        space=of.name,
        dataset=real.name,
        networks=chosen,
        parameters=parameters,
        truth=truth,
        best=best,
        real_images=whole.images,
        real_bytes=whole.bytes,
        real_seconds=sum(truth.seconds.values()) if len(truth.seconds) == len(chosen) else None,
        entries=tuple(entries),
        facts=facts,
        notes=tuple(notes),
    )


def _proxies(
    sets: Sequence[SyntheticSet], bench: ProxySetup, baselines: Sequence[str], seed: int
) -> list[ProxyDataset]:
    proxies = [synthetic_proxy(syn, bench) for syn in sets]
    if "random" in baselines:
        proxies += [random_proxy(ipc, bench, seed) for ipc in dict.fromkeys(syn.ipc for syn in sets)]
    if "early-stopping" in baselines:
        proxies += [early_stopped_proxy(syn, bench) for syn in sets]
    different = list({str(proxy.identity): proxy for proxy in reversed(proxies)}.values())[::-1]
    labels = [proxy.label for proxy in different]
    return [
        replace(proxy, label=f"{proxy.label} ({labels[:number].count(proxy.label) + 1})")
        if labels.count(proxy.label) > 1
        else proxy
        for number, proxy in enumerate(different)
    ]


def _compared(scores: Mapping[str, tuple[float, ...]], truth: GroundTruth, seed: int) -> dict[str, Any]:
    """What an entry says of its scores."""
    proxy, true = (np.array([of[network] for network in scores]) for of in (scores, truth.accuracy))
    chosen, ties = _first({network: fmean(values) for network, values in scores.items()})
    return {"scores": scores, "measures": agreement(proxy, true, seed=seed), "chosen": chosen, "ties": ties}


def _first(means: Mapping[str, float]) -> tuple[str, int]:
    """The network with the highest mean, of equals the first, and how many have it."""
    rounded = {network: round(mean, 12) for network, mean in means.items()}
    highest = max(rounded.values())
    equal = [network for network, mean in rounded.items() if mean == highest]
    return equal[0], len(equal)


def _unseen(sets: Sequence[SyntheticSet], real: RealSet) -> list[str]:
    """A note on every set that may have been distilled from images of the validation split."""
    return [
        f"{syn.method} ipc {syn.ipc} was not made from this split of {real.name}: it may have seen validation images"
        for syn in sets
        if syn.provenance.get("real_fingerprint") != real.fingerprint
    ]
