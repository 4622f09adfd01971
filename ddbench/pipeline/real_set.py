"""Real images that a synthetic set or a row was made from, split as its recipe says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddbench.data import Preprocessing, RealSet, load_dataset
from ddbench.data.preprocessing import WHITENED
from ddbench.errors import UserError
from ddbench.pipeline.context import RunContext
from ddbench.synthetic.recorded import RecordedRecipe, recorded_dataset, recorded_recipe
from ddbench.synthetic.synthetic_set import SyntheticSet

HELD_BACK = "held_back_afterwards"
"""In the recipe of a set that is judged with a validation split it was not made with."""


def with_validation(syn: SyntheticSet, share: float) -> SyntheticSet:
    """Change a set's recipe so that it is scored with a validation split that it was not made with.

    Args:
        syn: The set; it is not changed.
        share: Share of the training images that is cut off, in (0, 1).

    Returns:
        The set with the split in the recipe of its provenance.

    Raises:
        UserError: The split would change the space of its images, or it was made with one.
    """
    recipe = syn.provenance.get("recipe") or {}
    if made_with := recipe.get("validation"):
        raise UserError(
            f"this set was made with a validation split, {made_with:g} of the training images",
            fix="leave --validation out",
        )
    if syn.preprocessing["kind"] in WHITENED:
        raise UserError(
            "this set is whitened by all training images, so none can be held back to choose on",
            fix="choose nothing: --lr protocol, a single rate",
        )
    return replace(syn, provenance={**syn.provenance, "recipe": {**recipe, "validation": share, HELD_BACK: True}})


def real_set_of(
    short: str,
    recipe: RecordedRecipe | Mapping[str, Any],
    preprocessing: str,
    context: RunContext,
    given: str | None = None,
    space: Mapping[str, Any] | None = None,
    *,
    where: Path | str = "the set",
) -> RealSet:
    """The real data that a set or row was made from, as its recipe says.

    Args:
        short: Their name where there is no recipe.
        recipe: The one inside the file; JSON is checked first.
        preprocessing: Its kind.
        context: Home and data root.
        given: The name of the data as the user gives it. Data in a folder, on the hub, or behind code are taken from
            the user alone; the file's own name for them is never followed.
        space: The set's ``Preprocessing.describe()``, in which images are seen where a validation split was held back
            only after the set was made.
        where: The file, for errors.

    Returns:
        The real data, split as the recipe says.

    Raises:
        UserError: The file's name is none that may be followed; as in ``load_dataset``.
    """
    recorded = recipe if isinstance(recipe, RecordedRecipe) else recorded_recipe(recipe, where, "synthetic set")
    name = given or recorded_dataset(recorded.dataset or short, where)
    real = load_dataset(
        name,
        preprocessing=preprocessing,
        validation=recorded.validation,
        seed=recorded.seed,
        size=recorded.size,
        mirror=recorded.mirror,
        home=context.home,
        data_root=context.data_root,
        quiet=context.quiet,
    )
    if recorded.held_back_afterwards and space is not None and space["kind"] == "meanstd":
        return replace(real, preprocessing=Preprocessing.meanstd(space["mean"], space["std"]))
    return real
