"""Work as it travels to another process: plain bytes, opened there once for all jobs.

Bytes, because torch would hand tensors over through /dev/shm, which is tiny in containers.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ddbench.errors import UserError
from ddbench.runtime.executors.executor import ReportProgress, Work
from ddbench.runtime.precision import precision_in_use, set_precision

Setup = Sequence[Callable[[], None]]
"""What a process calls, once, before it opens work: as to run the user's plugins, whose classes work may be of."""

PAUSE = 0.3
"""Seconds between two tellings of one job."""

_prepared: set[bytes] = set()
_opened: dict[str, Work[Any, Any]] = {}


def packed(work: Work[Any, Any], setup: Setup, dumps: Callable[[Any], bytes] = pickle.dumps) -> bytes:
    """Pickle work for another process, with the import paths of its modules and the precision of this process.

    Args:
        work: Function that does one job.
        setup: Functions that the process calls before it opens the work.
        dumps: Pickler; Ray's own pickles functions by value.

    Returns:
        Bytes for :func:`perform`.
    """
    return pickle.dumps((list(sys.path), precision_in_use(), dumps(tuple(setup)), dumps(work)))


def perform(name: str, read: Callable[[], bytes], item: bytes, report: ReportProgress) -> bytes:
    """Do one job in a worker process. An error of the job other than a UserError is raised.

    Args:
        name: Name of the work; it is unpickled once, until work of another name comes.
        read: Fetches the bytes of :func:`packed`; called only where the work is not open.
        item: The pickled item.
        report: Called with the progress of the job.

    Returns:
        A pickled answer for :func:`result_of`: the result, or the UserError of the job.
    """
    if name not in _opened:
        _opened.clear()
        places, precision, before, work = pickle.loads(read())
        set_precision(precision)
        sys.path += [context for context in places if context not in sys.path]
        if before not in _prepared:
            for prepare in pickle.loads(before):
                prepare()
            _prepared.add(before)
        _opened[name] = pickle.loads(work)
    try:
        return pickle.dumps((True, _opened[name](pickle.loads(item), report)))
    except UserError as error:
        return pickle.dumps((False, error))


def result_of(answer: bytes) -> Any:
    """Unpickle an answer.

    Args:
        answer: Bytes that :func:`perform` returned.

    Returns:
        The result of the job.

    Raises:
        UserError: The one that the job raised.
    """
    well, result = pickle.loads(answer)
    if not well:
        raise result
    return result


class ThrottledProgress:
    """Passes on the progress of a job, at most every ``PAUSE`` seconds, but its end always.

    Args:
        report: Called with the progress that is passed on.
    """

    def __init__(self, report: ReportProgress) -> None:
        self._tell, self._last = report, float("-inf")

    def __call__(self, done: int, of: int, **facts: Any) -> None:
        if done >= of or time.monotonic() - self._last >= PAUSE:
            self._last = time.monotonic()
            self._tell(done, of, **facts)
