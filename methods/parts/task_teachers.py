"""Teachers of a task, checked against its data."""

from __future__ import annotations

from ddbench.distillation.task import Task
from ddbench.errors import UserError
from ddbench.training.teachers import Teachers


def task_teachers(task: Task, method: str) -> Teachers:
    """Get the teachers of a task.

    Args:
        task: The task.
        method: Name of the method that needs them, for the error.

    Returns:
        The teachers, on the device that they were given.

    Raises:
        UserError: It has none, or they know other images or classes.
    """
    if task.teachers is None:
        raise UserError(
            f"{method} needs teachers", fix="give the task teachers, trained on the same data (ddbench teach)"
        )
    task.teachers.check_compatible(
        dataset=task.real.name,
        shape=task.real.shape,
        preprocessing=task.real.preprocessing.fingerprint,
    )
    return task.teachers
