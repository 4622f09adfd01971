"""What a protocol is: every number of how fresh networks are trained on a synthetic set, frozen and named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from ddbench.artifact import fingerprint

OptimizerName = Literal["sgd", "adamw"]
Schedule = Literal["drop", "constant", "cosine", "half-cosine", "steps"]
MixingName = Literal["none", "cutmix", "mixup"]
LossName = Literal["ce", "kl"]
Targets = Literal["set", "teacher"]


@dataclass(frozen=True, kw_only=True)
class ProtocolOverrides:
    """What a protocol varies between data sets, networks and sizes; None is the protocol's own value.

    epochs: E. augmentation: as in ``ddbench.augmentation``; "dsa" has no flip where a mirrored image is no longer of
    its class. The others: as in :class:`Protocol`.
    """

    epochs: int
    augmentation: str
    batch: int | None = None
    lr: float | None = None
    weight_decay: float | None = None
    mixing: MixingName | None = None
    mix_alpha: float | None = None
    mix_probability: float | None = None
    temperature: float | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationContext:
    """What a setting may depend on.

    dataset: as in rows; some of its classes, ``mnist[0,1]``, count as itself. ipc: images per class as trained on.
    size: pixels a side.
    """

    dataset: str
    network: str
    batch_norm: bool
    ipc: int
    classes: int
    size: int


Rule = Callable[[ProtocolOverrides, EvaluationContext], ProtocolOverrides]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """A protocol as it is carried out on one network and set: every choice made, nothing left to look up.

    epochs: E. trained_epochs: how many there are. joins_last: whether a last batch of a single image is joined to the
    one before it, as for networks with batch norm, which can not normalize one number by itself. Else as in
    :class:`Protocol`.
    """

    epochs: int
    trained_epochs: int
    batch: int
    joins_last: bool
    augmentation: str
    optimizer: OptimizerName
    lr: float
    momentum: float
    weight_decay: float
    decay_kernels_only: bool
    schedule: Schedule
    drop_factor: float
    mixing: MixingName
    mix_alpha: float
    mix_probability: float
    loss: LossName
    temperature: float
    targets: Targets


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A training from scratch, tested once, after its last epoch, by top-1 accuracy.

    inclusive: whether the published loop counts 0 to E, so that E + 1 epochs are trained. lr: where ``learned_lr``
    holds, only of a set that has learned none; lr_by_network: of networks that have their own. batch: images a step,
    reshuffled every epoch. decay_kernels_only: whether weights of one dimension and biases are left out of the decay.
    schedule: "drop" multiplies lr by ``drop_factor`` once, after epoch E // 2 + 1, with a new optimizer, which forgets
    the momentum; "steps" multiplies it by ``drop_factor`` after 2/3 and 5/6 of E; "cosine" is (1 + cos(pi e / E)) / 2
    of it in epoch e; "half-cosine" (1 + cos(pi e / 2E)) / 2. mixing: of each batch with a shuffled copy of itself,
    with ``mix_probability``, by a share from Beta(mix_alpha, mix_alpha). loss: "ce" is cross-entropy, "kl" the
    divergence of both softmaxes at ``temperature``, averaged over the images and not rescaled. targets: the set's own
    labels, or what teachers say of every batch as it is seen. warm_up: whether a network is first trained, in the same
    way, on the set's ``warm_images``, where it has some. setting: for most data and networks; by_dataset, large (64
    pixels a side and more) and batch_norm: exceptions, the later the stronger. rule: a name in ``RULES`` that has the
    last word. stored_views: whether a set's labels of every epoch are shown again in the place of teachers'. network:
    what is evaluated where nobody says; empty is the network the set was distilled with.
    """

    name: str
    version: int
    title: str
    source: str
    setting: ProtocolOverrides
    by_dataset: tuple[tuple[str, ProtocolOverrides], ...] = ()
    batch_norm: ProtocolOverrides | None = None
    learned_lr: bool = False
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch: int = 256
    drop_factor: float = 0.1
    warm_up: bool = False
    inclusive: bool = True
    optimizer: OptimizerName = "sgd"
    decay_kernels_only: bool = False
    lr_by_network: tuple[tuple[str, float], ...] = ()
    schedule: Schedule = "drop"
    mixing: MixingName = "none"
    mix_alpha: float = 1.0
    mix_probability: float = 1.0
    loss: LossName = "ce"
    temperature: float = 1.0
    targets: Targets = "set"
    large: ProtocolOverrides | None = None
    rule: str = ""
    network: str = ""
    stored_views: bool = False

    @property
    def key(self) -> str:
        """The name in recipes and rows, with the version: ``"mtt-v1"``."""
        return f"{self.name}-v{self.version}"

    @property
    def fingerprint(self) -> str:
        """Of every number above, so that results of two definitions can not be taken for one another."""
        return fingerprint(_told(self))

    @property
    def trained_epochs(self) -> int:
        """How many epochs are trained for most data and networks."""
        return self.setting.epochs + self.inclusive

    def setting_for(self, about: EvaluationContext) -> ProtocolOverrides:
        """Epochs, augmentation and what else differs, for this data set and network."""
        exceptions, whole = dict(self.by_dataset), about.dataset.partition("[")[0]
        chosen = exceptions.get(whole, self.setting)
        if self.large is not None and about.size >= LARGE and whole not in exceptions:
            chosen = self.large
        if self.batch_norm is not None and about.batch_norm:
            chosen = self.batch_norm
        return RULES[self.rule](chosen, about) if self.rule else chosen

    def resolve(self, about: EvaluationContext, lr: float | None = None) -> TrainingConfig:
        """Every number of one training. lr: the rate it begins with; None takes the protocol's."""
        setting = self.setting_for(about)
        rate = dict(self.lr_by_network).get(about.network, self.lr) if setting.lr is None else setting.lr
        own = {name: getattr(self, name) for name in _OWN}
        said = {name: value for name in _SAID if (value := getattr(setting, name)) is not None}
        return TrainingConfig(
            epochs=setting.epochs,
            trained_epochs=setting.epochs + self.inclusive,
            joins_last=about.batch_norm,
            augmentation=setting.augmentation,
            lr=rate if lr is None else lr,
            **{**own, **said},
        )


