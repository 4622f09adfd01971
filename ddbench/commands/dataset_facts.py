"""What a plan must know of a data set, without downloading it where its facts are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.commands.pipeline import Pipeline


@dataclass(frozen=True)
class DatasetFacts:
    """images: of the training split, validation cut off. size: side in pixels. test_images: of the test split.
    validation: images that were cut off."""

    images: int
    classes: int
    channels: int
    size: int
    test_images: int
    validation: int = 0


KNOWN = {
    "digits": DatasetFacts(1_437, 10, 1, 8, 360),
    "mnist": DatasetFacts(60_000, 10, 1, 28, 10_000),
    "fashion-mnist": DatasetFacts(60_000, 10, 1, 28, 10_000),
    "svhn": DatasetFacts(73_257, 10, 3, 32, 26_032),
    "cifar10": DatasetFacts(50_000, 10, 3, 32, 10_000),
    "cifar10-jpeg": DatasetFacts(50_000, 10, 3, 32, 10_000),
    "cifar100": DatasetFacts(50_000, 100, 3, 32, 10_000),
    "tiny-imagenet": DatasetFacts(100_000, 200, 3, 64, 10_000),
    "imagenet": DatasetFacts(1_281_167, 1_000, 3, 64, 50_000),
    "imagenette": DatasetFacts(13_000, 10, 3, 128, 500),
    "imagewoof": DatasetFacts(13_000, 10, 3, 128, 500),
    "imagemeow": DatasetFacts(13_000, 10, 3, 128, 500),
    "imagesquawk": DatasetFacts(13_000, 10, 3, 128, 500),
    "imagefruit": DatasetFacts(13_000, 10, 3, 128, 500),
    "imageyellow": DatasetFacts(13_000, 10, 3, 128, 500),
}
"""Published sizes of the training sets; those of ImageNet's subsets are upper bounds of 1,300 images a class."""


def dataset_facts(pipeline: Pipeline) -> DatasetFacts:
    """Of the recipe's data set: known ones from the table, the user's own by reading it."""
    asked = pipeline.recipe
    known = KNOWN.get(asked.dataset)
    if known is None:
        with pipeline.ranks.rank_0_first():
            real = pipeline.load("identity")
        shape = (real.classes, real.channels, real.size)
        return DatasetFacts(len(real.train), *shape, len(real.test), len(real.validation))
    images = round(known.images * (1 - asked.validation))
    return replace(known, images=images, size=asked.size or known.size, validation=known.images - images)
