"""Independent jobs carried out one after the other, over processes of this machine, or on a Ray cluster."""

from ddbench.runtime.executors.executor import Executor, ReportProgress, Serial, Work
from ddbench.runtime.executors.local import Local
from ddbench.runtime.executors.ray import RayExecutor

__all__ = ["Executor", "Local", "RayExecutor", "Serial", "ReportProgress", "Work"]
