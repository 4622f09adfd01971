"""Training teachers: networks that learn from the whole real training split, by ``real-v1``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ddbench.artefact import fingerprint
from ddbench.data.realset import RealSet
from ddbench.evaluate.exam import TEST_BATCH
from ddbench.evaluate.protocols import PROTOCOLS, Protocol
from ddbench.evaluate.score_real import real_exam
from ddbench.execution import Progress, Silent, code_identity, device_name, versions
from ddbench.feed import Feed
from ddbench.networks import canonical_network_name
from ddbench.randomness import derive
from ddbench.teachers import Teachers, combined, load_teachers
from ddbench.training import consecutive_batches, top1_accuracy


def train_teachers(
    real: RealSet,
    networks: Sequence[str],
    folder: Path,
    *,
    epochs: int | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[], Progress] = Silent,
) -> Teachers:
    """One teacher for each network, in order, kept in a file each under ``folder``; those that are there are read.

    networks: a name given twice is two teachers. epochs: None takes those of ``real-v1``. progress: makes a meter for
    each. Errors: UserError for unknown networks, images they do not take, and damaged files.
    """
    usual = PROTOCOLS["real-v1"]
    course = usual if epochs is None else replace(usual, setting=replace(usual.setting, epochs=epochs))
    every = []
    for number, name in enumerate(map(canonical_network_name, networks)):
        copy = [canonical_network_name(other) for other in networks[:number]].count(name)
        asked = {
            "real": real.fingerprint,
            "mirror": real.mirror,
            "network": name,
            "course": course.fingerprint,
            "seed": seed,
            "copy": copy,
        }
        path = folder / f"{real.name.replace(':', '-')}-{name.replace(':', '-')}-{fingerprint(asked)}.safetensors"
        if not path.exists():
            _taught(real, course, name, seed, copy, torch.device(device), progress()).save(path)
        every.append(load_teachers(path))
    return combined(every)


def _taught(
    real: RealSet, course: Protocol, name: str, seed: int, copy: int, device: torch.device, meter: Progress
) -> Teachers:
    exam = real_exam(real, protocol=course, network=name, device=device)
    meter.start(course.trained_epochs, f"teacher {name}")
    network = exam.trained(derive(seed, "teacher", copy), lambda done, of: meter.update(done)).eval()
    meter.close()
    feed = Feed(exam.real, real.test, device)
    return Teachers(
        networks=(name,),
        states=({key: tensor.cpu().clone() for key, tensor in network.state_dict().items()},),
        channels=real.channels,
        size=real.size,
        classes=real.classes,
        dataset=real.name,
        preprocessing=real.preprocessing.describe(),
        accuracy=(top1_accuracy(network, (feed[rows] for rows in consecutive_batches(len(feed), TEST_BATCH))),),
        provenance={
            "epochs": course.setting.epochs,
            "protocol": course.fingerprint,
            "seed": seed,
            "real_fingerprint": real.fingerprint,
            "device": device_name(device),
            "versions": versions(),
            "code": code_identity(),
        },
    )
