"""Order of classes, and number of new ones at a step."""

from __future__ import annotations

import numpy as np

from ddbench.errors import UserError


def class_order(classes: int, order: int) -> tuple[int, ...]:
    """All classes in the order of a number: numpy's ``RandomState(order).permutation``.

    Args:
        classes: Number of classes.
        order: Seed of the permutation, from 0 to 2**32 - 1.

    Returns:
        Every class once.

    Raises:
        UserError: The number is out of range.

    Source: CL_DM.py of VICO-UoE/DatasetCondensation, which seeds numpy with 0 to 4.

    Differs: none, and the global state of numpy stays as it is.
    """
    if not 0 <= order < 2**32:
        raise UserError(f"there is no class order {order}", fix="number orders from 0")
    return tuple(np.random.RandomState(order).permutation(classes).tolist())


def class_steps(classes: int, steps: int, order: int) -> list[tuple[int, ...]]:
    """New classes of each step, in the order of a number.

    Where steps do not divide the classes, the first ones bring one class more; the source leaves the rest out.

    Args:
        classes: Number of classes.
        steps: Number of steps.
        order: Number of the order, as ``class_order`` takes it.

    Returns:
        The new classes, step by step; every class comes once.

    Raises:
        UserError: Fewer than one step or more steps than classes.
    """
    if not 1 <= steps <= classes:
        raise UserError(
            f"{classes} classes can not come in {steps} steps", fix=f"choose --steps of 1 to {classes}, such as 5"
        )
    shuffled = class_order(classes, order)
    fewest, more = divmod(classes, steps)
    sizes = [fewest + (step < more) for step in range(steps)]
    return [shuffled[sum(sizes[:step]) : sum(sizes[: step + 1])] for step in range(steps)]
