"""How fresh networks are trained on a synthetic set: frozen, named; a number changes only with a new version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

from ddbench.artefact import fingerprint
from ddbench.errors import unknown


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a protocol varies between data sets and networks.

    epochs: E; the published loop counts 0 to E inclusive, so E + 1 epochs are trained. augmentation: as in
    ``ddbench.augmentation``; "dsa" has no flip where a mirrored image is no longer of its class.
    """

    epochs: int
    augmentation: str

    @property
    def trained_epochs(self) -> int:
        return self.epochs + 1

    @property
    def drop_after(self) -> int:
        """The epoch, counted from 0, after which the learning rate drops."""
        return self.epochs // 2 + 1


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """SGD on the whole synthetic set, tested once, after the last epoch, by top-1 accuracy.

    lr: of SGD; where ``learned_lr`` holds, only of a set that has learned none. drop_factor: multiplies lr once, after
    epoch E // 2 + 1, with a new optimizer, which forgets the momentum. batch: images a step, reshuffled every epoch.
    warm_up: whether a network is first trained, in the same way, on the set's ``warm_images``, where it has some.
    setting: for most data and networks; by_dataset and batch_norm: exceptions, the latter is the stronger.
    """

    name: str
    version: int
    title: str
    source: str
    setting: Setting
    by_dataset: tuple[tuple[str, Setting], ...] = ()
    batch_norm: Setting | None = None
    learned_lr: bool = False
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch: int = 256
    drop_factor: float = 0.1
    warm_up: bool = False

    @property
    def key(self) -> str:
        """The name in recipes and rows, with the version: ``"mtt-v1"``."""
        return f"{self.name}-v{self.version}"

    @property
    def fingerprint(self) -> str:
        """Of every number above, so that results of two definitions can not be taken for one another."""
        untold = {"title", "source", *(() if self.warm_up else ("warm_up",))}
        return fingerprint({name: value for name, value in asdict(self).items() if name not in untold})

    def setting_for(self, dataset: str, *, batch_norm: bool) -> Setting:
        """Epochs and augmentation for this data set (as in rows) and a network with or without batch normalisation."""
        if batch_norm and self.batch_norm is not None:
            return self.batch_norm
        return dict(self.by_dataset).get(dataset, self.setting)


_DSA = Setting(epochs=1000, augmentation="dsa")

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.key: protocol
        for protocol in (
            Protocol(
                name="dc",
                version=1,
                title="dataset condensation: no augmentation but for MNIST and batch-norm networks",
                source="VICO-UoE/DatasetCondensation utils.py: evaluate_synset, get_daparam (arXiv:2006.05929)",
                setting=Setting(epochs=300, augmentation="none"),
                by_dataset=(("mnist", Setting(epochs=1000, augmentation="dc")),),
                batch_norm=Setting(epochs=1000, augmentation="dc-bn"),
            ),
            Protocol(
                name="dsa",
                version=1,
                title="DSA and DM: differentiable siamese augmentation, fixed learning rate",
                source="VICO-UoE/DatasetCondensation utils.py: evaluate_synset, ParamDiffAug (arXiv:2102.08259)",
                setting=_DSA,
            ),
            Protocol(
                name="mtt",
                version=1,
                title="MTT and its family: as dsa-v1, with the learning rate that the set has learned",
                source="GeorgeCazenavette/mtt-distillation utils.py: evaluate_synset (arXiv:2203.11932)",
                setting=_DSA,
                learned_lr=True,
            ),
            Protocol(
                name="ftd-warm-ema",
                version=1,
                title="FTD's released code: mtt-v1 on the images, then again, with the same network, on their average",
                source="AngusDujw/FTD-distillation distill_FTD.py (arXiv:2211.11004): evaluate_synset, twice",
                setting=_DSA,
                learned_lr=True,
                warm_up=True,
            ),
        )
    }
)


def protocol(name: str, where: str = "") -> Protocol:
    """The protocol of this name. where: the place it was read from. Errors: UserError with the nearest names."""
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS, where)
    return PROTOCOLS[name]
