"""Protocols: every number of the training of fresh networks on a synthetic set, frozen and named."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ddbench.artifact import fingerprint
from ddbench.errors import UserError
from ddbench.evaluate.protocols.rules import LARGE, RULES
from ddbench.evaluate.protocols.training_config import (
    Batches,
    EvaluationContext,
    LossName,
    MixingName,
    OptimizerName,
    ProtocolOverrides,
    Schedule,
    Targets,
    TrainingConfig,
)

__all__ = ["EvaluationContext", "Protocol", "ProtocolOverrides", "TrainingConfig"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A training from scratch, tested once, after its last epoch, by top-1 accuracy."""

    name: str
    """Name without the version."""
    version: int
    """Version; a number changes only with a new one."""
    title: str
    """Title for readers."""
    source: str
    """Paper or code that it follows."""
    setting: ProtocolOverrides
    """Epochs and augmentation for most data and networks."""
    by_dataset: tuple[tuple[str, ProtocolOverrides], ...] = ()
    """Exceptions by data set; stronger than ``setting``."""
    batch_norm: ProtocolOverrides | None = None
    """Exception for networks with batch norm; the strongest of all."""
    learned_lr: bool = False
    """Whether training begins with the rate that a set has learned, where it has one."""
    lr: float = 0.01
    """Learning rate; where ``learned_lr`` holds, only of a set that has learned none."""
    momentum: float = 0.9
    """Momentum of SGD."""
    weight_decay: float = 5e-4
    """Weight decay."""
    batch: int = 256
    """Images in a step, reshuffled every epoch."""
    drop_factor: float = 0.1
    """Factor of the rate in the schedules "drop" and "steps"."""
    warm_up: bool = False
    """Whether a network is first trained, in the same way, on the set's ``warm_images``, where it has some."""
    inclusive: bool = True
    """Whether the published loop counts 0 to E, so that E + 1 epochs are trained."""
    optimizer: OptimizerName = "sgd"
    """Optimizer."""
    batches: Batches = "shuffled"
    """Batches of an epoch: all images in random order, or a single one, drawn with as many images of each class, so
    that epochs are steps."""
    classes_per_step: int | None = None
    """Classes of a batch by class, drawn anew for each; None for all."""
    images_per_class: int | None = None
    """Images of each of them; None for all."""
    horizons: tuple[int, ...] = ()
    """Steps after which networks are tested, where the number of steps is chosen on validation; the last is E."""
    decay_kernels_only: bool = False
    """Whether weights of one dimension and biases are left out of the decay."""
    lr_by_network: tuple[tuple[str, float], ...] = ()
    """Rates of networks that have their own."""
    schedule: Schedule = "drop"
    """Schedule of the rate.

    "drop" multiplies it by ``drop_factor`` once, after epoch E // 2 + 1, with a new optimizer, which forgets the
    momentum; "steps" multiplies it by ``drop_factor`` after 2/3 and 5/6 of E; "cosine" is (1 + cos(pi e / E)) / 2 of
    it in epoch e; "half-cosine" (1 + cos(pi e / 2E)) / 2.
    """
    warm_up_epochs: int = 0
    """Epochs over which the rate first grows, linearly, from a hundredth; the schedule has those that are left."""
    mixing: MixingName = "none"
    """Mixing of each batch with a shuffled copy of itself."""
    mix_alpha: float = 1.0
    """Both parameters of the Beta distribution of the share that is mixed."""
    mix_probability: float = 1.0
    """Probability that a batch is mixed."""
    loss: LossName = "ce"
    """Loss: cross-entropy ("ce"), or the KL divergence of both softmaxes, averaged over the images."""
    temperature: float = 1.0
    """Temperature of both softmaxes under the loss "kl"."""
    squared_temperature: bool = False
    """Whether that loss is multiplied by the temperature, squared."""
    targets: Targets = "set"
    """Labels: the set's own, or a teacher's logits of every batch as it is seen."""
    large: ProtocolOverrides | None = None
    """Exception for images of 64 pixels a side and more; weaker than ``batch_norm``."""
    rule: str = ""
    """Name in ``RULES`` that has the last word."""
    network: str = ""
    """Network that is evaluated by default; empty for the one that the set was distilled with."""
    stored_views: bool = False
    """Whether a set's labels of every epoch are shown again in the place of teachers'."""

    @property
    def key(self) -> str:
        """The name in recipes and rows, with the version: ``"mtt-v1"``."""
        return f"{self.name}-v{self.version}"

    @property
    def fingerprint(self) -> str:
        """Fingerprint of every number above, so that results of two definitions are not taken for one another."""
        return fingerprint(_fingerprinted(self))

    @property
    def trained_epochs(self) -> int:
        """Epochs that are trained for most data and networks."""
        return self.setting.epochs + self.inclusive

    def with_epochs(self, epochs: int | None) -> Protocol:
        """Change the number of epochs for all data and networks, which the fingerprint tells apart.

        Args:
            epochs: Epochs E; None leaves the protocol as it is.

        Returns:
            The changed protocol.

        Raises:
            UserError: The epochs follow from a rule.
        """
        if epochs is None:
            return self
        if self.horizons:
            return replace(self, horizons=(), setting=replace(self.setting, epochs=epochs))
        if self.rule:
            raise UserError(f"the epochs of {self.key} follow from a rule", fix="leave --epochs out, or take dsa-v1")
        exceptions = {"batch_norm": self.batch_norm, "large": self.large}
        return replace(
            self,
            setting=replace(self.setting, epochs=epochs),
            by_dataset=tuple((name, replace(setting, epochs=epochs)) for name, setting in self.by_dataset),
            **{name: setting and replace(setting, epochs=epochs) for name, setting in exceptions.items()},
        )

    @property
    def unit(self) -> str:
        """What its epochs are: "epochs", or "steps" where each has one batch."""
        return "steps" if self.batches == "by-class" else "epochs"

    def setting_for(self, about: EvaluationContext) -> ProtocolOverrides:
        """Look up epochs, augmentation and what else differs, for a data set and network.

        Args:
            about: Data set, network and sizes.

        Returns:
            The strongest exception that applies, or the usual setting, after the rule.
        """
        exceptions, whole = dict(self.by_dataset), about.dataset.partition("[")[0]
        chosen = exceptions.get(whole, self.setting)
        if self.large is not None and about.size >= LARGE and whole not in exceptions:
            chosen = self.large
        if self.batch_norm is not None and about.batch_norm:
            chosen = self.batch_norm
        return RULES[self.rule](chosen, about) if self.rule else chosen

    def resolve(self, about: EvaluationContext, lr: float | None = None) -> TrainingConfig:
        """Resolve every number of one training.

        Args:
            about: Data set, network and sizes.
            lr: Rate that training begins with; None takes the protocol's.

        Returns:
            The training's configuration.
        """
        setting = self.setting_for(about)
        rate = dict(self.lr_by_network).get(about.network, self.lr) if setting.lr is None else setting.lr
        own = {name: getattr(self, name) for name in _OWN}
        own_settings = {name: value for name in _OVERRIDABLE if (value := getattr(setting, name)) is not None}
        return TrainingConfig(
            epochs=setting.epochs,
            trained_epochs=setting.epochs + self.inclusive,
            joins_last=about.batch_norm,
            augmentation=setting.augmentation,
            lr=rate if lr is None else lr,
            **{**own, **own_settings},
        )


_OVERRIDABLE = (
    *("batch", "weight_decay", "mixing", "mix_alpha", "mix_probability", "temperature"),
    *("classes_per_step", "images_per_class"),
)
_OWN = (
    *_OVERRIDABLE,
    *("optimizer", "momentum", "decay_kernels_only", "schedule", "drop_factor", "loss", "targets", "batches"),
    *("warm_up_epochs", "squared_temperature"),
)


def _fingerprinted(protocol: Protocol) -> dict[str, Any]:
    """List what a fingerprint is taken of; a field that is at its default need not have existed for the definition."""
    usual = {field.name: field.default for field in fields(Protocol)}
    described: dict[str, Any] = {}
    for name, value in asdict(protocol).items():
        if isinstance(value, dict):
            described[name] = _without_none(value)
        elif name == "by_dataset":
            described[name] = [[dataset, _without_none(setting)] for dataset, setting in value]
        elif name in _FIRST or (name not in ("title", "source") and value != usual[name]):
            described[name] = value
    return described


def _without_none(setting: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in setting.items() if value is not None}


_FIRST = ("name", "version", "batch_norm", "learned_lr", "lr", "momentum", "weight_decay", "batch", "drop_factor")
"""Fields that are part of every fingerprint, whatever their value."""
