"""Words for what is trained, validated and tested on. Imports no tensor library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SplitNames:
    """Names of the splits of a set where it lies, such as ``"train/"``."""

    train: str = ""
    """Training split; "" where it has no name."""
    validation: str = ""
    """Validation split; "" where there is none of its own."""
    test: str = ""
    """Test split; "" where there is none of its own."""
    held_out: bool = False
    """Whether the test split was held out of train."""


def splits_in_words(
    train: int,
    validation: int,
    test: int,
    names: SplitNames = SplitNames(),
    *,
    own: bool = False,
    unit: str = "images",
) -> str:
    """One line that says what is trained, validated and tested on.

    Args:
        train: Images that are trained on.
        validation: Validation images.
        test: Test images.
        names: How the splits are called.
        own: Whether the validation split is one of its own, not cut from train.
        unit: What is counted.

    Returns:
        Such as ``"train 54 images of train/ (6 of them held back for validation), test 24 images of valid/"``; the
        number of training images includes those that are held back.
    """

    def of(name: str) -> str:
        return f" of {name}" if name else ""

    line = f"train {train + (0 if own else validation):,} {unit}{of(names.train)}"
    if validation and own:
        line += f", validation {validation:,} {unit}{of(names.validation)}"
    elif validation:
        line += f" ({validation:,} of them held back for validation)"
    tested = f" held out of {names.train}" if names.held_out else of(names.test)
    return f"{line}, test {test:,} {unit}{tested}"
