"""Processes that train fresh networks side by side on the cores of a CPU."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING

import torch

from ddbench.errors import UserError
from ddbench.evaluate.protocol import Protocol
from ddbench.memory import activation_floats
from ddbench.networks import build_network
from ddbench.synthetic import SyntheticSet

if TYPE_CHECKING:
    from ddbench.evaluate.exam import Exam


WORTH_WORKERS = 3e9
"""Activations in all trainings of one evaluation above which starting processes, a few seconds, is repaid."""


def worth_workers(syn: SyntheticSet, protocol: Protocol, networks: Iterable[str], seeds: int) -> bool:
    """Whether training ``seeds`` fresh networks of each kind on a set is work enough for several processes."""
    _, channels, size, _ = syn.images.shape
    shape = {"channels": channels, "size": size, "classes": syn.classes, "seed": 0}
    floats = sum(activation_floats(build_network(name, **shape), channels, size) for name in networks)
    return floats * len(syn.labels) * syn.formation**2 * protocol.trained_epochs * seeds > WORTH_WORKERS


def workers_for(device: torch.device, worth: bool) -> Workers | None:
    """As many workers as torch would use threads, on a CPU of several cores; elsewhere, or not worth it, None."""
    cores = torch.get_num_threads()
    return Workers(cores) if worth and device.type == "cpu" and cores > 1 else None


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
        try:
            for done in as_completed(pending):
                yield pending[done], done.result()
        except BrokenProcessPool:
            self._abandon()
            raise UserError(
                "a process that trained an evaluation network was killed",
                "why   most often there was not memory enough for all of them",
                fix="run the same command again with OMP_NUM_THREADS=1, which trains one network at a time",
            ) from None
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        """End the processes at once, whatever they are doing."""
        pool, self._pool = self._pool, None
        if pool is not None:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its workers
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _take(payload: bytes, seed: int) -> tuple[float, bool]:
    exam: Exam = pickle.loads(payload)
    return exam.take(seed)
