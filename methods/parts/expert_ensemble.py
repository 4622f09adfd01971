"""Logits of experts for images, by which initial images and labels are chosen."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ddbench.distillation.task import Task
from ddbench.errors import UserError
from ddbench.expert_buffers.trajectory import unflatten_into
from ddbench.networks import build_network

LABELED_AT_ONCE = 2**18
"""Numbers in images that pass a network together: 85 images of 32 pixels, 21 of 64. More would need more memory than an
outer step with small batches does."""


class ExpertEnsemble:
    """The experts of a task at one epoch, read from disk one at a time, in eval mode, without augmentation.

    Batch norm uses the running statistics that were recorded with the expert.

    Args:
        task: What is distilled from.
        epoch: Epoch of the experts.

    Raises:
        UserError: There are no experts, they are too short, or statistics of their batch norm were not recorded.
    """

    def __init__(self, task: Task, epoch: int) -> None:
        if task.experts is None:
            raise UserError("judging images needs experts", fix="give the task an expert buffer")
        if epoch > task.experts.epochs:
            raise UserError(
                f"epoch {epoch} of the experts is to judge images, they have {task.experts.epochs}",
                fix=f"train more (ddbench buffer RECIPE -o experts.epochs={epoch}), or lower label_expert_epoch",
            )
        self.task, self.experts, self.epoch = task, task.experts, epoch
        self._current: tuple[int, nn.Module] | None = None

    def __len__(self) -> int:
        return len(self.experts)

    @torch.no_grad()
    def logits(self, expert: int, images: Tensor) -> Tensor:
        """Compute an expert's logits.

        Args:
            expert: Number of the expert.
            images: Preprocessed images, (n, C, H, W).

        Returns:
            (n, K), on the device of the images.
        """
        network = self._load(expert)
        return torch.cat([network(chunk) for chunk in images.split(at_once(images))])

    @torch.no_grad()
    def logits_of_rows(self, expert: int, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Compute an expert's logits for training images, chunk by chunk.

        Args:
            expert: Number of the expert.
            rows: Rows of the training split, (n,), int64.

        Yields:
            Rows of a chunk, and their logits, on the CPU.
        """
        network, real = self._load(expert), self.task.real
        for chunk in rows.split(at_once(real.train.images)):
            yield chunk, network(real.inputs(real.train, chunk)).cpu()

    def _load(self, expert: int) -> nn.Module:
        if self._current is None or self._current[0] != expert:
            self._current = expert, self._expert(expert)
        return self._current[1]

    def _expert(self, expert: int) -> nn.Module:
        task, real = self.task, self.task.real
        network = build_network(task.network_name, real.shape, seed=0).to(task.device)
        unflatten_into(self.experts[expert, self.epoch], network.parameters())
        if any(True for _ in network.buffers()):
            statistics = self.experts.statistics(expert, self.epoch)
            if statistics is None:
                raise UserError(
                    f"the experts can not judge single images: {task.network_name} has batch norm, whose statistics "
                    "were not recorded with them",
                    fix="init: real and labels: hard, or train experts here",
                )
            unflatten_into(statistics, network.buffers())
        return network.eval()


def at_once(images: Tensor) -> int:
    """Choose how many images pass a network together.

    Args:
        images: (n, C, H, W); the shape of one counts.

    Returns:
        Images, one at the least.
    """
    return max(1, LABELED_AT_ONCE // images.shape[1:].numel())
