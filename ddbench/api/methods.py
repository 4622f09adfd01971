"""Methods as the API takes them: by name with settings, or as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddbench.distillation.method import Method
from ddbench.errors import UserError
from ddbench.methods import METHODS
from ddbench.pipeline.domain import Domain
from ddbench.recipe.settings import validate
from ddbench.recipe.yaml_source import YamlSource


def resolve_method(
    method: str | Method, settings: Mapping[str, Any], caller: str, domain: Domain
) -> tuple[str, Method]:
    """Make the method of a call.

    Args:
        method: A registered name, or a method with its settings.
        settings: Settings beside the name.
        caller: The function that was called, for errors, such as ``distill()``.
        domain: Domain of the data at hand.

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
        _require_domain(kind, name, domain)
        return name, method
    if isinstance(method, type):
        raise UserError(
            f"{method.__name__} is a class, not a method with its settings", fix=f"write {method.__name__}(...)"
        )
    registered = METHODS.get(method, caller)
    _require_domain(registered, method, domain)
    return method, validate(registered, settings, YamlSource(caller, dict(settings)), ())


def _require_domain(kind: type[Method], name: str, domain: Domain) -> None:
    """Errors: UserError where a method distills other data."""
    if domain.name != kind.DOMAIN:
        raise UserError(
            f"{name} distills {kind.DOMAIN}, not {domain.name}",
            fix=f"choose a method of {domain.name} (ddbench methods), or load {kind.DOMAIN} (ddbench.load_dataset)",
        )
