"""Training of teachers, networks that learn from the whole real training split, and download of published ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.artifact import fingerprint
from ddbench.data.loader import ImageLoader
from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.protocols.builtin import Protocol, teaching_protocol
from ddbench.evaluate.score_real import real_job
from ddbench.evaluate.training.checkpoint import TrainingCheckpoint
from ddbench.evaluate.training.networks import is_finite
from ddbench.evaluate.training.train_and_test import TEST_BATCH, train
from ddbench.randomness import derive
from ddbench.runtime.compute import Compute
from ddbench.runtime.progress import Silent
from ddbench.runtime.provenance import code_identity, device_name, versions
from ddbench.training.epoch import consecutive_batches, top1_accuracy
from ddbench.training.pretrained import canonical_teacher, is_pretrained, published, require_teacher_fits
from ddbench.training.pretrained_files import fetched_state
from ddbench.training.teachers import SPLIT, WEIGHTS, Teachers, combined, load_teachers


def train_teachers(
    real: RealSet,
    networks: Sequence[str],
    folder: Path,
    *,
    protocol: str = "real-v1",
    epochs: int | None = None,
    seed: int = 0,
    compute: Compute = Compute(),
) -> Teachers:
    """Train one teacher per network, and keep each in a file of its own under ``folder``; those that exist are read.

    A process killed at any moment loses at most ``compute.checkpoint_seconds`` (or ten times as long as a checkpoint
    takes to write) and the epoch it was in; the same call continues, on the CPU to the same bits.

    Args:
        real: Real set; teachers see its training split.
        networks: Names of networks; a name given twice is two teachers. Published weights
            (``ddbench.training.pretrained``) are downloaded, not trained.
        folder: Folder of the teachers' files.
        protocol: ``real-v1`` or ``squeeze-v1``.
        epochs: Epochs of each training; None takes the protocol's.
        seed: Seed of all teachers.
        compute: How they are trained.

    Returns:
        The teachers, in the order of ``networks``.

    Raises:
        UserError: Before anything is trained, for unknown names, images that they do not take, weights of other
            images; for damaged files; for a training that diverges.
    """
    config = teaching_protocol(protocol).with_epochs(epochs)
    names = checked_teachers(networks, real)
    every = []
    for number, name in enumerate(names):
        if is_pretrained(name):
            path = _path(real, name, folder, {"real": real.fingerprint, WEIGHTS: name})
            if not path.exists():
                _fetched(real, name, compute).save(path)
        else:
            request = _request(real, config, name, seed, copy=names[:number].count(name))
            path = _path(real, name, folder, request)
            unfinished = path.with_name(f".{path.stem}.unfinished")
            checkpoint = TrainingCheckpoint(unfinished, request, compute.device, compute.checkpoint_seconds)
            if not path.exists():
                _trained(real, config, request, compute, checkpoint).save(path)
            checkpoint.discard()
        every.append(load_teachers(path))
    return combined(every)


def checked_teachers(
    networks: Sequence[str], real: RealSet, location: Callable[[int], str] = lambda number: ""
) -> list[str]:
    """Check names of teachers for these images; nothing is trained, or downloaded.

    Args:
        networks: Names of networks or published weights.
        real: Real set.
        location: Place in a recipe that the name of this number was read from.

    Returns:
        Canonical names, in order.

    Raises:
        UserError: As in :func:`train_teachers`.
    """
    names = [canonical_teacher(name, location(number)) for number, name in enumerate(networks)]
    for number, name in enumerate(names):
        try:
            if is_pretrained(name) and name in names[:number]:
                raise UserError(f"the weights {name} are named twice: it would be one teacher", fix="name them once")
            require_teacher_fits(name, real)
        except UserError as error:
            raise error.at(location(number)) if location(number) else error from None
    return names


def _request(real: RealSet, config: Protocol, name: str, seed: int, copy: int) -> dict[str, Any]:
    """Describe all that the parameters of a teacher follow from."""
    return {
        "real": real.fingerprint,
        "mirror": real.mirror,
        "network": name,
        "course": config.fingerprint,
        "seed": seed,
        "copy": copy,
    }


def _path(real: RealSet, name: str, folder: Path, request: Mapping[str, Any]) -> Path:
    plain = f"{real.name}-{name}".replace(":", "-")
    return folder / f"{plain}-{fingerprint(dict(request))}.safetensors"


def _trained(
    real: RealSet, config: Protocol, request: Mapping[str, Any], compute: Compute, checkpoint: TrainingCheckpoint
) -> Teachers:
    """Train a teacher to its last epoch.

    Raises:
        UserError: Its parameters are not finite in the end.
    """
    name, seed, meter = request["network"], request["seed"], compute.progress
    job = real_job(real, protocol=config, network=name, compute=compute)
    meter.start(config.trained_epochs, f"teacher {name}", checkpoint.epochs)
    try:
        network = train(
            job.config,
            job.source,
            derive(seed, "teacher", request["copy"]),
            lambda done, total: meter.update(done),
            checkpoint,
        )
    except BaseException:
        checkpoint.flush()
        raise
    finally:
        meter.close()
    if not is_finite(network):
        checkpoint.discard()
        raise UserError(
            f"teacher {name} diverged: its parameters are not finite",
            f"used  {config.key}, which begins with a rate of {config.lr:g}",
            fix="train it by real-v1, or choose a network with batch norm",
        )
    state = {key: tensor.cpu().clone() for key, tensor in network.state_dict().items()}
    training = {"epochs": config.setting.epochs, "protocol": config.fingerprint, "taught_by": config.key, "seed": seed}
    return _measured(real, name, state, {**training, SPLIT: real.fingerprint}, compute.device)


def _fetched(real: RealSet, name: str, compute: Compute) -> Teachers:
    """Download a teacher of published weights. Where its SPLIT is, it names them: they knew all training images."""
    weights = published(name)
    state = fetched_state(weights, quiet=isinstance(compute.progress, Silent))
    about = {WEIGHTS: [name], "address": weights.address, SPLIT: name}
    return _measured(real, weights.network, state, about, compute.device)


def _measured(
    real: RealSet, network: str, state: dict[str, Tensor], provenance: dict[str, Any], device: torch.device
) -> Teachers:
    """Measure a teacher's accuracy on the test split; its state stays on the CPU."""
    loader = ImageLoader(real.to(device), real.test, device)
    teachers = Teachers(
        networks=(network,),
        states=(state,),
        channels=real.channels,
        size=real.size,
        classes=real.classes,
        dataset=real.name,
        preprocessing=real.preprocessing.describe(),
        accuracy=(),
        provenance={
            **provenance,
            "device": device_name(device),
            "versions": versions(),
            "code": code_identity(),
        },
    )
    batches = loader.batches(consecutive_batches(len(loader), TEST_BATCH))
    return replace(teachers, accuracy=(top1_accuracy(teachers.to(device).member(0), batches),))
