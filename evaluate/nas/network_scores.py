"""Scores of networks on one proxy, of which each training is remembered in a file of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ddbench.artifact import fingerprint, read_json
from ddbench.errors import UserError
from ddbench.evaluate.nas.proxies import ProxyDataset, ProxySetup
from ddbench.evaluate.score_cache import Key, ScoreCache
from ddbench.evaluate.scores import Scores, SplitName


@dataclass(frozen=True, kw_only=True)
class SeedScores:
    """Scores of one network."""

    accuracy: tuple[float, ...]
    """Fractions, one per seed."""
    seconds: float
    """Seconds of all its trainings."""


@dataclass(frozen=True, eq=False)
class NetworkScores:
    """The scores of networks trained on one proxy, by one protocol, and tested on one real set.

    They lie under ``folder/nas/<fingerprint>/``, the fingerprint being of these three and not of the space, so that
    spaces share what they have in common. More seeds are added to what is there.
    """

    proxy: ProxyDataset
    """Data set that networks are trained on."""
    bench: ProxySetup
    """Real data, protocol and computation."""
    folder: Path
    """Folder that measurements share."""

    def scores(self, network: str, seeds: Sequence[int], split: SplitName) -> SeedScores:
        """Accuracies of a network, trained where they are not known yet.

        Args:
            network: Name of the network.
            seeds: One training each.
            split: Split that is tested on.

        Returns:
            Accuracies in the order of ``seeds``, and the seconds of all these trainings, then and now.

        Raises:
            UserError: A damaged file.
        """
        if missing := self.missing(network, seeds, split):
            self.keep(network, split, self.proxy.score(network, missing, split))
        known = [self._known(network, seed, split) for seed in seeds]
        accuracy = tuple(document["accuracy"] for document in known if document)
        return SeedScores(accuracy=accuracy, seconds=sum(document["seconds"] for document in known if document))

    def missing(self, network: str, seeds: Sequence[int], split: SplitName) -> list[int]:
        """Seeds whose scores are not known without training.

        Args:
            network: Name of the network.
            seeds: Seeds to look for.
            split: Split that is tested on.

        Returns:
            Those without a file, in their order.

        Raises:
            UserError: A damaged file.
        """
        return [seed for seed in seeds if self._known(network, seed, split) is None]

    def keep(self, network: str, split: SplitName, scores: Scores) -> None:
        """Write scores, one file a seed.

        Args:
            network: Name of the network.
            split: Split that was tested on.
            scores: Scores of one or more seeds.
        """
        self._cache.keep_seeds({**self._about, "network": network, "split": split}, scores, _slug(network))

    def _known(self, network: str, seed: int, split: SplitName) -> dict[str, Any] | None:
        return self._cache.find({**self._about, "network": network, "split": split, "seed": seed}, _slug(network))

    @cached_property
    def _about(self) -> dict[str, Any]:
        """Everything that the accuracy of a network and a seed depends on but these two."""
        return {
            "trained on": self.proxy.identity,
            "real": self.bench.real.fingerprint,
            "mirror": self.bench.real.mirror,
            "protocol": [self.bench.protocol.key, self.bench.protocol.fingerprint],
        }

    @cached_property
    def _cache(self) -> ScoreCache:
        folder = self.folder / "nas" / fingerprint(self._about)

        def earlier(key: Key) -> object:
            """Read the file in which an older ddbench kept all seeds of a network."""
            try:
                document = read_json(folder / f"{_slug(key['network'])}.json", "file of a network's scores")
                return document[key["split"]][str(key["seed"])] if document["network"] == key["network"] else None
            except (KeyError, TypeError, UserError):
                return None

        return ScoreCache(folder, earlier)


def _slug(network: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "-", network.lower()).strip("-")
