"""Sets of images that stand beside those that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ddbench.methods import METHODS
from ddbench.pipeline.expand_recipe import JobSpec
from ddbench.recipe.recipe import LoadedRecipe

SOFT = "random-soft"
"""The baseline beside every method whose labels are soft: random real images, labeled by the same experts."""


def soft_baselines(loaded: LoadedRecipe, specs: Sequence[JobSpec]) -> Iterator[JobSpec]:
    """Add a baseline of soft labels at each ipc, by the experts of the first such method and at its label epoch.

    Args:
        loaded: The recipe.
        specs: Jobs that it specifies.

    Yields:
        A job at each ipc that has a method of soft labels from experts, unless it has that baseline already.
    """
    label = SOFT
    while label in {taken for spec in specs for taken in spec.row_labels}:
        label += "-labels"
    for ipc in loaded.recipe.ipc:
        here = [spec for spec in specs if spec.ipc == ipc]
        soft = next((spec for spec in here if spec.method.soft_labels() and spec.needed), None)
        if soft is not None and all(spec.name != SOFT for spec in here):
            epoch = getattr(soft.method, "label_expert_epoch", None) or soft.needed
            method = METHODS.get(SOFT).model_validate({"label_expert_epoch": epoch})
            yield replace(soft, label=label, name=SOFT, method=method, needed=method.needed_epochs())
