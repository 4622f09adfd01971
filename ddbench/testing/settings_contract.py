"""The part of the contract that every method keeps: frozen settings that JSON can hold."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ddbench.distillation.base_method import Method


def check(method: Method) -> None:
    """Test the settings of a method.

    Args:
        method: With its settings.

    Raises:
        AssertionError: A setting can be changed, an unknown one is accepted, or JSON changes the settings.
    """
    check_is_frozen(method)
    check_refuses_unknown_settings(method)
    check_survives_json(method)


def check_is_frozen(method: Method) -> None:
    """Test that attributes can not be set.

    Args:
        method: With its settings.

    Raises:
        AssertionError: An attribute can be set.
    """
    changed: Any = method
    try:
        changed.anything = 1
    except (ValidationError, ValueError, AttributeError):
        return
    raise AssertionError(f"{type(method).__name__} is not frozen: keep model_config as ddbench.method has it")


def check_refuses_unknown_settings(method: Method) -> None:
    """Test that a setting that does not exist is refused.

    Args:
        method: With its settings.

    Raises:
        AssertionError: It is accepted.
    """
    try:
        type(method)(**{**method.model_dump(), "no_such_key": 1})
    except ValidationError:
        return
    raise AssertionError(
        f"{type(method).__name__} accepts unknown settings: keep model_config as ddbench.method has it"
    )


def check_survives_json(method: Method) -> None:
    """Test that settings survive being written as JSON and read back.

    Args:
        method: With its settings.

    Raises:
        AssertionError: They differ afterwards.
    """
    again = type(method).model_validate_json(method.model_dump_json())
    assert again == method, f"settings of {type(method).__name__} do not survive JSON: {method!r} became {again!r}"
