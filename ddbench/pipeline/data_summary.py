"""Lines on the data of a recipe: what train, validation and test are, and what a user must know of them."""

from __future__ import annotations


def summary_rows(sentences: tuple[str, ...]) -> list[str]:
    """Turn the description of a data set (``real.in_words()``) into lines of text.

    Args:
        sentences: One on the splits, then one for each note.

    Returns:
        Such as ``"data  train 60 images of train/ (6 of them held back for validation), test 24 images of valid/"``.
    """
    return [f"{'note' if number else 'data'}  {sentence}" for number, sentence in enumerate(sentences)]
