"""Jobs on a Ray cluster: this machine alone, or any number of them. https://docs.ray.io."""

from __future__ import annotations

import logging
import os
import pickle
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

from ddbench.errors import UserError
from ddbench.runtime.executors.executor import Item, ProgressCallback, Result, Work, ignore_progress
from ddbench.runtime.executors.ray_address import require_answer, unanswered
from ddbench.runtime.executors.serialize import Setup, ThrottledProgress, packed, perform, result_of

if TYPE_CHECKING:
    import torch

RETRIES = 5
"""How often a job is begun again whose process or machine died."""

NO_ROOM = 60.0
"""Seconds in which a cluster without a machine that can do a job may get one."""

_LISTEN = 0.3
"""Seconds after which what jobs tell is passed on, where none ends before."""


class RayExecutor:
    """Sends jobs to a Ray cluster, as many at once as fit on it.

    A job whose process or machine dies is done again; one that raises is not. What a job needs travels as bytes; what
    it writes goes to the same path everywhere.

    Args:
        address: "HOST:PORT" of one that runs, "auto" for the one this machine belongs to; None takes $RAY_ADDRESS, else
            starts one on this machine, of ``workers`` CPUs, which ends with ``close``.
        workers: CPUs of a cluster that is started here; None is all.
        gpus_per_job: 0.5 puts two jobs on a GPU, 0 runs them on processors.
        cpus_per_job: CPUs that a job occupies.
        setup: Called once by each process, before its first job.

    Raises:
        UserError: Ray is not installed, nothing answers at the address (within seconds), a number is none, or no
            machine can do a job.
    """

    elsewhere = True

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        gpus_per_job: float = 0.0,
        cpus_per_job: float = 1.0,
        setup: Setup = (),
    ) -> None:
        if find_spec("ray") is None:
            raise UserError("ray is not installed", fix='pip install "ddbench[ray]"')
        if gpus_per_job < 0 or (gpus_per_job > 1 and gpus_per_job != int(gpus_per_job)):
            raise UserError(
                f"{gpus_per_job:g} is no share of a GPU", fix="give a number from 0 to 1, or a whole number above"
            )
        self.address = address or os.environ.get("RAY_ADDRESS") or None
        if self.address not in (None, "auto", "local"):
            require_answer(self.address)
        self._workers, self._setup = workers, setup
        self._room = {"CPU": cpus_per_job, "GPU": gpus_per_job}
        self._ray: Any = None
        self._board: Any = None
        self._ours = False

    @property
    def at_once(self) -> int:
        there = self._connected().cluster_resources()
        return max(1, int(min(there.get(name, 0.0) / need for name, need in self._room.items() if need)))

    def device(self, here: torch.device) -> torch.device:
        import torch

        del here
        return torch.device("cuda" if self._room["GPU"] else "cpu")

    def map(
        self, work: Work[Item, Result], items: Sequence[Item], on_progress: ProgressCallback = ignore_progress
    ) -> Iterator[tuple[int, Result]]:
        if not items:
            return
        ray = self._connected()
        self._require_resources()
        payload, name = ray.put(packed(work, self._setup, ray.cloudpickle.dumps)), uuid.uuid4().hex
        job = ray.remote(_perform).options(
            num_cpus=self._room["CPU"],
            num_gpus=self._room["GPU"],
            max_retries=RETRIES,
            retry_exceptions=False,
            scheduling_strategy="SPREAD",
        )
        # In a list the parcel stays where it is until a process asks for it, which it does once.
        pending = {
            job.remote(name, [payload], position, pickle.dumps(item), self._board): position
            for position, item in enumerate(items)
        }
        try:
            yield from self._awaited(name, pending, on_progress)
        except BaseException:
            for reference in pending:
                with suppress(Exception):
                    ray.cancel(reference, force=True)
            raise

    def _awaited(self, name: str, pending: dict[Any, int], on_progress: ProgressCallback) -> Iterator[tuple[int, Any]]:
        ray, alone_since = self._ray, None
        while pending:
            done, _ = ray.wait(list(pending), num_returns=1, timeout=_LISTEN)
            self._listen(name, on_progress)
            if not done:
                alone_since = None if self._has_resources() else alone_since or time.monotonic()
                if alone_since is not None and time.monotonic() - alone_since > NO_ROOM:
                    raise self._too_few_workers("no machine is left that could do the jobs that remain")
            for reference in done:
                answer = self._answer(reference)
                yield pending.pop(reference), result_of(answer)

    def _answer(self, reference: Any) -> bytes:
        """Errors: UserError where a job died again and again; what it raised."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError, errors.ObjectLostError) as e:
            raise UserError(
                f"a job died {RETRIES + 1} times, whichever machine did it",
                f"why   {_summary_of(e)}",
                "kept  the jobs that were done",
                fix="give jobs more room: fewer on a GPU (--gpus-per-job 1), or machines with more memory",
            ) from None

    def _listen(self, name: str, on_progress: ProgressCallback) -> None:
        """Pass on what was told since. That it can not be heard is no reason to stop."""
        with suppress(self._ray.exceptions.RayError):
            for (payload, position), (done, of, facts) in self._ray.get(
                self._board.reported.remote(), timeout=5
            ).items():
                if payload == name:
                    on_progress(position, done, of, **facts)

    def _connected(self) -> Any:
        """The module ray, connected to the cluster."""
        if self._ray is not None:
            return self._ray
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "8")  # seconds that it tries to connect, which is 20 else
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if not ray.is_initialized():
            mine = {"num_cpus": self._workers, "include_dashboard": False} if self.address in (None, "local") else {}
            try:
                ray.init(self.address or "local", logging_level=logging.ERROR, log_to_driver=False, **mine)
            except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
                raise unanswered(self.address or "this machine", _summary_of(error)) from None
            self._ours = True
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._board = ray.remote(ProgressActor).options(num_cpus=0, scheduling_strategy=here).remote()
        self._ray = ray
        return ray

    def _has_resources(self) -> bool:
        """Whether some machine, were it idle, could do a job."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return any(all(there.get(name, 0.0) >= need for name, need in self._room.items()) for there in machines)

    def _require_resources(self) -> None:
        if not self._has_resources():
            raise self._too_few_workers("no machine of the Ray cluster has room for a job")

    def _too_few_workers(self, problem: str) -> UserError:
        return UserError(
            problem,
            f"job   {self._room['CPU']:g} CPUs, {self._room['GPU']:g} GPUs",
            fix="start a machine that has them (ray start --address=HOST:PORT), or change --gpus-per-job",
        )

    def close(self) -> None:
        ray, self._ray = self._ray, None
        if ray is not None and ray.is_initialized():
            if self._ours:
                ray.shutdown()
            else:
                ray.kill(self._board)
        self._board = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class ProgressActor:
    """An actor on which jobs write what they tell."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, int], tuple[int, int, dict[str, Any]]] = {}

    def report(self, payload: str, position: int, done: int, of: int, facts: dict[str, Any]) -> None:
        self._said[payload, position] = (done, of, facts)

    def reported(self) -> dict[tuple[str, int], tuple[int, int, dict[str, Any]]]:
        """Take the newest report of each job since the last call.

        Returns:
            Units done, units in all and further facts, by payload and position of the job.
        """
        start_options, self._said = self._said, {}
        return start_options


def _perform(name: str, payload: list[Any], position: int, item: bytes, actor: Any) -> bytes:
    import ray
    import torch

    torch.set_num_threads(1)
    report = ThrottledProgress(partial(_say, actor, name, position))
    return perform(name, lambda: ray.get(payload[0]), item, report)


def _say(actor: Any, name: str, position: int, done: int, of: int, **facts: Any) -> None:
    actor.report.remote(name, position, done, of, facts)


def _summary_of(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
