"""Training experts on real data, one or several at once, from their initialization or from where they were left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ddbench.augmentation import augmentation
from ddbench.data.loader import ImageLoader
from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.expert_buffers.batches import ExpertBatch, batches_alone, batches_together
from ddbench.expert_buffers.checkpoint import ExpertCheckpoint
from ddbench.expert_buffers.curriculum import epoch_rows
from ddbench.expert_buffers.metadata import BufferDescription
from ddbench.expert_buffers.optimizers import ExpertState, expert_optimizer
from ddbench.expert_buffers.training_state import end_state
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.networks import build_network
from ddbench.randomness import derive, stream
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.compute import Compute
from ddbench.runtime.oom import is_out_of_memory, let_go
from ddbench.runtime.progress import Progress
from ddbench.training.epoch import RunningMeans, consecutive_batches, top1_accuracy
from ddbench.training.forward_pass import forward_pass
from ddbench.training.loop import train_epochs
from ddbench.training.model_stack import SingleModel, StackedModels

_VALIDATION_BATCH = 512

Finished = tuple[Trajectory, dict[str, Tensor]]
"""An expert's rows and curves, and what goes on from them."""


@dataclass(eq=False)
class _ExpertRun:
    """One expert in training: ``epochs`` of it were done before."""

    expert: int
    network: nn.Module
    optimizer: ExpertState
    trajectory: Trajectory
    checkpoint: ExpertCheckpoint
    epochs: int


