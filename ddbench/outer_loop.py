"""The outer loop: gradient steps on a synthetic set, guarded, checkpointed, resumable to the bit."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench import artefact
from ddbench.execution import Progress, Silent, peak_bytes, synchronise
from ddbench.guard import GuardCounts
from ddbench.memory import activation_floats
from ddbench.method import OptimisedMethod, OuterStep, Task
from ddbench.synthetic import SyntheticSet
from ddbench.threads import threads_for

CHECKPOINT_SECONDS = 20.0
"""A killed run loses at most about this much work."""


@dataclass
class Clock:
    """Where a run stands: steps done, seconds spent on them over all sittings, most memory in use."""

    step: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0


class Run:
    """One distillation on disk: ``state.safetensors``, ``events.jsonl`` and ``candidates/``, all in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state, self.events, self.candidates = (
            folder / "state.safetensors",
            folder / "events.jsonl",
            folder / "candidates",
        )

    def candidate(self, step: int) -> Path:
        return self.candidates / f"{step:06d}.safetensors"

    def log(self, event: dict[str, Any]) -> None:
        """Append one line of JSON; a number that is not finite, which JSON does not know, is written as null."""
        finite = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in event.items()}
        with self.events.open("a") as file:
            file.write(json.dumps(finite, allow_nan=False) + "\n")

    def forget_events_after(self, step: int) -> None:
        """Drop what a killed process logged after its last checkpoint: it will happen again."""
        if not self.events.exists():
            return
        lines = self.events.read_text().splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        with artefact.replacing(self.events) as part:
            part.write_text("".join(line + "\n" for line in kept))


def optimise(
    method: OptimisedMethod,
    task: Task,
    ipc: int,
    folder: Path,
    *,
    seed: int,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    progress: Progress | None = None,
) -> list[Path]:
    """Run, or go on with, the outer loop of ``method`` in ``folder``. Returns the candidates, one file each, by step.

    A candidate is the whole set as it was after a step; ``method.keep_every`` says how often one is kept. Interrupted
    at any moment and called again with equal arguments, the loop continues from its last checkpoint, and on the CPU
    ends with the same bits as one that was not interrupted.
    Errors: UserError when the guards stop the run; its last good state is kept.
    """
    run = Run(folder)
    run.candidates.mkdir(parents=True, exist_ok=True)
    learner = _Learner(method, task, ipc, seed)
    clock, counts = learner.resume(run) if run.state.exists() else (Clock(), GuardCounts())
    run.forget_events_after(clock.step)
    sitting = _Sitting(learner, run, clock, counts, progress or Silent())
    with threads_for(learner.batch_floats(), task.device):
        sitting.go_on(seed, checkpoint_seconds)
    return sorted(run.candidates.glob("*.safetensors"))


