"""What a plan must know of a data set, without downloading it where its facts are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.commands.pipeline import Pipeline


@dataclass(frozen=True)
class DatasetFacts:
    """images: of the training split, validation cut off. size: side in pixels."""

    images: int
    classes: int
    channels: int
    size: int


KNOWN = {
    "digits": DatasetFacts(1_437, 10, 1, 8),
    "mnist": DatasetFacts(60_000, 10, 1, 28),
    "fashion-mnist": DatasetFacts(60_000, 10, 1, 28),
    "svhn": DatasetFacts(73_257, 10, 3, 32),
    "cifar10": DatasetFacts(50_000, 10, 3, 32),
    "cifar10-jpeg": DatasetFacts(50_000, 10, 3, 32),
    "cifar100": DatasetFacts(50_000, 100, 3, 32),
    "tiny-imagenet": DatasetFacts(100_000, 200, 3, 64),
    "imagenet": DatasetFacts(1_281_167, 1_000, 3, 64),
    "imagenette": DatasetFacts(13_000, 10, 3, 128),
    "imagewoof": DatasetFacts(13_000, 10, 3, 128),
    "imagemeow": DatasetFacts(13_000, 10, 3, 128),
    "imagesquawk": DatasetFacts(13_000, 10, 3, 128),
    "imagefruit": DatasetFacts(13_000, 10, 3, 128),
    "imageyellow": DatasetFacts(13_000, 10, 3, 128),
}
"""Published sizes of the training sets; those of ImageNet's subsets are upper bounds of 1,300 images a class."""


def dataset_facts(pipeline: Pipeline) -> DatasetFacts:
    """Of the recipe's data set: known ones from the table, the user's own by reading it."""
    asked = pipeline.recipe
    known = KNOWN.get(asked.dataset)
    if known is None:
        real = pipeline.load("identity")
        return DatasetFacts(len(real.train), real.classes, real.channels, real.size)
    return DatasetFacts(
        round(known.images * (1 - asked.validation)), known.classes, known.channels, asked.size or known.size
    )
