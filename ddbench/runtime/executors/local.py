"""Jobs over processes of this machine."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any, Self

from ddbench.errors import UserError
from ddbench.files.process_identity import identity_in, this_process
from ddbench.runtime.executors.executor import Item, ProgressCallback, Result, Work, ignore_progress
from ddbench.runtime.executors.serialize import Setup, ThrottledProgress, packed, perform, result_of

if TYPE_CHECKING:
    import torch

    Said = SimpleQueue[tuple[str, int, int, int, dict[str, Any]]]

_LISTEN = 0.2
"""Seconds after which what jobs tell is passed on, where none ends before."""


class Local:
    """A pool of processes that is started when it is first needed and lives until ``close``.

    Args:
        workers: Processes, of one processor thread each. They are spawned, so a script that uses them needs ``if
            __name__ == "__main__":``. They end by themselves when their parent is killed, and leave Ctrl-C to it. A job
            whose process is killed is not tried again: most often there was not memory enough, nor would there be.
        setup: Called once by each.
    """

    elsewhere = False

    def __init__(self, workers: int, *, setup: Setup = ()) -> None:
        if workers < 1:
            raise UserError(f"{workers} processes do nothing", fix="give a number of workers of 1 or more")
        self.at_once = workers
        self._setup = setup
        self._pool: ProcessPoolExecutor | None = None
        self._size = 0
        self._said: Said | None = None

    def device(self, here: torch.device) -> torch.device:
        return here

    def map(
        self, work: Work[Item, Result], items: Sequence[Item], on_progress: ProgressCallback = ignore_progress
    ) -> Iterator[tuple[int, Result]]:
        if not items:
            return
        sweep_job_folders()
        with TemporaryDirectory(prefix=f"{_JOB_FOLDER}{this_process().token}-") as folder:
            payload = Path(folder) / "work"
            payload.write_bytes(packed(work, self._setup))
            try:
                yield from self._carried_out(str(payload), items, on_progress)
            except BrokenProcessPool:
                self._abandon()
                raise UserError(
                    "a process that did one of several jobs was killed",
                    "why   most often there was not memory enough for all of them",
                    "kept  the jobs that were done",
                    fix="run the same command again with fewer at once: --workers N, or OMP_NUM_THREADS=N before it",
                ) from None
            except BaseException:
                self._abandon()
                raise

    def _carried_out(
        self, payload: str, items: Sequence[Item], on_progress: ProgressCallback
    ) -> Iterator[tuple[int, Any]]:
        pool = self._started(len(items))
        pending: dict[Future[bytes], int] = {
            pool.submit(_perform, payload, position, pickle.dumps(item)): position
            for position, item in enumerate(items)
        }
        while pending:
            done, _ = wait(pending, timeout=_LISTEN, return_when=FIRST_COMPLETED)
            self._listen(payload, on_progress)
            for future in done:
                yield pending.pop(future), result_of(future.result())

    def _listen(self, payload: str, on_progress: ProgressCallback) -> None:
        while self._said is not None and not self._said.empty():
            name, position, done, of, facts = self._said.get()
            if name == payload:
                on_progress(position, done, of, **facts)

    def _started(self, jobs: int) -> ProcessPoolExecutor:
        """The pool, of as many processes as there are jobs for."""
        size = min(self.at_once, jobs)
        if self._size < size:
            self.close()
        if self._pool is None:
            context = get_context("spawn")
            self._said = context.SimpleQueue()
            self._pool = ProcessPoolExecutor(
                size, mp_context=context, initializer=_begin, initargs=(self._said, os.getpid())
            )
            self._size = size
        return self._pool

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool, self._size = None, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _abandon(self) -> None:
        """End the processes at once, whatever they are doing."""
        pool, self._pool, self._size = self._pool, None, 0
        if pool is not None:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


def sweep_job_folders() -> None:
    """Remove the folders in which killed processes left their work, with all training images in it."""
    with suppress(OSError):
        for folder in Path(gettempdir()).glob(f"{_JOB_FOLDER}*"):
            owner = identity_in(folder.name)
            if owner is not None and owner.fate() == "ended" and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)


_JOB_FOLDER = "ddbench-"
"""How the names of folders begin in which work lies that other processes do."""

_telephone: list[Said] = []


def _begin(start_options: Said, parent: int) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends its workers
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    _telephone[:] = [start_options]


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _perform(payload: str, position: int, item: bytes) -> bytes:
    return perform(payload, Path(payload).read_bytes, item, ThrottledProgress(partial(_say, payload, position)))


def _say(payload: str, position: int, done: int, of: int, **facts: Any) -> None:
    _telephone[0].put((payload, position, done, of, facts))