class _Sitting:
    """The steps of a run that one process takes, from where it stands to its end or an interruption."""

    def __init__(self, learner: _Learner, run: Run, clock: Clock, counts: GuardCounts, progress: Progress) -> None:
        self.learner, self.run, self.clock, self.counts, self.progress = learner, run, clock, counts, progress
        self.method, self.device = learner.method, learner.task.device
        self.before, self.began = clock.seconds, time.monotonic()

    def go_on(self, seed: int, checkpoint_seconds: float) -> None:
        clock, last = self.clock, self.method.iterations
        if clock.step == last and not self.run.candidate(last).exists():
            self.learner.keep(self.run, clock, self.counts)
        self.progress.start(last, f"distil ipc {self.learner.syn.ipc}", clock.step)
        settled, saved_at = True, time.monotonic()
        try:
            while clock.step < last:
                settled = False  # an interrupt must save neither half a step, nor a step without its candidate
                refused = self._step(OuterStep(clock.step, seed))
                settled = True
                self.counts.stop_if_stuck(self.method.guard, refused, clock.step)
                if time.monotonic() - saved_at > checkpoint_seconds:
                    self.learner.checkpoint(self.run, clock, self.counts)
                    saved_at = time.monotonic()
        finally:
            synchronise(self.device)
            if settled:
                self.learner.checkpoint(self.run, clock, self.counts)
            self.progress.close()

    def _step(self, at: OuterStep) -> str | None:
        """One outer step, told of, with a candidate kept where one is due. Returns why a guard acted, if one did."""
        clock, last = self.clock, self.method.iterations
        loss, facts, refused = self.learner.step(at)
        clock.step += 1
        clock.seconds = self.before + time.monotonic() - self.began
        clock.peak_bytes = max(clock.peak_bytes, peak_bytes(self.device))
        self.counts.note(refused)
        shown = {"loss": round(loss, 4), **facts, "skipped": self.counts.total.total()}
        self.progress.update(clock.step, **shown, GB=round(clock.peak_bytes / 1e9, 2))
        if clock.step % max(last // 1000, 1) == 0 or refused:
            spent = round(clock.seconds, 3)
            self.run.log({**facts, "step": clock.step, "loss": loss, "seconds": spent, "refused": refused})
        if clock.step % (self.method.keep_every or max(last // 10, 1)) == 0 or clock.step == last:
            self.learner.keep(self.run, clock, self.counts)
        return refused


class _Learner:
    """The synthetic set as tensors that learn, and their optimiser."""

    def __init__(self, method: OptimisedMethod, task: Task, ipc: int, seed: int) -> None:
        self.method, self.task = method, task
        start = method.init(task, ipc, OuterStep(0, seed)).to(task.device)
        rates = method.outer_rates()
        tensors = start.tensors()
        self.learned = {name: tensors[name].detach().clone().requires_grad_() for name in rates}
        self.syn: SyntheticSet = replace(start, **self.learned)
        groups = [{"params": [self.learned[n]], "lr": r.lr, "momentum": r.momentum} for n, r in rates.items()]
        self.optimizer = torch.optim.SGD(groups)

    def step(self, at: OuterStep) -> tuple[float, dict[str, float], str | None]:
        """One outer step. Returns loss, facts, and the reason if a guard acted; a refused step changes nothing."""
        loss, facts = self.method.outer_loss(self.syn, self.task, at)
        leaves = list(self.learned.values())
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        refused = self.method.guard.refuses(loss, list(gradients))
        if refused is None:
            for leaf, gradient in zip(leaves, gradients, strict=True):
                leaf.grad = gradient
            self.optimizer.step()
            self.optimizer.zero_grad()
            lr = self.learned.get("student_lr")
            if lr is not None and self.method.guard.clamp(lr):
                refused = "student_lr at its floor"
        if self.syn.student_lr is not None:
            facts = {**facts, "student_lr": self.syn.student_lr.item()}
        return loss.item(), facts, refused

    def batch_floats(self) -> int:
        """How many numbers the student's layers put out for the whole set: what decides the number of threads."""
        real = self.task.real
        return activation_floats(self.task.network.module, real.channels, real.size) * len(self.syn)

    def velocities(self) -> dict[str, Tensor]:
        found = {name: self.optimizer.state[leaf].get("momentum_buffer") for name, leaf in self.learned.items()}
        return {f"velocity.{name}": velocity for name, velocity in found.items() if velocity is not None}

    def checkpoint(self, run: Run, clock: Clock, counts: GuardCounts) -> None:
        tensors = {**self.learned, **self.velocities()}
        document = {**vars(clock), "guard": dict(counts.total), "in_a_row": counts.in_a_row}
        artefact.save(run.state, "distillation state", tensors, document)

    def resume(self, run: Run) -> tuple[Clock, GuardCounts]:
        tensors, document = artefact.load(run.state, "distillation state")
        with torch.no_grad():
            for name, leaf in self.learned.items():
                leaf.copy_(tensors[name])
                if f"velocity.{name}" in tensors:
                    self.optimizer.state[leaf]["momentum_buffer"] = tensors[f"velocity.{name}"].to(leaf.device)
        clock = Clock(document["step"], document["seconds"], document["peak_bytes"])
        return clock, GuardCounts(document["guard"], document["in_a_row"])

    def keep(self, run: Run, clock: Clock, counts: GuardCounts) -> None:
        """Write the set as it is now as a candidate."""
        detached = {name: leaf.detach() for name, leaf in self.learned.items()}
        facts = {
            "step": clock.step,
            "seconds": clock.seconds,
            "peak_bytes": clock.peak_bytes,
            "guard": dict(counts.total),
        }
        replace(self.syn, **detached, provenance={**self.syn.provenance, **facts}).save(run.candidate(clock.step))
