"""A small task to distill from: drawn images, a narrow student, two drawn experts."""

from ddbench.runtime.progress import Silent
from ddbench.testing.tiny_task import NETWORK as NETWORK
from ddbench.testing.tiny_task import RandomWalkExperts as DrawnExperts
from ddbench.testing.tiny_task import outer_step as at
from ddbench.testing.tiny_task import tiny_task

__all__ = ["NETWORK", "DrawnExperts", "StopAt", "at", "tiny_task"]


class StopAt(Silent):
    """A progress bar that interrupts, as Ctrl-C would."""

    def __init__(self, step):
        self.step = step

    def update(self, done, **facts):
        if done == self.step:
            raise KeyboardInterrupt
