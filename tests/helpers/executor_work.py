"""Jobs for the tests of executors, at a place where other processes find them."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ddbench.distillation.job_method import JobMethod
from ddbench.errors import UserError
from ddbench.randomness import stream
from ddbench.runtime.precision import precision_in_use

prepared = []
"""What ``prepare`` left in this process."""


@dataclass(frozen=True)
class Prepare:
    said: str

    def __call__(self):
        prepared.append(self.said)


@dataclass
class Draw:
    """Draws as the item says, and tells of every number."""

    scale: torch.Tensor = field(default_factory=lambda: torch.full((3,), 2.0))

    def __call__(self, item, report):
        drawn = torch.randn(item + 1, 3, generator=torch.Generator().manual_seed(item)) * self.scale
        for done in range(item + 1):
            report(done + 1, item + 1, item=item)
        return item, drawn


@dataclass
class Whereabouts:
    """What a process looks like from inside, and which it is."""

    opened: list = field(default_factory=list)

    def __call__(self, item, report):
        self.opened.append(item)
        time.sleep(0.2)
        return os.getpid(), torch.get_num_threads(), list(prepared), len(self.opened)


def sensitive(item, report):
    if item == 2:
        raise UserError("two is not allowed", "given 2", fix="give another")
    return item


def broken(item, report):
    return 1 // item


@dataclass(frozen=True)
class DiesUntil:
    """Each job leaves a mark; that of item 1 kills its process at its first tries."""

    folder: Path
    tries: int

    def __call__(self, item, report):
        marks = len(list(self.folder.glob(f"{item}-*")))
        (self.folder / f"{item}-{marks}").touch()
        if item == 1 and marks < self.tries:
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        return item


@dataclass(frozen=True)
class Slow:
    """Says in a file which process does it, and sleeps."""

    folder: Path

    def __call__(self, item, report):
        (self.folder / f"{item}").write_text(str(os.getpid()))
        time.sleep(60)


class Walks(JobMethod):
    """Each job walks at random; the set is the ends of the walks."""

    steps: int = 6

    def jobs(self, task, ipc):
        return [f"walk-{number}" for number in range(task.real.classes)]

    def run(self, name, task, ipc, at, checkpoint):
        begin, state = checkpoint.resume() or (0, {"place": torch.zeros(ipc, 1, 8, 8)})
        context = state["place"]
        for step in range(begin, self.steps):
            context = context + torch.randn(context.shape, generator=stream(at.seed, name, step))
            checkpoint.checkpoint(
                step + 1, self.steps, lambda context=context: {"place": context}, far=float(context.norm())
            )
        return {"image": context}

    def assemble(self, task, ipc, at, made):
        images = torch.cat([made[name]["image"] for name in self.jobs(task, ipc)])
        return task.synthetic(images, torch.arange(task.real.classes).repeat_interleave(ipc), ipc=ipc)


if __name__ == "__main__":
    import sys

    from ddbench.runtime.executors import Local
    from helpers.executor_work import Slow as Importable

    with Local(2) as executor:
        list(executor.map(Importable(Path(sys.argv[1])), range(2)))


def precision_of(item, report):
    """Precision in which a job computes."""
    report(1, 1)
    return precision_in_use()
