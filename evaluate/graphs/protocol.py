"""Protocols on graphs: every number of the training of fresh networks on a set, frozen and named."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from ddbench.artifact import fingerprint

Sampling = Literal["frequency", "uniform"]


@dataclass(frozen=True, kw_only=True)
class GraphSetting:
    """Numbers that a protocol may vary between data sets and networks."""

    layers: int
    """Of the network."""
    hidden: int
    """Of the network."""
    dropout: float
    """Of the network."""
    weight_decay: float
    """As ``torch.optim.Adam`` takes it."""
    steps: int
    """Optimizer steps."""


@dataclass(frozen=True, kw_only=True)
class GraphProtocol:
    """A training of so many Adam steps, whose state with the best validation ROC-AUC, the earliest, is tested once.

    The loss is the cross-entropy with a set's labels, hard or probabilities.
    """

    name: str
    """Name without version."""
    version: int
    """Number that changes with any other."""
    title: str
    """Summary for readers."""
    source: str
    """Paper and code that the numbers come from."""
    setting: GraphSetting
    """For most data and networks."""
    exceptions: tuple[tuple[str, str, GraphSetting], ...] = ()
    """Data set, family of networks or "" for all, and theirs."""
    lr: float = 1e-3
    """Learning rate of Adam."""
    batch: int | None = 128
    """Items drawn for a step, with replacement; None takes all items, each with the same weight."""
    sampling: Sampling = "frequency"
    """How they are drawn, "uniform" or "frequency" (``ddbench.evaluate.graphs.batches.chances``)."""
    validate_every: int = 20
    """Steps between validations; the last step is one of them."""
    validate_untrained: bool = False
    """Whether the first parameters are a state like the others."""
    reported: int | None = None
    """Of all networks those with the best validation that are reported; None is all."""
    notes: tuple[str, ...] = ()
    """What a reader of every score must know."""

    @property
    def key(self) -> str:
        """The name in recipes and rows, with the version: ``"graphs-v1"``."""
        return f"{self.name}-v{self.version}"

    @property
    def fingerprint(self) -> str:
        """Hash of every number above, so that results of two definitions can not be taken for one another."""
        return fingerprint({name: value for name, value in asdict(self).items() if name not in _WORDS})

    def setting_for(self, dataset: str, network: str) -> GraphSetting:
        """Setting of a data set and a network.

        Args:
            dataset: Name, as in rows.
            network: Name, as in rows; the part before its first hyphen is the family.

        Returns:
            The first exception that names both, else the setting for most.
        """
        family = network.partition("-")[0]
        own_settings = (own for name, families, own in self.exceptions if name == dataset and families in ("", family))
        return next(own_settings, self.setting)

    def validates_after(self, step: int) -> bool:
        """Tell whether the state after so many steps is one of those among which is chosen.

        Args:
            step: Steps done; 0 is the untrained network.

        Returns:
            True for multiples of ``validate_every``, for 0 only under ``validate_untrained``.
        """
        return step % self.validate_every == 0 and (step > 0 or self.validate_untrained)


_WORDS = ("title", "source", "notes")
