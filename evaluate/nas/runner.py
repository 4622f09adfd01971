"""Training networks on a subject, each where its scores are not on the shelf yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from ddbench.data.realset import RealSet
from ddbench.evaluate.marks import SplitName
from ddbench.evaluate.nas.lessons import Bench, Subject, real_subject
from ddbench.evaluate.nas.shelf import Shelf
from ddbench.evaluate.nas.space import Space
from ddbench.evaluate.nas.truth import Truth
from ddbench.evaluate.rows import without_paths
from ddbench.execution import Progress, versions
from ddbench.networks import parameter_count

TRUE_SEED = 1000
"""The first seed of networks trained on real data for the truth. Others than those of the rankings, from 0, so that no
ranking gains by first parameters that both have in common."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Runner:
    """Trains networks where their scores are not known yet. seeds: how many trainings of each."""

    bench: Bench
    folder: Path
    seeds: int
    progress: Progress

    def scores(
        self, subject: Subject, networks: Sequence[str], split: SplitName = "validation", first: int = 0
    ) -> tuple[dict[str, tuple[float, ...]], dict[str, float]]:
        """Accuracies, one a seed from ``first`` on, and seconds of training, both by network."""
        seeds = range(first, first + self.seeds)
        shelf = Shelf(subject, self.bench, self.folder)
        found, seconds = {}, {}
        self.progress.start(len(networks), f"{subject.label}: networks")
        try:
            for done, network in enumerate(networks, start=1):
                kept = shelf.scores(network, seeds, split)
                found[network] = kept.accuracy
                seconds[network] = kept.seconds
                self.progress.update(done, accuracy=f"{fmean(kept.accuracy):.4f}")
        finally:
            self.progress.close()
        return found, seconds

    def truth(self, networks: Sequence[str], facts: Mapping[str, Any]) -> Truth:
        """The networks trained on real data and asked about the validation split."""
        accuracy, seconds = self.scores(real_subject(self.bench), networks, first=TRUE_SEED)
        return Truth(accuracy=accuracy, seconds=seconds, facts=facts)

    def tested(self, truth: Truth, networks: Sequence[str]) -> Truth:
        """The same, with test accuracies of these networks, which are trained once more for it."""
        test, _ = self.scores(real_subject(self.bench), networks, "test", first=TRUE_SEED)
        return replace(truth, test={**truth.test, **test})


def facts_of(bench: Bench, space: Space, seeds: int) -> dict[str, Any]:
    """What true accuracies depend on."""
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
    """Parameters by network. Errors: UserError for the first network that does not take such images."""
    shape = {"channels": real.channels, "size": real.size, "classes": real.classes}
    return {network: parameter_count(network, **shape) for network in networks}
