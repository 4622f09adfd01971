"""Messages between the ranks of one launch: facts, decisions and failures, over torchrun's store."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from ddbench.errors import UserError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

_SET_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_FAILED, _REPORTED = "failed", "said"


def launched() -> tuple[int, int]:
    """Read whether torchrun started this process.

    Returns:
        The rank of this process, and the number of ranks; (0, 1) where torchrun did not.
    """
    if not all(os.environ.get(name) for name in _SET_BY_TORCHRUN):
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


@cache
def rank_store() -> RankStore:
    """Open the one store of this process; at the first call all ranks meet.

    Returns:
        The store.
    """
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, world = next(rendezvous("env://"))
    return RankStore(PrefixStore("ddbench", store), rank, world)


class RankStore:
    """A store in which every rank reads what every other wrote. All ranks make the same calls in the same order.

    Waiting has no end of its own: rank 0 may train experts for a day meanwhile. It ends where another rank fails.

    Args:
        store: torchrun's.
        rank: Number of this rank, from 0.
        world: Number of ranks.
    """

    def __init__(self, store: Store, rank: int, world: int) -> None:
        self.store, self.rank, self.world = store, rank, world
        self.turn = 0
        """How many calls were made, the same on all ranks."""

    def gather(self, document: Any) -> list[Any]:
        """Collect a document of every rank.

        Args:
            document: This rank's, JSON.

        Returns:
            All documents, in the order of ranks.

        Raises:
            UserError: A rank has failed.
        """
        turn = self._next()
        self.store.set(f"{turn}/{self.rank}", json.dumps(document))
        return [self._read(f"{turn}/{rank}") for rank in range(self.world)]

    def decided(self, document: Any) -> Any:
        """Take rank 0's document.

        Args:
            document: This rank's, JSON.

        Returns:
            Rank 0's.

        Raises:
            UserError: A rank has failed.
        """
        turn = self._next()
        if self.rank == 0:
            self.store.set(f"{turn}/0", json.dumps(document))
        return self._read(f"{turn}/0")

    @contextmanager
    def rank_0_first(self) -> Iterator[None]:
        """Run the block on rank 0 first, then on the others, who find its work done.

        Yields:
            Nothing.
        """
        if self.rank > 0:
            self.decided(None)
        yield
        if self.rank == 0:
            self.decided(None)

    @contextmanager
    def reports_on_one_rank(self) -> Iterator[bool]:
        """Report a failure inside the block on one rank only.

        The others stay until it has been reported, for the first process that ends has torchrun end all.

        Yields:
            True on the rank that is to report, the first that comes.
        """
        speaks = self.store.add(_FAILED, 1) == 1
        try:
            yield speaks
        finally:
            if speaks:
                self.store.set(_REPORTED, "")
            else:
                self._wait_a_little(_REPORTED)

    def _next(self) -> int:
        self.turn += 1
        return self.turn

    def _read(self, key: str) -> Any:
        pause = 0.002
        while not self.store.check([key]):
            if self.store.check([_FAILED]):
                raise ended()
            time.sleep(pause)
            pause = min(2 * pause, 0.2)
        return json.loads(self.store.get(key))

    def _wait_a_little(self, key: str) -> None:
        try:
            self.store.wait([key], timedelta(seconds=10))
        except RuntimeError:
            return


def ended(seen: str = "") -> UserError:
    """Make the error of a rank that waits in vain for another.

    Args:
        seen: Message of the library that noticed, whose first sentence counts; "" for none.

    Returns:
        The error, to be raised.
    """
    return UserError(
        "another rank of this run has ended",
        f"seen  {seen.splitlines()[0].split('. ')[0]}" if seen else "",
        fix="see what it said; once that is mended, the same command goes on from the last checkpoint",
    )
