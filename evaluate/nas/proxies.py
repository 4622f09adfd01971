"""Proxy data sets that rank networks: a synthetic set, all real images, few of them, or all of them briefly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import torch

from ddbench import artifact
from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.compatibility import check_compatible
from ddbench.evaluate.leaderboard.make_row import synthetic_sha256
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.protocols.protocol import EvaluationContext, Protocol
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import score_real
from ddbench.evaluate.scores import Scores, SplitName
from ddbench.randomness import stream
from ddbench.runtime.executors import Executor
from ddbench.synthetic.synthetic_set import SyntheticSet

PROTOCOL = "nas-v1"


def recipe(epochs: int | None = None, augmentation: str | None = None) -> Protocol:
    """The one training of every network on everything: ``nas-v1``, or it with other epochs or another augmentation."""
    usual = protocol_named(PROTOCOL).with_epochs(epochs)
    chosen = usual.setting.augmentation if augmentation is None else augmentation
    return replace(usual, setting=replace(usual.setting, augmentation=chosen))


@dataclass(frozen=True, eq=False, kw_only=True)
class ProxySetup:
    """Where networks are trained and asked."""

    real: RealSet
    """With a validation split, which ranks them."""
    protocol: Protocol
    device: torch.device
    executor: Executor | None = None

    def to(self, device: torch.device) -> ProxySetup:
        """The same bench on another device, where one process does it all."""
        return replace(self, real=self.real.to(device), device=device, executor=None)

    def score_options(self, network: str, seeds: Sequence[int], split: SplitName) -> dict[str, Any]:
        """What ``score`` and ``score_real`` are told alike."""
        return {
            "protocol": self.protocol,
            "network": network,
            "seeds": seeds,
            "device": self.device,
            "split": split,
            "executor": self.executor,
        }


Train = Callable[[ProxySetup, str, Sequence[int], SplitName], Scores]
"""Trains networks of a name, one a seed, and asks them about a split. It can travel to other processes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ProxyDataset:
    """Something that networks are trained on."""

    label: str
    identity: dict[str, Any]
    """What it is, as JSON that does not depend on names or places."""
    images: int
    """How many are stored."""
    bytes: int
    """What storing them costs."""
    bench: ProxySetup
    train: Train

    def score(self, network: str, seeds: Sequence[int], split: SplitName) -> Scores:
        """The accuracies of a network's seeds on a split."""
        return self.train(self.bench, network, seeds, split)


def synthetic_proxy(syn: SyntheticSet, bench: ProxySetup, label: str | None = None) -> ProxyDataset:
    """Errors: UserError where the set does not fit the real data."""
    check_compatible(syn, bench.real)

    return ProxyDataset(
        label=label or f"{syn.provenance.get('label') or syn.method} ipc {syn.ipc}",
        identity={"synthetic set": synthetic_sha256(syn), "labels": syn.label_kind, "formation": syn.formation},
        images=len(syn),
        bytes=sum(syn.bytes.values()),
        bench=bench,
        train=_OnSet(syn),
    )


def real_proxy(bench: ProxySetup) -> ProxyDataset:
    """All training images: what gives the true ranking."""
    train = bench.real.train
    return _of_real(bench, "real images", {"real images": "all"}, len(train), train.images.nbytes + train.labels.nbytes)


def random_proxy(ipc: int, bench: ProxySetup, seed: int) -> ProxyDataset:
    """``ipc`` random training images of every class, the same for every training, stored as a set stores them."""
    real, generator = bench.real, stream(seed, "nas", "random images", ipc)
    real.require_ipc(ipc)
    of_classes = (real.train.rows_of_class(label).cpu() for label in range(real.classes))
    rows = torch.cat([of_class[torch.randperm(len(of_class), generator=generator)[:ipc]] for of_class in of_classes])
    size = len(rows) * (4 * real.shape.pixels + 8)
    identity = {"real images": artifact.tensors_sha256({"rows": rows})}
    return _of_real(bench, f"random images ipc {ipc}", identity, len(rows), size, rows=rows)


def early_stopped_proxy(syn: SyntheticSet, bench: ProxySetup) -> ProxyDataset:
    """All training images, for as many updates as the set is trained on."""
    steps, train = updates(syn, bench), bench.real.train
    size = train.images.nbytes + train.labels.nbytes
    identity = {"real images": "all", "updates": steps}
    return _of_real(bench, f"early stopping, {steps} updates", identity, len(train), size, steps=steps)


def updates(syn: SyntheticSet, bench: ProxySetup) -> int:
    """How many times a network is updated when it is trained on a set."""
    about = EvaluationContext(
        dataset=bench.real.name,
        network=syn.network,
        batch_norm=False,
        ipc=syn.ipc * syn.formation**2,
        classes=syn.classes,
        size=bench.real.size,
    )
    config = bench.protocol.resolve(about)
    return config.trained_epochs * ceil(len(syn) * syn.formation**2 / config.batch)


def require_validation(real: RealSet) -> None:
    """Errors: UserError where there is nothing to rank networks on but the test split."""
    if not len(real.validation):
        raise UserError(
            f"{real.name} has no validation split, and networks are not ranked on the test split",
            fix="give a set that was distilled with a validation split (validation: 0.1 in its recipe)",
        )


def _of_real(
    bench: ProxySetup, label: str, identity: dict[str, Any], images: int, size: int, **part: Any
) -> ProxyDataset:
    return ProxyDataset(label=label, identity=identity, images=images, bytes=size, bench=bench, train=_OnReal(part))


@dataclass(frozen=True, eq=False)
class _OnSet:
    syn: SyntheticSet

    def __call__(self, bench: ProxySetup, network: str, seeds: Sequence[int], split: SplitName) -> Scores:
        return score(self.syn, bench.real, **bench.score_options(network, seeds, split))


@dataclass(frozen=True, eq=False)
class _OnReal:
    """part: of the images, or of the training."""

    part: dict[str, Any]

    def __call__(self, bench: ProxySetup, network: str, seeds: Sequence[int], split: SplitName) -> Scores:
        return score_real(bench.real, **bench.score_options(network, seeds, split), **self.part)
