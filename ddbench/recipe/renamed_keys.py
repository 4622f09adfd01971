"""Former names of recipe keys: refused where a user writes them, kept in what identifies rows and runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRAJECTORY_KEYS: Mapping[str, str] = {"pixels": "init", "teacher_epoch": "label_expert_epoch"}
"""Former and current names of the trajectory methods' keys."""

RENAMED_KEYS: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("mtt", "ftd", "ast", "datm", "tesla"), TRAJECTORY_KEYS),
    "random-soft": {"teacher_epoch": "label_expert_epoch"},
}
"""Former and current names of keys, by method."""


def former_names(settings: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Name a method's settings as fingerprints do, which were made before a key got its current name.

    Args:
        settings: Settings of one method, by current names.
        renamed: Current names by former names.

    Returns:
        The same values in the same order.
    """
    return _with_names(settings, {current: former for former, current in renamed.items()})


def recipe_with_former_names(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Name the keys of a resolved recipe as the file names of rows do.

    Args:
        recipe: As rows carry it, each of its ``methods`` with the name of its method.

    Returns:
        A copy in which renamed keys have their former names.
    """
    return _in_methods(recipe, lambda settings, renamed: former_names(settings, renamed))


def recipe_with_current_names(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Name the keys of a recorded recipe as recipes are written today.

    Args:
        recipe: As rows and sets carry it.

    Returns:
        A copy in which renamed keys have their current names.
    """
    return _in_methods(recipe, _with_names)


def with_current_names(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Name the keys of a set's recipe as recipes are written today.

    Args:
        provenance: Of a synthetic set, as its file has it.

    Returns:
        A copy.
    """
    recipe = provenance.get("recipe")
    return (
        {**provenance, "recipe": recipe_with_current_names(recipe)} if isinstance(recipe, Mapping) else dict(provenance)
    )


def _in_methods(recipe: Mapping[str, Any], rename: Any) -> dict[str, Any]:
    methods = recipe.get("methods")
    if not isinstance(methods, Mapping):
        return dict(recipe)
    named = {}
    for label, settings in methods.items():
        method = settings.get("method", label) if isinstance(settings, Mapping) else None
        renamed = RENAMED_KEYS.get(method) if isinstance(method, str) else None
        named[label] = rename(settings, renamed) if renamed else settings
    return {**recipe, "methods": named}


def _with_names(settings: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in settings.items()}
