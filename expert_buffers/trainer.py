"""Training experts on real data, one or several at once, from their initialization or from where they were left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from ddbench.augmentation import augmentation
from ddbench.data.loader import ImageLoader
from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.expert_buffers.checkpoint import ExpertCheckpoint
from ddbench.expert_buffers.metadata import BufferDescription
from ddbench.expert_buffers.optimizers import ExpertOptimizer, ExpertState, Member, expert_optimizer
from ddbench.expert_buffers.training_state import end_state
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.networks import build_network
from ddbench.randomness import derive, stream
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.oom import is_out_of_memory, let_go
from ddbench.runtime.progress import Progress
from ddbench.training.epoch import consecutive_batches, shuffled_batches, top1_accuracy, train_epoch
from ddbench.training.forward_pass import forward_pass
from ddbench.training.model_stack import SingleModel, StackedModels
from ddbench.training.stacked_epoch import batches_together, train_epoch_together

_VALIDATION_BATCH = 512

Finished = tuple[Trajectory, dict[str, Tensor]]
"""An expert's rows and curves, and what goes on from them."""


@dataclass(frozen=True, eq=False)
class _Begun:
    """One expert in training: ``epochs`` of it were done before."""

    expert: int
    network: nn.Module
    optimizer: ExpertState
    trajectory: Trajectory
    unfinished: ExpertCheckpoint
    epochs: int


