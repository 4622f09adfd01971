"""``method.x`` speaks to every method that has x; the others take no notice."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, get_args

from pydantic import BaseModel

from ddbench.distillation.method import Method
from ddbench.errors import unknown
from ddbench.recipe.recipe import Entry, LoadedRecipe
from ddbench.recipe.settings import Part
from ddbench.recipe.yaml_source import Key


def drop_keys_of_other_methods(
    loaded: LoadedRecipe, entry: Entry, kind_of: Callable[[Entry], type[Method]]
) -> dict[str, Any]:
    """Drop from an entry's settings those that were given to all methods and that its method does not have.

    Args:
        loaded: The recipe.
        entry: Entry of one method at an ipc; it is not changed.
        kind_of: Looks up the class of an entry's method.

    Returns:
        The settings that are left.

    Raises:
        UserError: With the nearest name when no method of the recipe has such a key.
    """
    settings = deepcopy(entry.settings)
    meant_for_all = [path[2:] for path in loaded.source.broadcast if path[:2] == ("methods", entry.label)]
    for path in sorted(meant_for_all, key=str):
        own = _sibling_keys(kind_of(entry), settings, path)
        if path[0] in ("method", "experts", "by_ipc", "ipc") or own is None or path[-1] in own:
            continue
        _require_some_method_has(path, loaded, entry, kind_of)
        _remove(settings, path)
    return settings


def _require_some_method_has(
    path: Key, loaded: LoadedRecipe, entry: Entry, kind_of: Callable[[Entry], type[Method]]
) -> None:
    others = [loaded.entry(label, ipc) for label in loaded.recipe.methods for ipc in loaded.recipe.ipc]
    for depth, key in enumerate(path, start=1):
        siblings = [_sibling_keys(kind_of(other), other.settings, path[:depth]) for other in others]
        known = {name for names in siblings for name in names or ()}
        if key not in known and None not in siblings:
            raise unknown("key of a method", str(key), known or {"none"}, loaded.where("methods", entry.label, *path))


def _sibling_keys(model: type[BaseModel], settings: Any, path: Key) -> set[str] | None:
    """The keys that the settings at a path could have beside it; None where only validation can tell.

    Inside a part they are those of its kind: ``labels.lr`` is a key of learned labels, and of no others.
    """
    if len(path) == 1:
        return set(model.model_fields)
    info = model.model_fields.get(str(path[0]))
    if info is None:
        return set()
    part = settings.get(path[0])
    if not (isinstance(info.default, Part) and isinstance(part, dict)):
        return None
    kind = part.get("kind", info.default.kind)
    options: tuple[Any, ...] = get_args(info.annotation) or (info.annotation,)
    for option in options:
        if len(options) == 1 or option.model_fields["kind"].default == kind:
            return _sibling_keys(option, part, path[1:])
    return None


def _remove(settings: dict[Any, Any], path: Key) -> None:
    """Take out the value at a path, and what is empty without it."""
    key, *below = path
    inner = settings.get(key)
    if below and isinstance(inner, dict):
        _remove(inner, tuple(below))
    if not (below and inner):
        settings.pop(key, None)
