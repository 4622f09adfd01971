"""Sets of graphs that stand beside those that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ddbench.methods import METHODS
from ddbench.pipeline.expand_recipe import JobSpec, require_labels_apart

MIRAGE = "mirage"


def graph_baselines(specs: Sequence[JobSpec]) -> list[JobSpec]:
    """Random graphs and herding of as many items and of as many bytes as each Mirage set; and all training graphs.

    Args:
        specs: What the recipe asks for. Where it has several Mirage entries, labels say which one a baseline equals.

    Returns:
        Baselines that the recipe does not ask for itself.

    Raises:
        UserError: One would have the label of a method of the recipe.
    """
    requested = {spec.outcome for spec in specs}
    added = list(_baselines(specs, requested))
    require_labels_apart([*specs, *added])
    return added


def _baselines(specs: Sequence[JobSpec], requested: set[Any]) -> Iterator[JobSpec]:
    mirages = [spec for spec in specs if spec.name == MIRAGE]
    several = len({spec.label for spec in mirages}) > 1
    for spec in mirages:
        prefix = f"{spec.label}-" if several else ""
        to = spec.method.model_dump()
        for label, name, settings in (
            (f"{prefix}random-items", "random-graphs", {"equal": "items", "to": to}),
            (f"{prefix}random-bytes", "random-graphs", {"equal": "bytes", "to": to}),
            (f"{prefix}herding-items", "herding-graphs", {"equal": "items", "to": to}),
        ):
            yield from _unless_requested(_spec(spec, label, name, settings), requested)
    for ipc in dict.fromkeys(spec.ipc for spec in specs):
        first = next(spec for spec in specs if spec.ipc == ipc)
        yield from _unless_requested(_spec(first, "full", "full-graphs", {}), requested)


def _spec(model: JobSpec, label: str, name: str, settings: dict[str, Any]) -> JobSpec:
    method = METHODS.get(name).model_validate(settings)
    return replace(model, label=label, name=name, method=method, source=f"the baseline {label}")


def _unless_requested(spec: JobSpec, requested: set[Any]) -> Iterator[JobSpec]:
    if spec.outcome not in requested:
        requested.add(spec.outcome)
        yield spec
