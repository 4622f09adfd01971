"""Lines on the data of a recipe: what train, validation and test are, and what a user must know of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.data.realset import RealSet
    from ddbench.graphs.graphset import GraphSet


def data_summary(real: RealSet | GraphSet) -> list[str]:
    """One line on the splits, and one for each note.

    Args:
        real: The data set.

    Returns:
        Such as ``"data  train 60 images of train/ (6 of them held back for validation), test 24 images of valid/"``.
    """
    return summary_rows(facts_in_words(real))


def facts_in_words(real: RealSet | GraphSet) -> tuple[str, ...]:
    """What the splits are, then the notes. A set whose splits nobody described is described by its counts."""
    from ddbench.data.realset import RealSet
    from ddbench.data.split_words import splits_in_words

    counts = len(real.train), len(real.validation), len(real.test)
    if isinstance(real, RealSet):
        return (real.splits or splits_in_words(*counts), *real.notes)
    return (f"{splits_in_words(*counts, unit='graphs', own=True)}; {real.split}", *real.notes)


def summary_rows(facts: tuple[str, ...]) -> list[str]:
    """The facts as lines of text, the first called data, the others note."""
    return [f"{'note' if number else 'data'}  {fact}" for number, fact in enumerate(facts)]
