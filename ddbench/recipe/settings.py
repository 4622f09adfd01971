"""Settings of a recipe: frozen models, parts chosen by name, errors that name file, line and key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ddbench.errors import UserError, nearest
from ddbench.recipe.yaml_source import Key, YamlSource

M = TypeVar("M", bound=BaseModel)
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
"""A number in [0, 1): a momentum, a decay."""
Count = Annotated[int, Field(ge=1, le=2**53, strict=True)]


class Settings(BaseModel):
    """Base of everything that comes from a recipe: frozen, and an unknown key is an error.

    Where a field's default is itself a group of settings, a mapping says only what differs from that default. Where the
    default is a :class:`Part`, a bare name will do, and a mapping of another kind starts from that kind's own defaults:
    ``unroll: tesla``, ``labels: {lr: 5}``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Current names by former names of keys, which an error says where a recipe has a former one."""

    @model_validator(mode="before")
    @classmethod
    def _complete_groups(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        defaults = {n: info.default for n, info in cls.model_fields.items() if isinstance(info.default, Settings)}
        return {name: _completed(value, defaults.get(name)) for name, value in data.items()}


class Part(Settings):
    """One of several ways to do one thing, told apart by ``kind``; what else it has are that way's own settings."""

    kind: Any


def _completed(value: Any, default: Settings | None) -> Any:
    if isinstance(default, Part) and isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, dict) or default is None:
        return value
    chosen = default.model_dump(exclude_unset=True)
    if isinstance(default, Part):
        chosen["kind"] = default.kind
        if value.get("kind", default.kind) != default.kind:
            return value
    return {**chosen, **value}


def validate(model: type[M], data: Any, source: YamlSource, at: Key) -> M:
    """Validate plain data as a model.

    Args:
        model: What the data must be.
        data: Dictionaries, lists and scalars.
        source: Document the data is from, for errors.
        at: Path of the data in the document; empty for the whole.

    Returns:
        The model.

    Raises:
        UserError: The first thing that is wrong, with its place and its fix.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _explain(model, error, source, at) from None


def _explain(model: type[BaseModel], error: ValidationError, source: YamlSource, at: Key) -> UserError:
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    inside, _ = _as_written(model, first["loc"])
    location = source.where(*at, *inside)
    named = [part for part in (*at, *inside) if isinstance(part, str)]
    name = named[-1] if named else "the recipe"
    if (*at, *inside) in source.opened and first["type"] not in _OF_PARTS:
        return UserError(
            f"{name} has no keys of its own",
            f"from  {source.where(*at, *inside, *_first_key(first))}",
            fix="shorten the path",
        )
    if first["type"] == "extra_forbidden":
        owner = _as_written(model, first["loc"][:-1])[1]
        known = set(owner.model_fields) if owner else set()
        near, kinds = nearest(name, known), _kinds_with(name, model, first["loc"])
        current = owner.RENAMED.get(name) if owner and issubclass(owner, Settings) else None
        if current:
            return UserError(
                f"the recipe key {name!r} is called {current!r} now",
                f"from  {location}",
                fix=f"write {current!r} in its place; rows, sets and runs made with {name!r} stay as they are",
            )
        fix = f"did you mean {near!r}?" if near else f"remove {name!r}"
        if kinds:
            fix = f"say the kind that has it:  {inside[-2]}: {{kind: {kinds[0]}, {name}: ...}}"
        return UserError(
            f"there is no recipe key {name!r} here",
            f"from  {location}",
            f"known {', '.join(sorted(known)) or 'none'}",
            fix=fix,
        )
    if first["type"] == "missing":
        return UserError(f"the key {name!r} is missing", f"from  {location}", fix=f"add it:  {name}: ...")
    if choices := _choices(first):
        value = first.get("ctx", {}).get("tag", first.get("input"))
        near = nearest(str(value), choices)
        return UserError(
            f"{name} can not be {value!r:.200}",
            f"from  {location}",
            f"known {', '.join(choices)}",
            fix=f"did you mean {near!r}?" if near else "choose one of these",
        )
    branches = [p for p in problems if _as_written(model, p["loc"])[0] == inside]
    says = ", or ".join(dict.fromkeys(map(_in_yaml_words, branches)))
    received = f"given {first.get('input')!r:.200}" if inside else ""
    return UserError(f"{name} is wrong: {says}", f"from  {location}", received, fix="correct it there")


_OF_PARTS = ("union_tag_invalid", "value_error")
"""What pydantic says of parts that do not fit; anything else says that there should be no part."""


def _first_key(problem: Any) -> list[str]:
    """The key that was put beside the kind of a part."""
    return [key for key in problem["input"] if key != "kind"][:1] if isinstance(problem["input"], dict) else []


def _choices(problem: Any) -> list[str]:
    """The names among which one had to be chosen, where that is what is wrong."""
    context = problem.get("ctx", {})
    if problem["type"] == "union_tag_invalid":
        listed = context["expected_tags"]
    elif problem["type"] == "literal_error" and isinstance(problem.get("input"), str):
        listed = context.get("expected", "").replace(" or ", ", ")
    else:
        return []
    return [choice for choice in listed.replace("'", "").split(", ") if choice]


def _in_yaml_words(problem: Any) -> str:
    """What pydantic says, in the words of somebody who writes YAML rather than Python."""
    says = problem["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
    says = re.sub(
        r"a valid dictionary( or (object to extract fields from|instance of \w+))?", "a mapping of keys to values", says
    )
    for theirs, ours in (("valid tuple", "list"), ("valid string", "text"), ("a valid", "a"), ("an valid", "an")):
        says = says.replace(theirs, ours)
    return says.replace("a integer", "an integer").replace("a text", "text")


def _as_written(model: type[BaseModel], location: Key) -> tuple[Key, type[BaseModel] | None]:
    """A location of pydantic's as keys of the recipe, and the model at its end, None where there is none.

    pydantic puts among the keys which branch of a union it tried: the kind of a part, or the name of a type.
    """
    keys: list[str | int] = []
    here: type[BaseModel] | None = model
    parts = iter(location)
    for part in parts:
        if _is_type_name(part):
            continue
        keys.append(part)
        info = here.model_fields.get(str(part)) if here else None
        options = models_in(info.annotation) if info else []
        here = options[0] if len(options) == 1 else None
        if len(options) > 1:
            kind = next(parts, None)
            here = next((option for option in options if option.model_fields["kind"].default == kind), None)
    return tuple(keys), here


def _kinds_with(key: str, model: type[BaseModel], location: Key) -> list[str]:
    """The other kinds of a part that have this key, where the location, which ends in it, is inside a part."""
    inside, owner = _as_written(model, location)[0], _as_written(model, location[:-1])[1]
    if owner is None or not issubclass(owner, Part) or len(inside) < 2:
        return []
    holder = _as_written(model, location[:-3])[1]
    info = holder.model_fields.get(str(inside[-2])) if holder else None
    options = models_in(info.annotation) if info else []
    return [option.model_fields["kind"].default for option in options if key in option.model_fields]


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """List the groups of settings that a field's annotation allows.

    Args:
        annotation: Annotation of the field.

    Returns:
        None, one, or the kinds of a part.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return [model for option in get_args(annotation) for model in models_in(option)]
    return []


def _is_type_name(part: str | int) -> bool:
    """Whether a key of a location is the name of a branch of a plain union: ``int``, ``literal[...]``, a class."""
    text = str(part)
    return isinstance(part, str) and (
        "[" in text or "constrained-" in text or text in {"int", "float", "str", "bool"} or text[:1].isupper()
    )
