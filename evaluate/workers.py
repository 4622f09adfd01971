"""Processes that train fresh networks side by side on the cores of a CPU."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ddbench.evaluate.exam import Exam


class Workers:
    """A pool that is started when it is first needed and lives until ``close``, or the end of its ``with`` block.

    count: processes. They are spawned, so a script that uses them needs ``if __name__ == "__main__":``. Results are
    those of a single process, to the bit. Workers end by themselves when their parent is killed.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def take(self, exam: Exam, seeds: Iterable[int]) -> Iterator[tuple[int, tuple[float, bool]]]:
        """Each seed's ``exam.take(seed)`` with its position among ``seeds``, as they are done."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.count, mp_context=get_context("spawn"), initializer=_begin)
        # Pickled here, as plain bytes: torch would pass tensors through /dev/shm, which is tiny in containers.
        payload = pickle.dumps(exam.light())
        pending: dict[Future[tuple[float, bool]], int] = {
            self._pool.submit(_take, payload, seed): position for position, seed in enumerate(seeds)
        }
        for done in as_completed(pending):
            yield pending[done], done.result()


def _begin() -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _take(payload: bytes, seed: int) -> tuple[float, bool]:
    exam: Exam = pickle.loads(payload)
    return exam.take(seed)