LARGE = 64
_SAID = ("batch", "weight_decay", "mixing", "mix_alpha", "mix_probability", "temperature")
_OWN = (*_SAID, "optimizer", "momentum", "decay_kernels_only", "schedule", "drop_factor", "loss", "targets")


def _told(protocol: Protocol) -> dict[str, Any]:
    """What a fingerprint is taken of: a field that a definition leaves at its default need not have existed for it."""
    usual = {field.name: field.default for field in fields(Protocol)}
    told: dict[str, Any] = {}
    for name, value in asdict(protocol).items():
        if isinstance(value, dict):
            told[name] = _said(value)
        elif name == "by_dataset":
            told[name] = [[dataset, _said(setting)] for dataset, setting in value]
        elif name in _FIRST or (name not in ("title", "source") and value != usual[name]):
            told[name] = value
    return told


def _said(setting: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in setting.items() if value is not None}


_FIRST = ("name", "version", "batch_norm", "learned_lr", "lr", "momentum", "weight_decay", "batch", "drop_factor")
"""Fields that are part of every fingerprint, whatever their value."""


def _rded_rule(setting: ProtocolOverrides, about: EvaluationContext) -> ProtocolOverrides:
    """RDED's batches: 10, 50 and 100 images at ipc 1, 10 and 50, twice that for many classes, never more than exist."""
    batch = 10 if about.ipc < 10 else 50 if about.ipc < 50 else 100
    if about.dataset == "tiny-imagenet":
        batch = 100
    elif about.classes >= 100:
        batch *= 2
    return replace(setting, batch=min(batch, about.ipc * about.classes))


def _idc_rule(setting: ProtocolOverrides, about: EvaluationContext) -> ProtocolOverrides:
    """IDC's ImageNet: the fewer images, the more epochs; with 100 classes and more other rates and batches."""
    if not about.dataset.startswith("image") or about.size < LARGE:
        return setting
    steps = ((1, 3000), (10, 2000), (50, 1500), (200, 1000), (500, 500))
    epochs = next((epochs for ipc, epochs in steps if about.ipc <= ipc), 300)
    if about.classes < 100:
        return replace(setting, epochs=epochs)
    shortened = int(epochs * 2 / 3) // 100 * 100 if about.classes == 100 else epochs
    return replace(setting, epochs=shortened, lr=0.1, weight_decay=1e-4, batch=128)


RULES: Mapping[str, Rule] = MappingProxyType({"rded": _rded_rule, "idc": _idc_rule})
