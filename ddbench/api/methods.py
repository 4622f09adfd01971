"""Methods as the API takes them: by name with settings, or as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ddbench.distillation.method import Method
from ddbench.errors import UserError
from ddbench.methods import METHODS
from ddbench.recipe.settings import validate
from ddbench.recipe.yaml_source import YamlSource

M = TypeVar("M", bound=Method)


def resolve_method(
    method: str | Method, settings: Mapping[str, Any], caller: str, kinds: type[M] | tuple[type[M], ...], data: str
) -> tuple[str, M]:
    """Make the method of a call.

    Args:
        method: A registered name, or a method with its settings.
        settings: Settings beside the name.
        caller: The function that was called, for errors, such as ``distill()``.
        kinds: Base classes of the methods that distill the data at hand.
        data: That data, ``images`` or ``graphs``.

    Returns:
        The name under which synthetic sets record the method, and the method itself. A method that is not registered
        goes by the name of its class, in lower case.

    Raises:
        UserError: The name is unknown, a setting is wrong, there are settings beside a method with its own, or the
            method distills the other kind of data.
    """
    if isinstance(method, Method):
        kind = type(method)
        if settings:
            listed = ", ".join(f"{key}={value!r:.80}" for key, value in settings.items())
            raise UserError(
                f"{caller} has settings beside a method that has its own",
                f"given {listed}",
                fix=f"put them into the method:  {kind.__name__}({', '.join(f'{key}=...' for key in settings)})",
            )
        name = METHODS.name_of(kind) or kind.__name__.lower()
        if not isinstance(method, kinds):
            raise _other_data(name, data)
        return name, method
    if isinstance(method, type):
        raise UserError(
            f"{method.__name__} is a class, not a method with its settings", fix=f"write {method.__name__}(...)"
        )
    registered = METHODS.get(method, caller)
    if not issubclass(registered, kinds):
        raise _other_data(method, data)
    return method, validate(registered, settings, YamlSource(caller, dict(settings)), ())


def _other_data(name: str, data: str) -> UserError:
    other = "graphs" if data == "images" else "images"
    return UserError(
        f"{name} distills {other}, not {data}",
        fix=f"choose a method of {data} (ddbench methods), or load {other} (ddbench.load_dataset)",
    )
