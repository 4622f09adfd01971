"""A synthetic set as tensors that learn, their optimizers, and the state from which both can go on."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench.distillation.base_method import Method
from ddbench.distillation.guard import GuardCounts
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_optimizer import State
from ddbench.distillation.run_dir import Clock, Run
from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.estimates.memory import activation_floats
from ddbench.networks.mixing import refuse_mixed_batches
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic
from ddbench.training.checkpoint import Checkpoint, first_difference

KIND = "distillation state"


class OuterState:
    """The tensors that learn, their optimizers and moving average, and what they were before the last step.

    ``last_good`` is kept until the next loss has proved the last step harmless.

    Args:
        method: The method, with its settings.
        task: What it distills from.
        ipc: Images per class.
        seed: Seed of every draw.
        run: Folder of the run, which holds the set of step 0, or gets it.

    Raises:
        UserError: The set of step 0 in the folder is damaged, or of another distillation.
    """

    def __init__(self, method: OptimizedMethod, task: Task, ipc: int, seed: int, run: Run) -> None:
        self.method, self.task, self.identity = method, task, identity(method, task, ipc, seed)
        self.seed = seed
        self.checkpoint = Checkpoint(run.state, KIND, {"identity": self.identity}, task.compute.checkpoint_seconds)
        if not task.ranks.alone:
            refuse_mixed_batches(task.network, task.real.shape)
        with task.ranks.rank_0_first():
            start = self._start(ipc, run).to(task.device)
        rates = method.outer_rates()
        tensors = start.tensors()
        self.learned = {name: tensors[name].detach().clone().requires_grad_() for name in rates}
        self.syn: SyntheticSet = replace(start, **self.learned)
        self.optimizers = dict(rates)
        self.states: dict[str, State] = {name: {} for name in rates}
        """What the optimizer of each part remembers."""
        self.carried: Mapping[str, Tensor] = {}
        """What the last step hands on to the next."""
        self.average = None if method.ema_decay is None else self.syn.images.detach().clone()
        """The moving average of the images, (S, C, H, W), where the method has one."""
        self.last_good: dict[str, Tensor] = {}
        self._half_done: dict[str, Tensor] | None = None  # what ``good`` was, while a step is being taken

    def _start(self, ipc: int, run: Run) -> SyntheticSet:
        """Read the set of step 0, or make it, once: experts may have to see many images for it.

        One that is damaged, or of another distillation, is refused.
        """
        if run.start.exists():
            start = load_synthetic(run.start)
            require_same(start.provenance.get("identity") or {}, self.identity, run.folder)
            began_with = start.provenance.get("buffer_fingerprint")
            if began_with not in (None, self.task.provenance.get("buffer_fingerprint")):
                sys.stderr.write(
                    "some experts were trained again since this run began, on a GPU, which gives other bits:\n"
                    "  it goes on with them, and its sets keep the fingerprint of those that it began with\n"
                )
            return start
        start = self.method.initialize(self.task, ipc, OuterStep(0, self.seed))
        start = replace(start, provenance={**start.provenance, "identity": self.identity})
        start.save(run.start)
        return start

    def step(self, step: OuterStep) -> tuple[float, dict[str, float], str | None]:
        """Take one outer step.

        A refused step changes nothing, but for one thing: where the loss is not finite, the step before it, which may
        have done the harm, is taken back.

        Args:
            step: The step, with its streams of randomness.

        Returns:
            The loss, facts for progress and log, and the reason if a guard acted.
        """
        carried = self.method.carry(self.detached(), self.task, replace(step, carried=self.carried))
        loss, facts = self.method.outer_loss(self.syn, self.task, replace(step, carried=carried))
        leaves = list(self.learned.values())
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        loss, *gradients = self.task.ranks.agreed(loss, *gradients)
        refused = self.method.guard.refuses(loss, gradients)
        if refused is None:
            refused = self._move(gradients)
        elif refused == "non-finite" and self.last_good:
            self._restore(self.last_good)
            self.last_good = {}
        self.carried = carried
        if self.syn.student_lr is not None:
            facts = {**facts, "student_lr": self.syn.student_lr.item()}
        return loss.item(), facts, refused

    def _move(self, gradients: Sequence[Tensor]) -> str | None:
        """Step along these gradients. Returns the reason if the guard acted."""
        self._half_done, self.last_good = self.last_good, self._before_step()
        for (name, leaf), gradient in zip(self.learned.items(), gradients, strict=True):
            moved, self.states[name] = self.optimizers[name].step(leaf.detach(), gradient, self.states[name])
            leaf.data = moved
        if self.average is not None and self.method.ema_decay is not None:
            self.average.lerp_(self.syn.images.detach(), 1 - self.method.ema_decay)
        lr = self.learned.get("student_lr")
        clamped = lr is not None and self.method.guard.clamp(lr)
        self._half_done = None
        return "student_lr at its floor" if clamped else None

    def _before_step(self) -> dict[str, Tensor]:
        """What a step starts from: its own tensors, for a step makes new ones, and a copy of the average alone."""
        before = {name: tensor.detach() for name, tensor in self._tensors().items()}
        return before if self.average is None else {**before, "average": self.average.clone()}

    def rollback_half_step(self) -> None:
        """Go back to what was before a step that failed on its way, for lack of memory for example."""
        if self._half_done is not None:
            self._restore(self.last_good)
            self.last_good, self._half_done = self._half_done, None

    def detached(self) -> SyntheticSet:
        """View the set as it is now without history.

        Returns:
            The set, its tensors the same memory.
        """
        return replace(self.syn, **{name: leaf.detach() for name, leaf in self.learned.items()})

    def batch_floats(self) -> int:
        """Count the numbers that the student's layers put out for the whole set, which decide the number of threads.

        Returns:
            Floats.
        """
        return activation_floats(self.task.network.module, self.task.real.shape) * len(self.syn)

    def save(self, run: Run, clock: Clock, counts: GuardCounts) -> None:
        """Write everything from which the run can go on to the bit.

        Args:
            run: Folder of the run.
            clock: Steps and seconds so far.
            counts: Counts of the guards.
        """
        if not run.writes:
            return
        tensors = {
            **self._tensors(),
            **{f"good.{name}": tensor for name, tensor in self.last_good.items()},
            **{f"carried.{name}": tensor for name, tensor in self.carried.items()},
        }
        self.checkpoint.write(tensors, {**vars(clock), "guard": dict(counts.total), "in_a_row": counts.in_a_row})
        run.saved = clock.step

    def resume(self, run: Run) -> tuple[Clock, GuardCounts]:
        """Go back to the state on disk.

        Args:
            run: Folder of the run.

        Returns:
            Steps and seconds so far, and the counts of the guards.

        Raises:
            UserError: The state is damaged, or of another distillation.
        """
        state = self.checkpoint.read(required=True, require_same=True)
        assert state is not None
        with self.checkpoint.restoring("such a distillation"):
            tensors, document = state
            self._restore(tensors)
            self.last_good = self._with_prefix("good.", tensors)
            self.carried = self._with_prefix("carried.", tensors)
            clock = Clock(document["step"], document["seconds"], document["peak_bytes"])
            counts = GuardCounts(document["guard"], document["in_a_row"])
        run.saved = clock.step
        return clock, counts

    def keep(self, run: Run, clock: Clock, counts: GuardCounts) -> None:
        """Write the set as it is now as a candidate; where its images are averaged, the average is the candidate.

        Args:
            run: Folder of the run.
            clock: Steps and seconds so far.
            counts: Counts of the guards.
        """
        if not run.writes:
            return
        facts = {**vars(clock), "guard": dict(counts.total), "identity": self.identity}
        plain = replace(self.detached(), provenance={**self.syn.provenance, **facts})
        step = OuterStep(clock.step - 1, self.seed)
        if self.average is None:
            self.method.finalize(plain, self.task, step).save(run.candidate(clock.step))
            return
        warm = plain.images if self.method.keep_warm_images else None
        averaged = replace(plain, images=self.average.clone(), warm_images=warm)
        self.method.finalize(plain, self.task, step).save(run.plain_candidate(clock.step))
        self.method.finalize(averaged, self.task, step).save(run.candidate(clock.step))

    def _tensors(self) -> dict[str, Tensor]:
        """What learns, what the optimizer of each part that has moved remembers, and the moving average."""
        states = {f"{key}.{name}": t for name, state in self.states.items() for key, t in state.items()}
        average = {} if self.average is None else {"average": self.average}
        return {**self.learned, **average, **states}

    @torch.no_grad()
    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        if self.average is not None:
            self.average.copy_(tensors["average"])
        for name, leaf in self.learned.items():
            leaf.copy_(tensors[name])
            names = {key: f"{key}.{name}" for key in self.optimizers[name].state_names}
            self.states[name] = {key: self._here(tensors[full]) for key, full in names.items() if full in tensors}

    def _here(self, tensor: Tensor) -> Tensor:
        """A tensor on the task's device; counts, which are whole numbers, stay on the CPU."""
        return tensor.to(self.task.device) if tensor.is_floating_point() else tensor

    def _with_prefix(self, prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        names = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        return {name: self._here(tensor) for name, tensor in names.items()}


def identity(method: Method, task: Task, ipc: int, seed: int) -> dict[str, Any]:
    """Name what a distillation follows from: runs in which any of it differs must not go on from each other.

    Args:
        method: The method, with its settings.
        task: What it distills from.
        ipc: Images per class.
        seed: Seed of every draw.

    Returns:
        A document, JSON, with settings, seed, names, and fingerprints of data and experts.
    """
    settings = method.defining_settings()
    return {"method": task.method, "ipc": ipc, "seed": seed, "network": task.network_name, **settings, **task.origin}


def require_same(recorded: dict[str, Any], requested: dict[str, Any], folder: Path) -> None:
    """Refuse what lies in a folder where it was made from something else.

    Args:
        recorded: Identity of what lies there.
        requested: Identity of the present run.
        folder: The folder, for errors.

    Raises:
        UserError: They differ; names the first thing in which they do.
    """
    if (difference := first_difference(recorded, requested)) is not None:
        key, there, wanted = difference
        raise UserError(
            f"the run in {folder} was made with another {key}",
            f"there {there}",
            f"asked {wanted}",
            fix="delete that folder to distill anew, or choose another",
        )
