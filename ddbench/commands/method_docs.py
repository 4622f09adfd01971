"""Documentation of one method: every setting with its default and its meaning."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ddbench.distillation.method import Method
from ddbench.recipe.settings import Part, Settings, models_in

REQUIRED = "required"


def settings_table(kind: type[Method]) -> list[dict[str, str]]:
    """List the settings of a method, those without a default first.

    Args:
        kind: Class of the method.

    Returns:
        A record a setting; below a part or a group, with dotted names, those inside it.
    """
    fields = sorted(kind.model_fields.items(), key=lambda named: not named[1].is_required())
    return [row for name, info in fields for row in _setting_rows(kind, name, info, _default(info))]


def about(kind: type[Method]) -> str:
    """Collect the docstrings of a method's file and class.

    Args:
        kind: Class of the method.

    Returns:
        Both, without their backquotes.
    """
    file = (getattr(sys.modules.get(kind.__module__), "__doc__", None) or "").strip()
    return "\n\n".join(text for text in (file, cleandoc(kind.__doc__ or "")) if text).replace("``", "")


def expert_settings(kind: type[Method]) -> str:
    """List the experts that a method brings where a recipe says nothing of them.

    Args:
        kind: Class of the method.

    Returns:
        Keys and values of ``experts``; empty for a method that takes any.
    """
    return ", ".join(f"{key}: {value}" for key, value in kind.EXPERTS.items())


def _setting_rows(model: type[BaseModel], name: str, info: FieldInfo, default: Any) -> Iterator[dict[str, str]]:
    """default: of this field here, which inside a group may differ from the group's own."""
    options = models_in(info.annotation)
    kinds = [option.model_fields["kind"].default for option in options if len(options) > 1]
    what = " ".join((info.description or _inherited(model, name) or "").replace("``", "").split())
    choice = f"One of {', '.join(names)}" if (names := kinds or _literals(options, info)) else ""
    settings = REQUIRED if default is PydanticUndefined else _shown(default)
    yield {"setting": name, "default": settings, "what": ". ".join(filter(None, (what.rstrip("."), choice)))}
    for option in options:
        for key, inner in option.model_fields.items():
            if key == "kind":
                continue
            here = getattr(default, key) if isinstance(default, option) else inner.default
            for row in _setting_rows(option, f"{name}.{key}", inner, here):
                of = f"{option.model_fields['kind'].default}: " if kinds else ""
                yield {**row, "what": of + row["what"]}


def _default(info: FieldInfo) -> Any:
    """The default of a setting, undefined where it is required."""
    return info.get_default(call_default_factory=True, validated_data={})


def _literals(options: list[type[BaseModel]], info: FieldInfo) -> list[str]:
    """The words that a setting may be, of itself or as the kind of its only part."""
    annotation = options[0].model_fields["kind"].annotation if options and "kind" in options[0].model_fields else None
    literal = annotation if options else info.annotation
    return [str(choice) for choice in get_args(literal)] if get_origin(literal) is Literal else []


def _inherited(model: type[BaseModel], name: str) -> str | None:
    """What a class further up says of a setting whose default alone was changed."""
    for base in model.__mro__[1:]:
        field = getattr(base, "model_fields", {}).get(name) if issubclass(base, BaseModel) else None
        if field is not None and field.description:
            return str(field.description)
    return None


def _shown(value: Any) -> str:
    """A default as a recipe would write it."""
    if isinstance(value, Part):
        settings = value.model_dump(exclude_unset=True, exclude={"kind"})
        return str(value.kind) if not settings else f"{{kind: {value.kind}, {_pairs(settings)}}}"
    if isinstance(value, Settings):
        return ""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value}"


def _pairs(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in settings.items())
