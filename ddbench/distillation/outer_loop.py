"""The outer loop: gradient steps on a synthetic set, guarded, checkpointed, resumable to the bit."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from ddbench.distillation.base_method import Method
from ddbench.distillation.guard import GuardCounts
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_state import OuterState
from ddbench.distillation.run_dir import Clock, Run
from ddbench.distillation.task import OuterStep, Task
from ddbench.estimates.memory_check import in_words
from ddbench.runtime.available_memory import free_bytes
from ddbench.runtime.device import peak_bytes, reset_peak, synchronize
from ddbench.runtime.oom import is_out_of_memory, let_go, memory_errors
from ddbench.runtime.threads import threads_for


def optimize(
    method: OptimizedMethod,
    task: Task,
    ipc: int,
    folder: Path,
    *,
    seed: int,
) -> list[Path]:
    """Run, or go on with, the outer loop of a method in a folder.

    A candidate is the whole set as it was after a step; ``method.keep_every`` says how often one is kept. Interrupted
    at any moment and called again with equal arguments, the loop continues from its last checkpoint, and on the CPU
    ends with the same bits as one that was not interrupted.

    Args:
        method: The method, with its settings.
        task: What it distills from.
        ipc: Images per class.
        folder: Folder of the run; it is made where it is missing.
        seed: Seed of every draw.

    Returns:
        The candidates, one file each, by step.

    Raises:
        UserError: The guards stop the run, or memory does, its last good state kept; or the folder holds another run.
    """
    method, run = method.for_ipc(ipc), Run(folder, writes=task.ranks.writes)
    for candidates in [run.candidates] if method.ema_decay is None else [run.candidates, run.plain]:
        candidates.mkdir(parents=True, exist_ok=True)
    reset_peak(task.device)
    with memory_errors("distilling", lambda: _state_on_disk(run), lambda: less_memory(method, task, ipc)):
        _distilled(method, task, ipc, run, seed)
    task.ranks.wait()
    return run.candidate_files()


def _distilled(method: OptimizedMethod, task: Task, ipc: int, run: Run, seed: int) -> None:
    began = time.monotonic()
    outer_state = OuterState(method, task, ipc, seed, run)
    beginning = Clock(seconds=time.monotonic() - began)  # choosing the first images is part of what a set costs
    resumes = task.ranks.decided(run.state.exists())
    clock, counts = outer_state.resume(run) if resumes else (beginning, GuardCounts())
    run.forget_events_after(clock.step)
    outer_loop = _OuterLoop(outer_state, run, clock, counts)
    with threads_for(outer_state.batch_floats(), task.device):
        outer_loop.go_on(seed)


class _OuterLoop:
    """The steps of a run that one process takes, from where it stands to its end or an interruption."""

    def __init__(self, outer_state: OuterState, run: Run, clock: Clock, counts: GuardCounts) -> None:
        self.outer_state, self.run, self.clock, self.counts = outer_state, run, clock, counts
        self.method, compute = outer_state.method, outer_state.task.compute
        self.device, self.progress = compute.device, compute.progress
        self.before, self.began = clock.seconds, time.monotonic()

    def go_on(self, seed: int) -> None:
        clock, last = self.clock, self.method.iterations
        label = self.outer_state.task.provenance.get("label", self.outer_state.task.method)
        self.progress.start(last, f"distill {label} ipc {self.outer_state.syn.ipc}", clock.step)
        settled = True
        try:
            if self._candidate_is_due() and not self.run.candidate(clock.step).exists():
                self.outer_state.keep(self.run, clock, self.counts)
            while clock.step < last:
                settled = False  # an interrupt must save neither half a step, nor a step without its candidate
                refused = self._step(OuterStep(clock.step, seed))
                settled = True
                self.counts.stop_if_stuck(self.method.guard, refused, clock.step)
                if self.outer_state.checkpoint.due():
                    self.outer_state.save(self.run, clock, self.counts)
        except Exception as error:
            if is_out_of_memory(error):
                let_go(error)
                self.outer_state.rollback_half_step()
                settled = True  # a step that was taken, but whose candidate did not fit, is kept: see above
            raise
        finally:
            with suppress(RuntimeError):  # a device that has failed says so once more; the first time counts
                synchronize(self.device)
            try:
                if settled:
                    self.outer_state.save(self.run, clock, self.counts)
            finally:
                self.progress.close()

    def _step(self, step: OuterStep) -> str | None:
        """One outer step, told of, with a candidate kept where one is due. Returns why a guard acted, if one did."""
        clock, last = self.clock, self.method.iterations
        loss, facts, refused = self.outer_state.step(step)
        clock.step += 1
        clock.seconds = self.before + time.monotonic() - self.began
        clock.peak_bytes = max(clock.peak_bytes, peak_bytes(self.device))
        self.counts.note(refused)
        shown = {"loss": round(loss, 4), **facts, "skipped": self.counts.total.total()}
        self.progress.update(clock.step, **shown, peak_GB=round(clock.peak_bytes / 1e9, 2))
        if clock.step % max(last // 1000, 1) == 0 or refused:
            spent = round(clock.seconds, 3)
            self.run.log({**facts, "step": clock.step, "loss": loss, "seconds": spent, "refused": refused})
        if self._candidate_is_due():
            self.outer_state.keep(self.run, clock, self.counts)
        return refused

    def _candidate_is_due(self) -> bool:
        step, last = self.clock.step, self.method.iterations
        return step == last or (step > 0 and step % (self.method.keep_every or max(last // 10, 1)) == 0)


def _state_on_disk(run: Run) -> str:
    """What is on disk of a run that stopped; nothing is read, for which there may be no memory either."""
    if run.saved is None:
        return "what lay there before" if run.state.exists() else "nothing, for no step was taken"
    return f"the state after outer step {run.saved}, from which a run of the same settings goes on"


def less_memory(method: Method, task: Task, ipc: int) -> list[str]:
    """Say what to change so that a distillation takes less memory than it just asked for.

    Args:
        method: The method, with its settings.
        task: What it distills from.
        ipc: Images per class.

    Returns:
        Changes in words, the best first; at least one.
    """
    needed, free = method.peak_bytes(task.sizes, ipc), free_bytes(task.device)
    if needed is None:
        return ["take a device with more memory"]
    room = needed * 3 // 4 if free is None else min(needed * 3 // 4, free)
    changes = [in_words(suggestion) for suggestion in method.memory_suggestions(task.sizes, ipc, room)]
    return changes or ["take a device with more memory"]
