"""One computation over several processes: each has its rows of every batch, and all have the same gradient.

A step over several ranks is written with two operations that are each other's transpose. ``copied`` hands a tensor that
is the same everywhere to work that differs from rank to rank: the identity, whose cotangents are summed over the ranks.
``summed`` adds up what the ranks found: a sum, whose cotangent is the same everywhere. So gradients of any order are
those of one process, but for rounding. Source: Shoeybi et al. 2019 (Megatron-LM, arXiv:1909.08053), operators f and g.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, final

import torch
import torch.distributed as dist
from torch import Tensor

from ddbench.errors import UserError
from ddbench.runtime.oom import is_out_of_memory
from ddbench.runtime.rank_store import RankStore, ended, launched, rank_store

_PATIENCE = timedelta(days=7)
"""Of collectives. Rank 0 labels candidates while others wait; a rank that dies is for torchrun to notice."""


@dataclass(frozen=True)
class Share:
    """Part that a rank has of a batch."""

    rows: slice
    """Rows of the batch, one at least."""
    weight: float
    """Weight of their mean in the mean over the batch; 0 where there are fewer images than ranks, and the row
    is another's."""


@final
@dataclass(frozen=True)
class Ranks:
    """The processes that work on one computation, as one of them sees it; by default there is this one alone."""

    rank: int = 0
    """Number of this process, from 0."""
    world: int = 1
    """Number of processes."""
    store: RankStore | None = field(default=None, repr=False)
    """Store for messages; None for a process alone, for which every method does nothing."""

    @classmethod
    def from_environment(cls, device: torch.device) -> Ranks:
        """Join the ranks that torchrun started: by gloo on the CPU, by NCCL on CUDA.

        Args:
            device: Device of this rank, as :func:`rank_device` names it.

        Returns:
            All ranks; this process alone where torchrun did not start it.
        """
        if launched()[1] == 1:
            return cls()
        talk = rank_store()
        if not dist.is_initialized():
            from torch.distributed.distributed_c10d import PrefixStore

            if device.type == "cuda":
                torch.cuda.set_device(device)
            dist.init_process_group(
                "nccl" if device.type == "cuda" else "gloo",
                store=PrefixStore(f"tensors {talk.turn}", talk.store),
                rank=talk.rank,
                world_size=talk.world,
                timeout=_PATIENCE,
            )
        return cls(talk.rank, talk.world, talk)

    @property
    def alone(self) -> bool:
        """Whether there is one process only."""
        return self.world == 1

    @property
    def writes(self) -> bool:
        """Whether this is the one rank that writes files and shows progress."""
        return self.rank == 0

    def share(self, images: int) -> Share:
        """Divide a batch into blocks in order, as equal as can be.

        Args:
            images: Images of the batch.

        Returns:
            This rank's part.
        """
        begin, end = (images * rank // self.world for rank in (self.rank, self.rank + 1))
        return Share(slice(begin, end), (end - begin) / images) if end > begin else Share(slice(0, 1), 0.0)

    def copied(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Hand tensors that are the same on every rank to work that differs; backward their cotangents are summed.

        Args:
            tensors: The same on every rank.

        Returns:
            The same tensors.

        Source: Shoeybi et al. 2019 (Megatron-LM, arXiv:1909.08053), operator f.
        """
        return tensors if self.alone else _Copied.apply(*tensors)  # pyright: ignore[reportReturnType]

    def summed(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Sum tensors over all ranks; backward every rank has the cotangent.

        Args:
            tensors: Each rank's own, of equal shapes.

        Returns:
            The sums, the same on every rank.

        Source: Shoeybi et al. 2019 (Megatron-LM, arXiv:1909.08053), operator g.
        """
        return tensors if self.alone else _Summed.apply(*tensors)  # pyright: ignore[reportReturnType]

    def total(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Sum tensors over all ranks, in one collective, without autograd.

        Args:
            tensors: Each rank's own, of equal shapes.

        Returns:
            The sums, new tensors, the same on every rank.

        Raises:
            UserError: Another rank has ended.
        """
        return tensors if self.alone else _in_one(dist.all_reduce, tensors)

    def agreed(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Take rank 0's tensors, so that what all ranks decide on them is the same to the bit.

        Args:
            tensors: Each rank's own, of equal shapes.

        Returns:
            Rank 0's.

        Raises:
            UserError: Another rank has ended.
        """
        return tensors if self.alone else _in_one(lambda flat: dist.broadcast(flat, 0), tensors)

    def decided(self, document: Any) -> Any:
        """Take rank 0's answer to what only one rank must answer, such as whether a file is there.

        Args:
            document: This rank's answer, JSON.

        Returns:
            Rank 0's answer.

        Raises:
            UserError: Another rank has ended.
        """
        return document if self.store is None else self.store.decided(document)

    def gather(self, document: Any) -> list[Any]:
        """Collect a document of every rank.

        Args:
            document: This rank's, JSON.

        Returns:
            All documents, in the order of ranks.

        Raises:
            UserError: Another rank has ended.
        """
        return [document] if self.store is None else self.store.gather(document)

    def wait(self) -> None:
        """Go on when all ranks are here."""
        self.gather(None)

    @contextmanager
    def rank_0_first(self) -> Iterator[None]:
        """Run the block on rank 0 first, then on the others, who find its work done: downloads, the first set.

        Yields:
            Nothing.
        """
        with nullcontext() if self.store is None else self.store.rank_0_first():
            yield

    def require_same(self, facts: Mapping[str, Any], fix: str) -> None:
        """Check that facts are the same on all ranks.

        Args:
            facts: This rank's facts by name, JSON.
            fix: What to do where they differ.

        Raises:
            UserError: On all ranks; names the first fact that differs.
        """
        documents = self.gather(dict(facts))
        for key in sorted({key for document in documents for key in document}):
            for rank, document in enumerate(documents):
                if document.get(key) != documents[0].get(key):
                    raise UserError(
                        f"rank {rank} has another {key} than rank 0",
                        f"rank 0 {documents[0].get(key)}",
                        f"rank {rank} {document.get(key)}",
                        fix=fix,
                    )

    def leave(self) -> Ranks:
        """Part, when all ranks are here.

        Returns:
            This process alone.
        """
        self.wait()
        if dist.is_initialized():
            dist.destroy_process_group()
        return Ranks()


ALONE = Ranks()


def _in_one(collective: Callable[[Tensor], Any], tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A collective that works in place, once for several tensors.

    Raises:
        UserError: Another rank has ended.
    """
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    try:
        collective(flat)
    except RuntimeError as error:
        if is_out_of_memory(error):  # NCCL allocates for itself
            raise
        raise ended(str(error)) from error
    parts = flat.split([tensor.numel() for tensor in tensors])
    return tuple(part.view(tensor.shape).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True))


class _Copied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        needed_cotangents = [c for c, needed in zip(cotangents, ctx.needs_input_grad, strict=True) if needed]
        sums = iter(_Summed.apply(*needed_cotangents))  # pyright: ignore[reportArgumentType]
        return tuple(next(sums) if needed else None for needed in ctx.needs_input_grad)


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        return _in_one(dist.all_reduce, tensors)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Copied.apply(*cotangents)
