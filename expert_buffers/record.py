"""Training experts on real data and writing their trajectories, expert by expert, so that a run resumes by looking."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from ddbench import artefact
from ddbench.augmentation import augmentation
from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.execution import CHECKPOINT_SECONDS, Progress, Silent
from ddbench.expert_buffers.continuation import end_state
from ddbench.expert_buffers.description import BufferDescription, describe_buffer
from ddbench.expert_buffers.optimizers import expert_optimizer
from ddbench.expert_buffers.store import (
    Contents,
    ExpertBuffer,
    expert_path,
    read_description,
    scan,
    write_description,
    write_expert,
)
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.expert_buffers.unfinished import Unfinished
from ddbench.expert_recipe import ExpertRecipe
from ddbench.feed import Feed
from ddbench.memory import activation_floats
from ddbench.networks import build_network
from ddbench.networks.students import refuse_non_students
from ddbench.randomness import derive, stream
from ddbench.threads import threads_for
from ddbench.training import consecutive_batches, shuffled_batches, top1_accuracy, train_epoch

_VALIDATION_BATCH = 512


def buffer_bytes(parameters: int, epochs: int, count: int, dtype: str = "float32", momentum: float = 0.0) -> int:
    """Bytes of ``count`` experts of ``epochs`` epochs: rows, initialisation included, and what training can go on from.

    The latter is the velocity where there is momentum, and the live parameters beside rows that are rounded; both are
    float32. Headers, not counted, are below 1 %.
    """
    rows = parameters * (epochs + 1) * getattr(torch, dtype).itemsize
    end = parameters * torch.float32.itemsize * ((momentum > 0) + (dtype != "float32"))
    return count * (rows + end)


def train_experts(
    folder: str | Path,
    real: RealSet,
    network_name: str,
    recipe: ExpertRecipe,
    *,
    epochs: int,
    seed: int,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> ExpertBuffer:
    """``recipe.count`` experts of at least ``epochs`` epochs in ``folder``; only those that are not there are trained.

    Expert e depends on ``seed``, e and the recipe alone, so a longer training has the same beginning: an expert that is
    shorter than ``epochs`` goes on from where it ended, and a longer one serves as it is. One that is damaged, or was
    written without what it could go on from, is trained again whole. A process killed at any moment loses at most
    ``checkpoint_seconds`` (or ten times as long as a checkpoint takes to write) and the epoch it was in; the same call
    continues. Stopped or not, extended or not, on the CPU the bits are the same. Errors: UserError when the folder
    holds other experts, the network can not be a student, an expert diverges, or the disk is full.
    """
    folder = Path(folder)
    tell = Silent() if progress is None else progress
    if epochs < 1:
        raise UserError(f"experts need at least 1 epoch, not {epochs}", fix="set experts.epochs to 1 or more")
    shape = {"channels": real.channels, "size": real.size, "classes": real.classes}
    refuse_non_students(build_network(network_name, **shape, seed=seed))
    description = describe_buffer(real, network_name, recipe, seed)
    found = _adopt(folder, description)
    missing = [expert for expert in range(recipe.count) if found.usable.get(expert, 0) < epochs]
    if missing:
        trainer = _Trainer(real, network_name, recipe, seed, torch.device(device))
        tell.start(len(missing) * epochs, _what(folder, found, missing))
        floats = activation_floats(build_network(network_name, **shape, seed=seed), real.channels, real.size)
        try:
            for done, expert in enumerate(missing):
                unfinished = Unfinished(folder, expert, description.fingerprint, checkpoint_seconds)
                with threads_for(floats * recipe.batch, trainer.device):
                    trajectory, end = trainer.train(expert, epochs, description, unfinished, tell, done * epochs)
                write_expert(folder, expert, trajectory, description, unfinished.seconds, end)
                unfinished.discard()
        finally:
            tell.close()
    return ExpertBuffer.open(folder, range(recipe.count))


def _adopt(folder: Path, description: BufferDescription) -> Contents:
    """Make the folder this buffer's, or see that it is. A lost or damaged description is written anew."""
    try:
        there = read_description(folder)
    except artefact.WrittenByNewerError:
        raise
    except UserError:
        there = None
    if there is not None:
        there.require_same(description, str(folder))
    found = scan(folder, description)
    if found.foreign:
        raise UserError(
            "the folder holds experts of another buffer, which would be written over",
            f"in    {folder}",
            f"files {', '.join(expert_path(folder, expert).name for expert in sorted(found.foreign))}",
            fix="delete them, or choose another folder",
        )
    if there is None:
        write_description(folder, description)
    return found


