"""Two processes that work together as ranks, started once for many questions."""

import os
import socket
import traceback

import torch
from torch.multiprocessing.spawn import ProcessContext, start_processes

from helpers import pretend_cuda

WORLD = 2


class Pair:
    """Ranks 0 and 1, which wait for a function's name and arguments, and answer with what it returns.

    Args:
        device: Type of their devices; each has the pretend GPU of its own where this process has one.
    """

    def __init__(self, device: str = "cpu") -> None:
        context = torch.multiprocessing.get_context("spawn")
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.asked = [context.SimpleQueue() for _ in range(WORLD)]
        self.answered = [context.SimpleQueue() for _ in range(WORLD)]
        self.processes = start_processes(
            _serve, (port, device, self.asked, self.answered), nprocs=WORLD, join=False, start_method="spawn"
        )
        assert isinstance(self.processes, ProcessContext)

    def __call__(self, function, *arguments):
        """What ``function(ranks, *arguments)`` returns on each rank. Errors: AssertionError with a rank's traceback."""
        for queue in self.asked:
            queue.put((function, arguments))
        answers = [queue.get() for queue in self.answered]
        for failed, answer in answers:
            assert not failed, answer
        return [answer for _, answer in answers]

    def close(self) -> None:
        for queue in self.asked:
            queue.put(None)
        self.processes.join()


def _serve(rank, port, device, asked, answered):
    if device == "cuda" and pretend_cuda.requested():
        pretend_cuda.install()
    from ddbench.runtime.distributed import Ranks

    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(WORLD), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = Ranks.from_environment(torch.device(device))
    while (question := asked[rank].get()) is not None:
        function, arguments = question
        try:
            answered[rank].put((False, function(ranks, *arguments)))
        except Exception:
            answered[rank].put((True, traceback.format_exc()))
    ranks.leave()
