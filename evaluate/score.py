"""Scoring of a synthetic set: fresh networks are trained on it, and tested on real images it has never seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.compatibility import check_compatible, learning_rate, require_labels, require_rate, split_of
from ddbench.evaluate.horizon import choose_horizon, choosing_split
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.evaluate.scores import Scores, SplitName
from ddbench.evaluate.training.evaluation_config import EvaluationConfig, resolve_config, stack_size
from ddbench.evaluate.training.real_split import RealSplit
from ddbench.evaluate.training.train_and_test import SeedResult, train_and_test
from ddbench.evaluate.training.training_sets import make_training_sets
from ddbench.evaluate.training.training_source import TrainingSource
from ddbench.networks import canonical_network_name
from ddbench.runtime.compute import Compute
from ddbench.runtime.device import peak_bytes, reset_peak, synchronize
from ddbench.runtime.executors import ReportProgress, Serial
from ddbench.runtime.executors.job_progress import SharedProgress
from ddbench.runtime.executors.worker_job import WorkerJob
from ddbench.runtime.oom import memory_errors
from ddbench.runtime.provenance import device_name
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers

__all__ = ["Scores", "score"]


def score(
    syn: SyntheticSet,
    real: RealSet,
    *,
    protocol: str | Protocol,
    network: str | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    compute: Compute = Compute(),
    split: SplitName = "test",
    lr: float | None = None,
    steps: int | None = None,
    teachers: Teachers | None = None,
    horizon_on: SplitName = "validation",
) -> Scores:
    """Train one fresh network per seed on ``syn`` and test it once, after its last epoch, on a split of ``real``.

    Args:
        syn: Synthetic set.
        real: Real set that it was distilled from.
        protocol: Name, such as ``mtt-v1``, or a protocol.
        network: None takes the protocol's own, where it has one, else the one that the set was distilled with.
        seeds: One network each; a seed fixes the first parameters, the shuffling, the augmentation and the mixing, in
            the same way for every method.
        compute: How networks are trained and tested.
        split: Split of ``real`` that is tested on.
        lr: Rate that training begins with, in the place of the protocol's or the learned one.
        steps: Updates in the place of the protocol's epochs, its schedule stretched over them, so that sets of all
            sizes take equally many.
        teachers: Networks that label every batch, under a protocol whose labels are a teacher's; and once, before
            training, a set with hard labels under one that needs soft ones.
        horizon_on: Split on which a protocol of several horizons chooses one; "test" flatters the accuracies on test.

    Returns:
        Accuracies of the networks, fractions in [0, 1], and what they cost.

    Raises:
        UserError: Set, data and teachers do not fit (preprocessing, classes, shape); protocol or network is unknown;
            the split is empty; there are no seeds; teachers are missing; SGD can not use the given or learned rate.
    """
    require_rate(lr)
    device = compute.device
    chosen = protocol_named(protocol) if isinstance(protocol, str) else protocol
    rate, notes = learning_rate(syn, chosen) if lr is None else (lr, [])
    check_compatible(syn, real)
    labels, label_notes = require_labels(syn, chosen, real, teachers)
    labelers = teachers.to(device) if teachers is not None and labels in ("teachers", "teachers, once") else None
    source = TrainingSource(
        sets=make_training_sets(
            syn.to(device), warm_up=chosen.warm_up, teachers=labelers if labels == "teachers, once" else None
        ),
        channels=real.channels,
        mirror=real.mirror,
        preprocessing=real.preprocessing.describe(),
        teachers=labelers if labels == "teachers" else None,
        stored=None if labels != "stored" or syn.epoch_labels is None else syn.epoch_labels.to(device),
    )
    tested = RealSplit(split_of(real, split), real.preprocessing, device)
    config = resolve_config(
        chosen,
        canonical_network_name(network or chosen.network or syn.network),
        real,
        source,
        ipc=syn.shown_ipc,
        networks=len(seeds),
        compute=compute,
        lr=rate,
        steps=steps,
        stretch=True,
    )
    if chosen.warm_up and syn.warm_images is None:
        notes.append(f"no images to warm up on, so {chosen.key} trained as mtt-v1 does")
    if syn.warm_images is not None and not chosen.warm_up:
        notes.append(f"carries images to warm up on, which {chosen.key} does not use and its bytes count")
    scores = score_seeds(
        EvaluationJob(config, source, tested, choosing_split(config, real, split, horizon_on)),
        seeds,
        compute,
        split=split,
        title=f"evaluate {syn.method} ipc {syn.ipc}",
        notes=(*notes, *label_notes),
    )
    return replace(scores, steps=steps)


@dataclass(frozen=True)
class JobResult:
    """Results of networks that were trained in one job."""

    seeds: list[SeedResult]
    """One result per seed."""
    device: str
    """Name of the device that trained them."""
    peak_bytes: int
    """Memory that the process took at most."""


@dataclass(frozen=True, eq=False)
class EvaluationJob:
    """Training and test of networks, as executors run it; called with the seeds of networks that are trained at once.

    Only the images that are trained on and the split that is tested travel to a worker.
    """

    config: EvaluationConfig
    """Resolved evaluation."""
    source: TrainingSource
    """Images to train on, on the device of ``config``."""
    split: RealSplit
    """Images to test on."""
    choosing: RealSplit | None = None
    """Validation images to choose a horizon on; None where there is nothing to choose, or it is chosen on ``split``."""

    def to(self, device: torch.device) -> EvaluationJob:
        """Move the job to a device.

        Args:
            device: Device that trains and tests.

        Returns:
            The job there; itself where it is there already.
        """
        if device == self.config.device:
            return self
        config = replace(self.config, compute=self.config.compute.on(device))
        choosing = self.choosing and self.choosing.to(device)
        return EvaluationJob(config, self.source.to(device), self.split.to(device), choosing)

    def __call__(self, seeds: Sequence[int], report: ReportProgress) -> JobResult:
        device = self.config.device
        if device.type == "cuda":  # else the peak would be that of whatever came before
            reset_peak(device)
        with memory_errors("training evaluation networks", _remains, self._memory_suggestions):
            results = train_and_test(self.config, self.source, self.split, seeds, report, self.choosing)
        return JobResult(results, device_name(device), peak_bytes(device))

    def _memory_suggestions(self) -> list[str]:
        """List what takes less memory."""
        on_cpu = self.config.device.type == "cpu"
        fewer = "fewer at once (--workers)" if on_cpu else "fewer jobs on this GPU"
        return [fewer, "a smaller network (evaluation.networks)", "a device with more memory"]


@dataclass(frozen=True, eq=False, kw_only=True)
class _JobOnDevice(WorkerJob):
    """An evaluation that travels on the CPU and runs on the device of its worker."""

    moved = ("job",)
    job: EvaluationJob

    def __call__(self, seeds: Sequence[int], report: ReportProgress) -> JobResult:
        return self.here.job(seeds, report)


def _remains() -> str:
    return "the synthetic sets, and the scores that are known already; the same command goes on"


def score_seeds(
    job: EvaluationJob,
    seeds: Sequence[int],
    compute: Compute,
    *,
    split: SplitName,
    title: str,
    notes: Sequence[str] = (),
) -> Scores:
    """Train and test one network per seed, here or by an executor.

    Here, one is trained after the other, or as many at once as ``stack_size`` says; elsewhere each is a job of its own,
    except where the configuration says how many are trained together.

    Args:
        job: Evaluation that is carried out.
        seeds: One network each.
        compute: How; its executor trains the networks, and its progress shows them.
        split: Name of the split that is tested on.
        title: What the progress is shown under.
        notes: What a reader of the numbers must know.

    Returns:
        Accuracies in the order of ``seeds``, and what they cost.

    Raises:
        UserError: There is no seed; and as the executor says.
    """
    if not seeds:
        raise UserError("an evaluation needs at least one seed", fix="give a number of seeds of 1 or more")
    config, start, by = job.config, time.perf_counter(), compute.executor
    shared = by.elsewhere or (by.at_once > 1 and len(seeds) > 1)
    by = by if shared else Serial()
    size = (compute.together or 1) if shared else stack_size(config, job.source, len(seeds))
    groups = [seeds[first : first + size] for first in range(0, len(seeds), size)]
    done: dict[int, JobResult] = {}
    meter = SharedProgress(compute.progress, len(groups), title)
    work = _JobOnDevice(job=job, compute=replace(compute, executor=by).in_job())
    try:
        for position, result in by.map(work, groups, meter.on_progress):
            done[position] = result
            accuracy = fmean(one.accuracy for known in done.values() for one in known.seeds)
            meter.finished(position, accuracy=f"{accuracy:.4f}")
        synchronize(config.device)
    finally:
        meter.close()
    results = [one for position in range(len(groups)) for one in done[position].seeds]
    diverged = [
        f"seed {seed}: the training did not stay finite"
        for seed, one in zip(seeds, results, strict=True)
        if not one.finite
    ]
    horizon = None
    if config.horizons:
        horizon = choose_horizon(config.horizons, results, split if job.choosing is None else "validation")
    return Scores(
        accuracy=tuple(one.accuracy for one in results) if horizon is None else horizon.accuracy,
        horizon=None if horizon is None else horizon.steps,
        seeds=tuple(seeds),
        network=config.network,
        protocol=config.protocol,
        split=split,
        seconds=time.perf_counter() - start,
        peak_bytes=max(result.peak_bytes for result in done.values()),
        lr=config.training.lr,
        compiled=config.compiled,
        device=", ".join(sorted({result.device for result in done.values()})) if by.elsewhere else None,
        notes=(*notes, *([] if horizon is None else [horizon.note]), *diverged),
    )
