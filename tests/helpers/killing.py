"""Processes of ddbench that are forked from one that has loaded everything, so that many can be started and killed."""

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from helpers.command_line import ENVIRONMENT

NURSERY = """
import json, os, signal, sys, time
import torch, torchvision, timm, safetensors.torch, scipy, sklearn.datasets, matplotlib.pyplot, PIL.Image
import ddbench.domains.images.domain, ddbench.pipeline.score_files, ddbench.commands.show, ddbench.figures.image_grid
import ddbench.pipeline.import_set, ddbench.plan.memory, ddbench.evaluate.leaderboard.render
import ddbench.expert_buffers.replay_buffer
from ddbench.commands import main
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setsid()
        log = os.open(asked["log"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(log, 1), os.dup2(log, 2)
        os.environ.update(asked["environment"])
        try:
            status = main(asked["arguments"])
        except BaseException:
            import traceback
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        os._exit(status)
    deadline, ended = time.monotonic() + asked["kill_after"], (0, 0)
    while ended == (0, 0):
        ended = os.waitpid(child, os.WNOHANG)
        if ended == (0, 0) and time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
        time.sleep(0.002)
    print(os.waitstatus_to_exitcode(ended[1]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """status: of the process, negative for a signal. said: all that it wrote. seconds: that it took."""

    status: int
    said: str
    seconds: float


class Nursery:
    """Starts ``ddbench`` again and again within milliseconds. To be closed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.log, self.temporary = folder / "log", folder / "tmp"
        self.temporary.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**ENVIRONMENT, "TMPDIR": str(self.temporary)},
        )
        assert self._line() == "ready"

    def run(self, *arguments, kill_after: float | None = None, **environment: str) -> Ended:
        """One process, killed after so many seconds unless it ends before."""
        asked = {"arguments": list(map(str, arguments)), "log": str(self.log), "environment": environment}
        asked["kill_after"] = 3600 if kill_after is None else kill_after
        began = time.monotonic()
        self.process.stdin.write(json.dumps(asked) + "\n")
        status = int(self._line())
        return Ended(status, self.log.read_text(errors="replace"), time.monotonic() - began)

    def run_killed(self, *arguments, dice: random.Random, mean: float, **environment: str) -> tuple[int, Ended]:
        """The same command again and again, killed at moments drawn by chance, until it ends by itself.

        mean: seconds that a process lives on average. Returns how many were killed, and how the last one ended.
        """
        kills = 0
        while kills < 40:
            ended = self.run(*arguments, kill_after=dice.expovariate(1 / mean), **environment)
            if ended.status != -signal.SIGKILL:
                return kills, ended
            kills += 1
        return kills, self.run(*arguments, **environment)

    def _line(self) -> str:
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)
