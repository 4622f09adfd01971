"""Scoring of real images: the same training on them as on a synthetic set, for bounds, ground truths and teachers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.compatibility import check_teachers_compatible, require_rate, split_of
from ddbench.evaluate.horizon import choosing_split
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.evaluate.score import EvaluationJob, score_seeds
from ddbench.evaluate.scores import Scores, SplitName
from ddbench.evaluate.training.evaluation_config import resolve_config
from ddbench.evaluate.training.real_split import RealSplit
from ddbench.evaluate.training.training_sets import RealTrainingSet
from ddbench.evaluate.training.training_source import TrainingSource
from ddbench.networks import canonical_network_name
from ddbench.runtime.compute import Compute
from ddbench.training.teachers import Teachers


def score_real(
    real: RealSet,
    *,
    protocol: str | Protocol,
    network: str,
    seeds: Sequence[int] = (0,),
    compute: Compute = Compute(),
    split: SplitName = "test",
    rows: Tensor | None = None,
    steps: int | None = None,
    lr: float | None = None,
    teachers: Teachers | None = None,
) -> Scores:
    """Train one fresh network per seed on real training images and test it once, after its last epoch.

    Args:
        real: Real set.
        protocol: Name, such as ``real-v1``, or a protocol.
        network: Name of the network.
        seeds: One network each.
        compute: How networks are trained and tested.
        split: Split of ``real`` that is tested on.
        rows: Positions (n,), int64, in ``real.train`` that are trained on; None for all.
        steps: Updates after which training stops, with the schedule as it is for all of them.
        lr: Rate that training begins with, in the place of the protocol's.
        teachers: Networks that label every batch, under a protocol whose labels are a teacher's.

    Returns:
        Accuracies of the networks, fractions in [0, 1], and what they cost.

    Raises:
        UserError: As in :func:`ddbench.evaluate.score.score`; and where there is no image to train on.
    """
    job = real_job(
        real,
        protocol=protocol,
        network=network,
        networks=len(seeds),
        compute=compute,
        split=split,
        rows=rows,
        steps=steps,
        lr=lr,
        teachers=teachers,
    )
    title = f"train {job.config.network} on {job.source.images} real images"
    return score_seeds(job, seeds, compute, split=split, title=title)


def real_job(
    real: RealSet,
    *,
    protocol: str | Protocol,
    network: str,
    networks: int = 1,
    compute: Compute = Compute(),
    split: SplitName = "test",
    rows: Tensor | None = None,
    steps: int | None = None,
    lr: float | None = None,
    teachers: Teachers | None = None,
) -> EvaluationJob:
    """Resolve the evaluation of networks that are trained on real images.

    Args:
        real: Real set.
        protocol: Name, or a protocol.
        network: Name of the network.
        networks: Networks that are trained in all.
        compute: How networks are trained and tested.
        split: Split of ``real`` that is tested on.
        rows: Positions (n,), int64, in ``real.train``; None for all.
        steps: Updates after which training stops.
        lr: Rate that training begins with; None takes the protocol's.
        teachers: Networks that label every batch, under a protocol whose labels are a teacher's.

    Returns:
        Configuration, training source and split.

    Raises:
        UserError: As in :func:`score_real`.
    """
    require_rate(lr)
    device = compute.device
    chosen = protocol_named(protocol) if isinstance(protocol, str) else protocol
    name = canonical_network_name(network)
    if chosen.loss == "kl" and (chosen.targets == "set" or teachers is None):
        raise UserError(
            f"{chosen.key} needs soft labels, and real images have hard ones",
            fix="give teachers (ddbench teach), or a protocol of cross-entropy",
        )
    check_teachers_compatible(teachers, real)
    images = RealTrainingSet(images=RealSplit(real.train, real.preprocessing, device), rows=rows)
    if not len(images):
        raise UserError("there is no real image to train on", fix="give rows of the training split")
    source = TrainingSource(
        sets=(images,),
        channels=real.channels,
        mirror=real.mirror,
        preprocessing=real.preprocessing.describe(),
        teachers=teachers.to(device) if chosen.targets == "teacher" and teachers is not None else None,
    )
    config = resolve_config(
        chosen,
        name,
        real,
        source,
        ipc=max(1, len(images) // real.classes),
        networks=networks,
        compute=compute,
        lr=lr,
        steps=steps,
    )
    tested = RealSplit(split_of(real, split), real.preprocessing, device)
    return EvaluationJob(config, source, tested, choosing_split(config, real, split, "validation"))
