"""Protocols on graphs: every number of the training of fresh networks on a set, frozen and named."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from ddbench.artifact import fingerprint

Sampling = Literal["frequency", "uniform"]


@dataclass(frozen=True, kw_only=True)
class GraphSetting:
    """What a protocol may vary between data sets and networks.

    layers, hidden, dropout: of the network. weight_decay: as ``torch.optim.Adam`` takes it. steps: optimiser steps.
    """

    layers: int
    hidden: int
    dropout: float
    weight_decay: float
    steps: int


@dataclass(frozen=True, kw_only=True)
class GraphProtocol:
    """A training of so many Adam steps, whose state with the best validation ROC-AUC, the earliest, is tested once.

    The loss is the cross-entropy with a set's labels, hard or probabilities. batch: items drawn for a step, with
    replacement; None takes all items, each with the same weight. sampling: how they are drawn, "uniform" or "frequency"
    (``ddbench.evaluate.graphs.batches.chances``). validate_every: steps between validations; the last step is one of
    them. validate_untrained: whether the first parameters are a state like the others. reported: of all networks those
    with the best validation that are reported; None is all. setting: for most data and networks; exceptions: data set,
    family of networks or "" for all, and theirs. notes: what a reader of every score must know.
    """

    name: str
    version: int
    title: str
    source: str
    setting: GraphSetting
    exceptions: tuple[tuple[str, str, GraphSetting], ...] = ()
    lr: float = 1e-3
    batch: int | None = 128
    sampling: Sampling = "frequency"
    validate_every: int = 20
    validate_untrained: bool = False
    reported: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name in recipes and rows, with the version: ``"graphs-v1"``."""
        return f"{self.name}-v{self.version}"

    @property
    def fingerprint(self) -> str:
        """Of every number above, so that results of two definitions can not be taken for one another."""
        return fingerprint({name: value for name, value in asdict(self).items() if name not in _WORDS})

    def setting_for(self, dataset: str, network: str) -> GraphSetting:
        """dataset, network: as in rows."""
        family = network.partition("-")[0]
        found = (own for name, families, own in self.exceptions if name == dataset and families in ("", family))
        return next(found, self.setting)

    def validates_after(self, step: int) -> bool:
        """Whether the state after so many steps is one of those among which is chosen."""
        return step % self.validate_every == 0 and (step > 0 or self.validate_untrained)


_WORDS = ("title", "source", "notes")
