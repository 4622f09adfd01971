"""Registration of methods of your own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ddbench.distillation.method import Method
from ddbench.methods import METHODS

M = TypeVar("M", bound=type[Method])


def register_method(name: str) -> Callable[[M], M]:
    """Register a method class under a name, so that recipes and :func:`ddbench.distill` know it.

    Use it as a decorator, ``@ddbench.register_method("my-method")``. ``ddbench.testing.check_method`` tests the class.

    Args:
        name: Name of the method in recipes, rows and on the command line.

    Returns:
        A decorator that returns the class unchanged.

    Raises:
        UserError: Another class has the name.
    """

    def add(method: M) -> M:
        METHODS.register(name)(method)
        return method

    return add
