"""Independent jobs carried out one after the other, over processes of this machine, or on a Ray cluster."""

from ddbench.executors.executor import Executor, Serial, Tell, Work
from ddbench.executors.local import Local
from ddbench.executors.on_ray import RayExecutor

__all__ = ["Executor", "Local", "RayExecutor", "Serial", "Tell", "Work"]
