"""Training networks on a proxy, each where its scores are not on the cache yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from ddbench.data.realset import RealSet
from ddbench.evaluate.leaderboard.row import without_paths
from ddbench.evaluate.nas.ground_truth import GroundTruth
from ddbench.evaluate.nas.network_scores import NetworkScores
from ddbench.evaluate.nas.proxies import ProxyDataset, ProxySetup, Train, real_proxy
from ddbench.evaluate.nas.space import Space
from ddbench.evaluate.scores import Scores, SplitName
from ddbench.networks import parameter_count
from ddbench.runtime.executors import ReportProgress
from ddbench.runtime.executors.job_progress import SharedProgress
from ddbench.runtime.executors.worker_job import WorkerJob
from ddbench.runtime.provenance import versions

TRUE_SEED = 1000
"""The first seed of networks trained on real data for the truth. Others than those of the rankings, from 0, so that no
ranking gains by first parameters that both have in common."""


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkJob(WorkerJob):
    """Called with a network and seeds, trains them on a proxy: one job of many."""

    moved = ("bench",)
    train: Train
    """Trains networks on the proxy."""
    bench: ProxySetup
    """Real data, protocol and computation."""
    split: SplitName
    """Split that is tested on."""

    def __call__(self, item: tuple[str, Sequence[int]], report: ReportProgress) -> Scores:
        del report
        network, seeds = item
        return self.train(self.here.bench, network, seeds, self.split)


@dataclass(frozen=True, eq=False, kw_only=True)
class Runner:
    """Trains networks where their scores are not known yet."""

    bench: ProxySetup
    """Real data, protocol and computation that all proxies share."""
    folder: Path
    """Folder of every network's scores."""
    seeds: int
    """Trainings of each network."""

    def scores(
        self, proxy: ProxyDataset, networks: Sequence[str], split: SplitName = "validation", first: int = 0
    ) -> tuple[dict[str, tuple[float, ...]], dict[str, float]]:
        """Train networks on a proxy where their scores are not known yet.

        Args:
            proxy: Data that networks are trained on.
            networks: Names of networks.
            split: Split that is tested on.
            first: First seed.

        Returns:
            Accuracies, one a seed from ``first`` on, and seconds of training, both by network.
        """
        seeds = range(first, first + self.seeds)
        cache = NetworkScores(proxy, self.bench, self.folder)
        self._train(cache, [(network, cache.missing(network, seeds, split)) for network in networks], split)
        by_network = {network: cache.scores(network, seeds, split) for network in networks}
        return {name: of.accuracy for name, of in by_network.items()}, {
            name: of.seconds for name, of in by_network.items()
        }

    def _train(self, cache: NetworkScores, missing: Sequence[tuple[str, Sequence[int]]], split: SplitName) -> None:
        """Train what is not on the cache. Every training is a job where an executor does several at once; else those
        of a network are one."""
        compute, by = self.bench.compute, self.bench.compute.executor
        jobs = [(network, list(seeds)) for network, seeds in missing if seeds]
        if by.elsewhere or by.at_once > 1:
            jobs = [(network, [seed]) for network, seeds in jobs for seed in seeds]
        meter = SharedProgress(compute.progress, len(jobs), f"{cache.proxy.label}: networks")
        work = NetworkJob(train=cache.proxy.train, bench=self.bench, split=split, compute=compute.in_job())
        try:
            for position, scores in by.map(work, jobs, meter.on_progress):
                cache.keep(jobs[position][0], split, scores)
                meter.finished(position, accuracy=f"{fmean(scores.accuracy):.4f}")
        finally:
            meter.close()

    def truth(self, networks: Sequence[str], facts: Mapping[str, Any]) -> GroundTruth:
        """Train networks on real data, and test them on the validation split.

        Args:
            networks: Names of networks.
            facts: Facts that the accuracies depend on, as ``facts_of`` has them.

        Returns:
            The table, without test accuracies.
        """
        accuracy, seconds = self.scores(real_proxy(self.bench), networks, first=TRUE_SEED)
        return GroundTruth(accuracy=accuracy, seconds=seconds, facts=facts)

    def tested(self, truth: GroundTruth, networks: Sequence[str]) -> GroundTruth:
        """Add test accuracies to a table.

        Args:
            truth: Table of true accuracies.
            networks: Networks that are tested, which are trained once more for it.

        Returns:
            The table with their test accuracies.
        """
        test, _ = self.scores(real_proxy(self.bench), networks, "test", first=TRUE_SEED)
        return replace(truth, test={**truth.test, **test})


def facts_of(bench: ProxySetup, space: Space, seeds: int) -> dict[str, Any]:
    """Facts that true accuracies depend on.

    Args:
        bench: Real data and protocol.
        space: Space of the networks.
        seeds: Trainings of each network.

    Returns:
        JSON without paths; versions of libraries are among it.
    """
    setting = bench.protocol.setting
    return {
        "dataset": without_paths(bench.real.name),
        "real": bench.real.fingerprint,
        "mirror": bench.real.mirror,
        "protocol": [bench.protocol.key, bench.protocol.fingerprint],
        "epochs": setting.epochs,
        "augmentation": setting.augmentation,
        "space": space.name,
        "seeds": list(range(TRUE_SEED, TRUE_SEED + seeds)),
        "split": "validation",
        "versions": versions(),
    }


def sizes(networks: Sequence[str], real: RealSet) -> dict[str, int]:
    """Numbers of parameters.

    Args:
        networks: Names of networks.
        real: Real set, whose images and classes they are built for.

    Returns:
        Parameters by network.

    Raises:
        UserError: The first network that does not take such images.
    """
    return {network: parameter_count(network, real.shape) for network in networks}