class Trainer:
    """Training of the experts of one buffer, with the data that they share on the device.

    Args:
        real: Real data.
        network_name: The experts' network.
        recipe: Optimizer, batches and augmentation.
        seed: Seed of all experts.
        compute: How one process trains, on which device.
        order: Training images from the easiest to the hardest, (N,), int64, for a recipe with a curriculum.
        compiled: Whether the networks' passes are compiled, as was decided for all experts.
    """

    def __init__(
        self,
        real: RealSet,
        network_name: str,
        recipe: ExpertRecipe,
        seed: int,
        compute: Compute,
        *,
        order: Tensor | None = None,
        compiled: bool = False,
    ) -> None:
        self.real, self.network_name, self.recipe, self.seed = real, network_name, recipe, seed
        self.device = device = compute.device
        self.train_feed = ImageLoader(real, real.train, device)
        self.validation_feed = ImageLoader(real, real.validation, device) if len(real.validation) else None
        self.augmentation = augmentation(recipe.augmentation, mirror=real.mirror)
        self.order, self.compiled = order, compiled
        self._pass = partial(
            forward_pass, network_name, real.shape, device, compile=compiled, notice=compute.compile == "on"
        )

    def train(
        self,
        checkpoints: Mapping[int, ExpertCheckpoint],
        epochs: int,
        description: BufferDescription,
        report: Progress,
    ) -> dict[int, Finished | UserError]:
        """Train experts to their last epoch, from their initialization or from where they were left.

        Several are trained at once; each comes out as it would alone, up to rounding. Those that were left at different
        epochs are trained one group after the other.

        Args:
            checkpoints: Checkpoint of each expert, by its number.
            epochs: Epochs of each.
            description: Description of the buffer.
            report: Shown the epochs of all together.

        Returns:
            Rows, curves and end state of each expert, by its number; an error for one that diverged, which leaves the
            others alone.
        """
        groups: dict[int, list[_ExpertRun]] = {}
        for expert, checkpoint in checkpoints.items():
            run = self._begun(expert, epochs, description, checkpoint)
            groups.setdefault(run.epochs, []).append(run)
        report.update(sum(begin * len(group) for begin, group in groups.items()))
        results: dict[int, Finished | UserError] = {}
        for group in groups.values():
            results |= self._carry_on(group, epochs, report, epochs * len(results), stacked=len(checkpoints) > 1)
        return {expert: results[expert] for expert in checkpoints}

    def _carry_on(
        self, runs: Sequence[_ExpertRun], epochs: int, report: Progress, done: int, *, stacked: bool
    ) -> dict[int, Finished | UserError]:
        """Train experts that were left at the same epoch."""
        trainable = self._trainable(runs, stacked)
        optimizer = expert_optimizer(trainable, self.recipe)
        for member, run in enumerate(runs):
            state = ExpertState(optimizer, member if stacked else None)
            state.restore(run.optimizer.state())
            run.optimizer, run.checkpoint.together = state, len(runs)
        failed: dict[int, Finished | UserError] = {}
        means = RunningMeans()
        with _written_when_interrupted(runs):
            for epoch in train_epochs(
                optimizer,
                lambda epoch: self._batches(runs, epoch, trainable),
                range(runs[0].epochs, epochs),
                observe=lambda batch, losses, logits: means.add(batch.labels, losses, logits),
            ):
                measured: dict[str, float] = {}
                for run, (loss, accuracy) in zip(runs, means.take(), strict=True):
                    if run.expert not in failed:
                        try:
                            measured = self._note(run, epoch, loss, accuracy, optimizer.rate(epoch))
                        except UserError as error:
                            failed[run.expert] = error
                        else:
                            run.checkpoint.keep(epoch + 1, run.network, run.optimizer, run.trajectory)
                if len(failed) == len(runs):
                    break
                facts = {"together": len(runs)} if stacked else {"expert": runs[0].expert, **_shown(measured)}
                report.update(done + (epoch + 1) * len(runs), **facts)
        dtype = getattr(torch, self.recipe.dtype)
        ended = [run for run in runs if run.expert not in failed]
        return failed | {run.expert: (run.trajectory, end_state(run.network, run.optimizer, dtype)) for run in ended}

    def _trainable(self, runs: Sequence[_ExpertRun], stacked: bool) -> SingleModel | StackedModels:
        if stacked:
            return StackedModels([run.network for run in runs], self._pass(stacked=True))
        return SingleModel(runs[0].network, self._pass() if self.compiled else None)

    def _batches(
        self, runs: Sequence[_ExpertRun], epoch: int, trainable: SingleModel | StackedModels
    ) -> Iterator[ExpertBatch]:
        shared = self.train_feed, self.recipe.batch, self.augmentation
        orders, draws = ([make(run.expert, epoch) for run in runs] for make in (self._order, self._draws))
        rows = self._rows(epoch)
        if isinstance(trainable, StackedModels):
            return batches_together(*shared, orders, draws, rows, fused=trainable.fused)
        return batches_alone(*shared, orders[0], draws[0], rows)

    def _rows(self, epoch: int) -> Tensor | None:
        """Images of an epoch; None for all."""
        if self.recipe.curriculum is None or self.order is None:
            return None
        return epoch_rows(self.order, self.real.train.labels.cpu(), self.recipe.curriculum, epoch)

    def _begun(
        self, expert: int, epochs: int, description: BufferDescription, checkpoint: ExpertCheckpoint
    ) -> _ExpertRun:
        """An expert where it begins, or goes on."""
        seed = derive(self.seed, "expert", expert, "init")
        network = build_network(self.network_name, self.real.shape, seed=seed).to(self.device)
        optimizer = ExpertState(expert_optimizer(network, self.recipe))
        trajectory = Trajectory.blank(
            epochs,
            description.parameter_count,
            description.statistic_count,
            getattr(torch, self.recipe.dtype),
            validated=self.validation_feed is not None,
        )
        trajectory.snapshot(0, network)
        begin = checkpoint.restore(network, optimizer, trajectory)
        return _ExpertRun(expert, network, optimizer, trajectory, checkpoint, begin)

    def _order(self, expert: int, epoch: int) -> torch.Generator:
        return stream(self.seed, "expert", expert, "epoch", epoch, "order")

    def _draws(self, expert: int, epoch: int) -> torch.Generator:
        return stream(self.seed, "expert", expert, "epoch", epoch, "augmentation")

    def _note(self, run: _ExpertRun, epoch: int, loss: float, accuracy: float, rate: float) -> dict[str, float]:
        """Write down what an epoch did.

        Raises:
            UserError: The expert diverged in it.
        """
        trajectory = run.trajectory
        trajectory.snapshot(epoch + 1, run.network)
        if not (math.isfinite(loss) and trajectory.parameters[epoch + 1].isfinite().all()):
            run.checkpoint.discard()
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


def _shown(measured: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{value:.3f}" for name, value in measured.items()}


@contextmanager
def _written_when_interrupted(runs: Sequence[_ExpertRun]) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            let_go(error)
        elif not isinstance(error, KeyboardInterrupt):
            raise
        for run in runs:
            run.checkpoint.flush()
        raise


def _diverged(expert: int, epoch: int, loss: float, lr: float, recipe: ExpertRecipe) -> UserError:
    return UserError(
        f"expert {expert} diverged in epoch {epoch + 1}: its loss or its parameters are not finite",
        f"loss  {loss}",
        f"used  {recipe.optimizer.kind} at lr {lr:g}, momentum {recipe.momentum:g}, batch {recipe.batch}",
        "kept  the experts before it",
        fix=f"lower experts.lr, say to {recipe.lr / 10:g}, or experts.momentum; the folder is then another",
    )