class Trainer:
    """What all experts of a buffer share, the data on the device above all.

    Args:
        compile: Whether the networks' passes are compiled.
        notice: Whether it is said where they do not let themselves.
    """

    def __init__(
        self,
        real: RealSet,
        network_name: str,
        recipe: ExpertRecipe,
        seed: int,
        device: torch.device,
        *,
        compile: bool = False,
        notice: bool = False,
    ) -> None:
        self.real, self.network_name, self.recipe, self.seed, self.device = real, network_name, recipe, seed, device
        self.train_feed = ImageLoader(real, real.train, device)
        self.validation_feed = ImageLoader(real, real.validation, device) if len(real.validation) else None
        self.augmentation = augmentation(recipe.augmentation, mirror=real.mirror)
        self.compile = compile
        self._pass = partial(forward_pass, network_name, real.shape, device)
        self._options = {"compile": compile, "notice": notice}

    def train(
        self,
        expert: int,
        epochs: int,
        description: BufferDescription,
        unfinished: ExpertCheckpoint,
        report: Progress,
        done: int,
    ) -> Finished:
        """One expert, from its initialization or from where ``unfinished`` says it was left, and its end state."""
        optimizer, run = self._begun(expert, epochs, description, unfinished)
        report.update(done + run.epochs)
        with _written_when_interrupted([run]):
            for epoch in range(run.epochs, epochs):
                optimizer.begin_epoch(epoch)
                order = shuffled_batches(len(self.real.train), self.recipe.batch, self._order(expert, epoch))
                loss, accuracy = train_epoch(
                    optimizer.update,
                    self.train_feed.batches(order),
                    self.augmentation,
                    self._draws(expert, epoch),
                )
                measured = self._note(run, epoch, loss, accuracy)
                run.unfinished.keep(epoch + 1, run.network, run.optimizer, run.trajectory)
                report.update(done + epoch + 1, expert=expert, **{name: f"{v:.3f}" for name, v in measured.items()})
        return run.trajectory, end_state(run.network, run.optimizer, run.trajectory.parameters.dtype)

    def train_stacked(
        self,
        unfinished: Mapping[int, ExpertCheckpoint],
        epochs: int,
        description: BufferDescription,
        report: Progress,
        done: int,
    ) -> dict[int, Finished | UserError]:
        """Several experts at once, by their numbers; each comes out as it would alone, up to rounding.

        Args:
            unfinished: Of each expert. Those that were left at different epochs are trained one group after the other.
                One that diverges is an error among the results, and leaves the others alone. A single one is trained
                plainly.
        """
        if len(unfinished) == 1:
            ((expert, state),) = unfinished.items()
            return {expert: self.train(expert, epochs, description, state, report, done)}
        groups: dict[int, list[_Begun]] = {}
        for expert, state in unfinished.items():
            _, run = self._begun(expert, epochs, description, state, together=True)
            groups.setdefault(run.epochs, []).append(run)
        report.update(done + sum(begin * len(group) for begin, group in groups.items()))
        results: dict[int, Finished | UserError] = {}
        for begin, group in groups.items():
            results |= self._carry_on(group, begin, epochs, report, done)
            done += epochs * len(group)
        return {expert: results[expert] for expert in unfinished}

    def _carry_on(
        self, runs: Sequence[_Begun], begin: int, epochs: int, report: Progress, done: int
    ) -> dict[int, Finished | UserError]:
        stack = StackedModels([run.network for run in runs], self._pass(stacked=True, **self._options))
        optimizer = expert_optimizer(stack, self.recipe)
        for member, run in enumerate(runs):
            optimizer.restore(run.optimizer.state(), member)
            run.unfinished.together = len(runs)
        runs = [replace(run, optimizer=Member(optimizer, member)) for member, run in enumerate(runs)]
        failed: dict[int, Finished | UserError] = {}
        with _written_when_interrupted(runs):
            for epoch in range(begin, epochs):
                optimizer.begin_epoch(epoch)
                orders = [self._order(run.expert, epoch) for run in runs]
                found = train_epoch_together(
                    optimizer.update,
                    batches_together(self.train_feed, self.recipe.batch, orders),
                    self.augmentation,
                    [self._draws(run.expert, epoch) for run in runs],
                    fused=stack.fused,
                )
                for run, (loss, accuracy) in zip(runs, found, strict=True):
                    if run.expert not in failed:
                        try:
                            self._note(run, epoch, loss, accuracy)
                        except UserError as error:
                            failed[run.expert] = error
                        else:
                            run.unfinished.keep(epoch + 1, run.network, run.optimizer, run.trajectory)
                report.update(done + (epoch + 1) * len(runs), together=len(runs))
                if len(failed) == len(runs):
                    break
        dtype = getattr(torch, self.recipe.dtype)
        ended = [run for run in runs if run.expert not in failed]
        return failed | {run.expert: (run.trajectory, end_state(run.network, run.optimizer, dtype)) for run in ended}

    def _begun(
        self,
        expert: int,
        epochs: int,
        description: BufferDescription,
        unfinished: ExpertCheckpoint,
        *,
        together: bool = False,
    ) -> tuple[ExpertOptimizer, _Begun]:
        """An expert where it begins, or goes on;

        Args:
            together: To be joined with others.
        """
        real, recipe = self.real, self.recipe
        network = build_network(
            self.network_name,
            real.shape,
            seed=derive(self.seed, "expert", expert, "init"),
        ).to(self.device)
        forward = self._pass(**self._options) if self.compile and not together else None
        optimizer = expert_optimizer(SingleModel(network, forward), recipe)
        trajectory = Trajectory.blank(
            epochs,
            description.parameter_count,
            description.statistic_count,
            getattr(torch, recipe.dtype),
            validated=self.validation_feed is not None,
        )
        trajectory.snapshot(0, network)
        begin = unfinished.restore(network, optimizer, trajectory)
        return optimizer, _Begun(expert, network, optimizer, trajectory, unfinished, begin)

    def _order(self, expert: int, epoch: int) -> torch.Generator:
        return stream(self.seed, "expert", expert, "epoch", epoch, "order")

    def _draws(self, expert: int, epoch: int) -> torch.Generator:
        return stream(self.seed, "expert", expert, "epoch", epoch, "augmentation")

    def _note(self, run: _Begun, epoch: int, loss: float, accuracy: float) -> dict[str, float]:
        """Write down what an epoch did.

        Raises:
            UserError: The expert diverged in it.
        """
        trajectory, rate = run.trajectory, run.optimizer.learning_rate(epoch)
        trajectory.snapshot(epoch + 1, run.network)
        if not (math.isfinite(loss) and trajectory.parameters[epoch + 1].isfinite().all()):
            run.unfinished.discard()
            raise _diverged(run.expert, epoch, loss, rate, self.recipe)
        measured = {"train_loss": loss, "train_accuracy": accuracy}
        if self.validation_feed is not None:
            measured["validation_accuracy"] = self._validate(run.network, self.validation_feed)
        for name, value in {**measured, "learning_rate": rate}.items():
            trajectory.curves[name][epoch] = value
        return measured

    def _validate(self, network: nn.Module, loader: ImageLoader) -> float:
        network.eval()
        batches = loader.batches(consecutive_batches(len(loader), _VALIDATION_BATCH))
        accuracy = top1_accuracy(network, batches)
        network.train()
        return accuracy


@contextmanager
def _written_when_interrupted(runs: Sequence[_Begun]) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            let_go(error)
        elif not isinstance(error, KeyboardInterrupt):
            raise
        for run in runs:
            run.unfinished.flush()
        raise


def _diverged(expert: int, epoch: int, loss: float, lr: float, recipe: ExpertRecipe) -> UserError:
    return UserError(
        f"expert {expert} diverged in epoch {epoch + 1}: its loss or its parameters are not finite",
        f"loss  {loss}",
        f"used  {recipe.optimizer.kind} at lr {lr:g}, momentum {recipe.momentum:g}, batch {recipe.batch}",
        "kept  the experts before it",
        fix=f"lower experts.lr, say to {recipe.lr / 10:g}, or experts.momentum; the folder is then another",
    )
