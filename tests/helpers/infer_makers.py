"""What the tests of INFER share: teachers that were drawn, not trained, and tasks with them."""

from dataclasses import replace

from ddbench.testing.tiny_task import drawn_network, drawn_teachers
from helpers.distillation_makers import tiny_task

__all__ = ["NETWORKS", "drawn_network", "drawn_teachers", "taught_task"]

NETWORKS = ("convnet-d1-w4-bn", "convnet-d2-w4-bn")


def taught_task(networks=NETWORKS, seed=0, **changed):
    """The tiny task of 3 classes, 1 x 8 x 8, with teachers."""
    task = tiny_task(experts=False, **changed)
    return replace(task, method="infer", teachers=drawn_teachers(task.real, networks, seed))
