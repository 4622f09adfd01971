"""Counts of a data set that a plan needs, without downloading it where they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.data.known_sets import KNOWN
from ddbench.data.split_words import splits_in_words
from ddbench.networks.image_shape import ImageShape

if TYPE_CHECKING:
    from ddbench.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class DatasetFacts:
    """Counts of a data set."""

    images: int
    """Of the training split, validation cut off."""
    shape: ImageShape
    """Images and classes."""
    test_images: int
    """Images of the test split."""
    validation: int = 0
    """Images that were cut off."""
    lines: tuple[str, ...] = ()
    """What train, validation and test are, and what else a user must know of the set."""


def dataset_facts(pipeline: Pipeline) -> DatasetFacts:
    """Count the recipe's data set: a known one from the table, the user's own by reading it.

    Args:
        pipeline: The recipe.

    Returns:
        Sizes of the splits and the shape of an image.

    Raises:
        UserError: A set that is read cannot be trained and tested on, or an ipc is larger than a class.
    """
    recipe = pipeline.recipe
    known = KNOWN.get(recipe.dataset)
    if known is None:
        with pipeline.compute.ranks.rank_0_first():
            real = pipeline.load(preprocessing="identity")
        for ipc in recipe.ipc:
            real.require_ipc(ipc, pipeline.loaded.where("ipc"))
        return DatasetFacts(len(real.train), real.shape, len(real.test), len(real.validation), real.in_words())
    images = round(known.train * (1 - recipe.validation))
    held = known.train - images
    counted = splits_in_words(images, held, known.test)
    return DatasetFacts(
        images=images,
        shape=ImageShape(known.channels, recipe.size or known.size, known.classes),
        test_images=known.test,
        validation=held,
        lines=(counted if known.exact else f"at most {counted}",),
    )