def _what(folder: Path, found: Contents, missing: list[int]) -> str:
    """The title of the progress bar, which also says what is trained a second time and why."""
    again = [f"{expert_path(folder, e).name} again: {found.damaged[e]}" for e in missing if e in found.damaged]
    return "; ".join(["experts", *again])


class _Trainer:
    """What all experts of a buffer share, the data on the device above all."""

    def __init__(self, real: RealSet, network_name: str, recipe: ExpertRecipe, seed: int, device: torch.device) -> None:
        self.real, self.network_name, self.recipe, self.seed, self.device = real, network_name, recipe, seed, device
        self.train_feed = Feed(real, real.train, device)
        self.validation_feed = Feed(real, real.validation, device) if len(real.validation) else None
        self.augmentation = augmentation(recipe.augmentation, mirror=real.mirror)

    def train(
        self,
        expert: int,
        epochs: int,
        description: BufferDescription,
        unfinished: Unfinished,
        tell: Progress,
        done: int,
    ) -> tuple[Trajectory, dict[str, Tensor]]:
        """One expert, from its initialisation or from where ``unfinished`` says it was left, and its end state."""
        real, recipe = self.real, self.recipe
        network = build_network(
            self.network_name,
            channels=real.channels,
            size=real.size,
            classes=real.classes,
            seed=derive(self.seed, "expert", expert, "init"),
        ).to(self.device)
        optimizer = expert_optimizer(network, recipe)
        trajectory = Trajectory.blank(
            epochs,
            description.parameter_count,
            description.statistic_count,
            getattr(torch, recipe.dtype),
            validated=self.validation_feed is not None,
        )
        trajectory.snapshot(0, network)
        begin = unfinished.restore(network, optimizer, trajectory)
        tell.update(done + begin)
        try:
            for epoch in range(begin, epochs):
                optimizer.begin_epoch(epoch)
                order = stream(self.seed, "expert", expert, "epoch", epoch, "order")
                loss, accuracy = train_epoch(
                    optimizer.update,
                    (self.train_feed[rows] for rows in shuffled_batches(len(real.train), recipe.batch, order)),
                    self.augmentation,
                    stream(self.seed, "expert", expert, "epoch", epoch, "augmentation"),
                )
                trajectory.snapshot(epoch + 1, network)
                if not (math.isfinite(loss) and trajectory.parameters[epoch + 1].isfinite().all()):
                    unfinished.discard()
                    raise _diverged(expert, epoch, loss, optimizer.learning_rate(epoch), recipe)
                measured = {"train_loss": loss, "train_accuracy": accuracy}
                if self.validation_feed is not None:
                    measured["validation_accuracy"] = self._validate(network, self.validation_feed)
                for name, value in {**measured, "learning_rate": optimizer.learning_rate(epoch)}.items():
                    trajectory.curves[name][epoch] = value
                unfinished.keep(epoch + 1, network, optimizer, trajectory)
                tell.update(done + epoch + 1, expert=expert, **{name: f"{v:.3f}" for name, v in measured.items()})
        except KeyboardInterrupt:
            unfinished.write()
            raise
        return trajectory, end_state(network, optimizer, trajectory.parameters.dtype)

    def _validate(self, network: nn.Module, feed: Feed) -> float:
        network.eval()
        batches = (feed[rows] for rows in consecutive_batches(len(feed), _VALIDATION_BATCH))
        accuracy = top1_accuracy(network, batches)
        network.train()
        return accuracy


def _diverged(expert: int, epoch: int, loss: float, lr: float, recipe: ExpertRecipe) -> UserError:
    return UserError(
        f"expert {expert} diverged in epoch {epoch + 1}: its loss or its parameters are not finite",
        f"loss  {loss}",
        f"used  {recipe.optimizer.kind} at lr {lr:g}, momentum {recipe.momentum:g}, batch {recipe.batch}",
        "kept  the experts before it",
        fix=f"lower experts.lr, say to {recipe.lr / 10:g}, or experts.momentum; the folder is then another",
    )
