"""A sweep: the methods of a recipe run again under named overrides, so that one table shows what each changes."""

from __future__ import annotations

from ddbench.errors import UserError, unknown
from ddbench.recipe.yaml_source import YamlSource, keys_of


def varied(plain: YamlSource, overridden: YamlSource, name: str) -> YamlSource:
    """Apply one entry of the sweep to the recipe.

    Args:
        plain: Recipe as in its file.
        overridden: Recipe with the ``-o`` of the command line, which may have changed sweep or methods.
        name: Key of the entry.

    Returns:
        A copy of ``plain`` with the entry's changes.

    Raises:
        UserError: The entry has no keys, or one that is none of methods or experts.
    """
    changes, changed = overridden.data["sweep"][name], plain.copy()
    if not changes:
        raise UserError(
            f"the entry {name!r} of the sweep changes nothing",
            f"from  {overridden.where('sweep', name)}",
            fix="say what it changes, as in  method.unroll: tesla",
        )
    for path, value in changes.items():
        location = overridden.where("sweep", name, path)
        _require_method_or_experts(str(path), location, _labels(plain) | _labels(overridden))
        changed.put(str(path), value, location)
    return changed


def _labels(source: YamlSource) -> set[str]:
    methods = source.data.get("methods")
    return set(map(str, methods)) if isinstance(methods, dict) else set()


def _require_method_or_experts(path: str, location: str, labels: set[str]) -> None:
    keys = keys_of(path)
    first, length = (keys[0], len(keys)) if keys else ("", 0)
    if first not in ("method", "methods", "experts") or length < (3 if first == "methods" else 2):
        raise UserError(
            f"a sweep can not change {path!r}: it varies methods and experts, so that its rows can be ranked together",
            f"from  {location}",
            fix="begin the key with  method.  or  methods.LABEL.  or  experts.  as in  method.unroll: tesla",
        )
    if first == "methods" and keys[1] not in labels:
        raise unknown("method in this recipe labeled", str(keys[1]), labels, location)
