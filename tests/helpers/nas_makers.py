"""A space of three tiny networks, and trainings that are counted, for the tests of architecture search."""

from types import MappingProxyType

import pytest

from ddbench.evaluate.nas import proxies
from ddbench.evaluate.nas.space import Space
from ddbench.networks import canonical_network_name
from ddbench.networks.names import ConvNetSpec


def tiny_space(**axes) -> Space:
    """Networks of four or eight filters."""
    chosen = MappingProxyType({"width": (4, 8), "depth": (1,), "norm": ("nonorm", "in"), **axes})
    return Space("tiny", "for tests", chosen, lambda choice: ConvNetSpec(**choice).name, canonical_network_name)


class Counted:
    """Trainings, as (kind, network, seeds, split), of every score that is asked for; the ``stop``-th is interrupted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[tuple] = []
        self.stop: int | None = None
        for kind in ("score", "score_real"):
            monkeypatch.setattr(proxies, kind, self._counting(kind, getattr(proxies, kind)))

    def _counting(self, kind, score):
        def counted(*data, **asked):
            if self.stop is not None and len(self.trained) >= self.stop:
                raise KeyboardInterrupt
            part = "rows" if asked.get("rows") is not None else "steps" if asked.get("steps") is not None else ""
            self.trained.append((kind, part, asked["network"], tuple(asked["seeds"]), asked["split"]))
            return score(*data, **asked)

        return counted
