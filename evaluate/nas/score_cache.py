"""Cache of scores, one file per network, so that what was trained once is not trained again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.artifact import damaged, fingerprint, read_json, write_json
from ddbench.evaluate.nas.proxies import ProxyDataset, ProxySetup
from ddbench.evaluate.scores import Scores, SplitName


@dataclass(frozen=True)
class CachedScore:
    """accuracy: fractions in the order of the seeds asked for. seconds: of their trainings."""

    accuracy: tuple[float, ...]
    seconds: float


class ScoreCache:
    """The scores of networks trained on one proxy, by one protocol, and tested on one real set.

    They lie under ``folder/nas/<fingerprint>/``, the fingerprint being of these three and not of the space, so that
    spaces share what they have in common. More seeds are added to what is there.
    """

    def __init__(self, proxy: ProxyDataset, bench: ProxySetup, folder: Path) -> None:
        self.proxy = proxy
        self.about = about(proxy, bench)
        self.folder = folder / "nas" / fingerprint(self.about)

    def scores(self, network: str, seeds: Sequence[int], split: SplitName) -> CachedScore:
        """A network's accuracies, trained where they are not known yet.

        Raises:
            UserError: A damaged file.
        """
        if missing := self.missing(network, seeds, split):
            self.keep(network, split, self.proxy.score(network, missing, split))
        known = self._read(self.path(network), network)[split]
        chosen = [known[str(seed)] for seed in seeds]
        return CachedScore(tuple(cached["accuracy"] for cached in chosen), sum(cached["seconds"] for cached in chosen))

    def missing(self, network: str, seeds: Sequence[int], split: SplitName) -> list[int]:
        """The seeds whose scores are not known without training.

        Raises:
            UserError: A damaged file.
        """
        known = self._read(self.path(network), network).get(split, {})
        return [seed for seed in seeds if str(seed) not in known]

    def keep(self, network: str, split: SplitName, scores: Scores) -> None:
        """Write down what seeds scored."""
        document = self._read(self.path(network), network)
        known: dict[str, Any] = document.setdefault(split, {})
        for seed, accuracy in zip(scores.seeds, scores.accuracy, strict=True):
            known[str(seed)] = {"accuracy": accuracy, "seconds": scores.seconds / len(scores.seeds)}
        if not (self.folder / ABOUT).exists():
            write_json(self.folder / ABOUT, {**self.about, "label": self.proxy.label})
        write_json(self.path(network), document)

    def path(self, network: str) -> Path:
        return self.folder / f"{re.sub(r'[^a-z0-9_.]+', '-', network.lower()).strip('-')}.json"

    def _read(self, path: Path, network: str) -> dict[str, Any]:
        if not path.exists():
            return {"network": network}
        document = read_json(path, "file of a network's scores")
        if not (isinstance(document, dict) and document.get("network") == network):
            raise damaged(path, f"it does not say that it is of {network}")
        for split in ("validation", "test"):
            for cached in _values(document.get(split, {}), path):
                if not (0 <= _number(cached, "accuracy", path) <= 1 and _number(cached, "seconds", path) >= 0):
                    raise damaged(path, "an accuracy is no fraction, or its seconds are negative")
        return document


ABOUT = "about.json"


def about(proxy: ProxyDataset, bench: ProxySetup) -> dict[str, Any]:
    """Everything that the accuracy of a network and a seed depends on."""
    return {
        "trained on": proxy.identity,
        "real": bench.real.fingerprint,
        "mirror": bench.real.mirror,
        "protocol": [bench.protocol.key, bench.protocol.fingerprint],
    }


def _values(scores: object, path: Path) -> list[Any]:
    if not isinstance(scores, dict):
        raise damaged(path, "its scores are not told by seed")
    return list(scores.values())


def _number(cached: object, key: str, path: Path) -> float:
    value = cached.get(key) if isinstance(cached, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise damaged(path, f"a seed has no {key}")
    return float(value)
