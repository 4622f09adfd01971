"""Proxy data sets that rank networks: a synthetic set, all real images, few of them, or all of them briefly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import torch

from ddbench import artifact
from ddbench.data.class_subset import random_rows
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
from ddbench.runtime.compute import Compute
from ddbench.synthetic.synthetic_set import SyntheticSet

PROTOCOL = "nas-v1"


def recipe(epochs: int | None = None, augmentation: str | None = None) -> Protocol:
    """Protocol of every network on every proxy: ``nas-v1``, or it with other epochs or another augmentation.

    Args:
        epochs: None leaves the protocol's.
        augmentation: Name; None leaves the protocol's.

    Returns:
        The protocol.
    """
    usual = protocol_named(PROTOCOL).with_epochs(epochs)
    chosen = usual.setting.augmentation if augmentation is None else augmentation
    return replace(usual, setting=replace(usual.setting, augmentation=chosen))


@dataclass(frozen=True, eq=False, kw_only=True)
class ProxySetup:
    """Real data, protocol and computation that all proxies share."""

    real: RealSet
    """With a validation split, which ranks them."""
    protocol: Protocol
    """Protocol that every network is trained by on every proxy."""
    compute: Compute
    """How networks are trained and tested."""

    def to(self, device: torch.device) -> ProxySetup:
        """The same setup on another device, where one process does all.

        Args:
            device: Device that trains and tests.

        Returns:
            The setup, without an executor.
        """
        return replace(self, real=self.real.to(device), compute=self.compute.on(device))

    def score_options(self, network: str, seeds: Sequence[int], split: SplitName) -> dict[str, Any]:
        """Arguments that ``score`` and ``score_real`` have in common.

        Args:
            network: Name of the network.
            seeds: One training each.
            split: Split that is tested on.

        Returns:
            Arguments by name.
        """
        return {
            "protocol": self.protocol,
            "network": network,
            "seeds": seeds,
            "compute": self.compute.silent(),
            "split": split,
        }


Train = Callable[[ProxySetup, str, Sequence[int], SplitName], Scores]
"""Trains networks of a name, one a seed, and tests them on a split. It can be sent to other processes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ProxyDataset:
    """Something that networks are trained on."""

    label: str
    """Name for readers."""
    identity: dict[str, Any]
    """What it is, as JSON that does not depend on names or places."""
    images: int
    """How many are stored."""
    bytes: int
    """Bytes to store them."""
    bench: ProxySetup
    """Real data, protocol and computation that all proxies share."""
    train: Train
    """Trains networks on this data."""

    def score(self, network: str, seeds: Sequence[int], split: SplitName) -> Scores:
        """Train a network on the proxy, and test it on real images.

        Args:
            network: Name of the network.
            seeds: One training each.
            split: Split that is tested on.

        Returns:
            Accuracies in the order of ``seeds``, and costs.
        """
        return self.train(self.bench, network, seeds, split)


def synthetic_proxy(syn: SyntheticSet, bench: ProxySetup, label: str | None = None) -> ProxyDataset:
    """Proxy of a synthetic set.

    Args:
        syn: Synthetic set.
        bench: Real data, protocol and computation that all proxies share.
        label: Name for readers; None takes the set's own with its ipc.

    Returns:
        The proxy, whose bytes are those of the stored set.

    Raises:
        UserError: The set does not fit the real data.
    """
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
    """Proxy of all training images, which gives the true ranking.

    Args:
        bench: Real data, protocol and computation that all proxies share.

    Returns:
        The proxy.
    """
    train = bench.real.train
    return _of_real(bench, "real images", {"real images": "all"}, len(train), train.images.nbytes + train.labels.nbytes)


def random_proxy(ipc: int, bench: ProxySetup, seed: int) -> ProxyDataset:
    """Proxy of random training images, the same for every training, stored as a set stores them.

    Args:
        ipc: Images per class.
        bench: Real data, protocol and computation that all proxies share.
        seed: Decides which images are drawn.

    Returns:
        The proxy; an image costs 4 bytes a value, and 8 for its label.

    Raises:
        UserError: A class has fewer images.
    """
    rows = random_rows(bench.real, ipc, stream(seed, "nas", "random images", ipc))
    size = len(rows) * (4 * bench.real.shape.pixels + 8)
    identity = {"real images": artifact.tensors_sha256({"rows": rows})}
    return _of_real(bench, f"random images ipc {ipc}", identity, len(rows), size, rows=rows)


def early_stopped_proxy(syn: SyntheticSet, bench: ProxySetup) -> ProxyDataset:
    """Proxy of all training images, for as many updates as a synthetic set is trained on.

    Args:
        syn: Synthetic set whose updates are matched.
        bench: Real data, protocol and computation that all proxies share.

    Returns:
        The proxy.
    """
    steps, train = updates(syn, bench), bench.real.train
    size = train.images.nbytes + train.labels.nbytes
    identity = {"real images": "all", "updates": steps}
    return _of_real(bench, f"early stopping, {steps} updates", identity, len(train), size, steps=steps)


def updates(syn: SyntheticSet, bench: ProxySetup) -> int:
    """Number of updates of a network that is trained on a set.

    Args:
        syn: Synthetic set; the images of its mosaics count each.
        bench: Real data and protocol.

    Returns:
        Batches of all epochs.
    """
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
    """Check that there is a split to rank networks on.

    Args:
        real: Real set.

    Raises:
        UserError: There is nothing to rank networks on but the test split.
    """
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
