"""The range of an imported set's numbers beside that of real images under the space that is claimed for them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import as_unit_float
from ddbench.errors import UserError
from ddbench.randomness import stream

_SAMPLE = 1000
_MOST_NUMBERS = 2_000_000
_WIDE = 8.0
"""Times the real images' range that is said; sets that were learned with large steps are several times as wide."""
_HOPELESS = 100.0
_FAR = 2.0
_OUTSIDE = 0.02
_SHARE_SAID, _SHARE_REFUSED = 0.01, 0.05
_BYTES_ABOVE = 32.0


@dataclass(frozen=True)
class Range:
    """Range of numbers."""

    low: float
    """1st percentile."""
    high: float
    """99th percentile."""
    mean: float
    """Mean of all numbers."""
    std: float
    """Standard deviation of all numbers."""


def range_note(numbers: Tensor, made_in: Preprocessing, real: RealSet) -> str:
    """Compare the numbers of a set with those of real images under the space in which the set is said to be.

    Args:
        numbers: The images, (n, C, H, W), as the files have them.
        made_in: The map from pixels in [0, 1] to that space.
        real: The data that the set was distilled from.

    Returns:
        A sentence where the space is doubtful; empty where not.

    Raises:
        UserError: Where the numbers can not be of this space: pixels of 0 to 255 as standardized images, standardized
            images as pixels, or numbers a hundred times as wide as the real ones.
    """
    pixels = _real_pixels(real)
    expected, measured = _range(made_in.to("cpu").forward(pixels)), _range(numbers)
    space = "pixels in [0, 1]" if made_in.kind == "identity" else made_in.kind
    facts = (
        f"found {_words(measured)}; {float(numbers.min()):.3g} to {float(numbers.max()):.3g} in all",
        f"real  {_words(expected)}, as {space}",
    )
    low, high = float(numbers.min()), float(numbers.max())
    if made_in.kind != "identity" and expected.low < 0 <= low and _BYTES_ABOVE < high <= 256:
        raise UserError(
            f"the images look like pixels of 0 to 255, and are said to be {made_in.kind}",
            *facts,
            fix="divide them by 255 and say --space pixels:  torch.save(images / 255, NEW_FILE)",
        )
    if made_in.kind == "identity":
        return _pixels_note(numbers, measured, expected, pixels, facts)
    wide = _times(measured, expected)
    if wide > _HOPELESS:
        raise UserError(
            f"the images are {wide:.0f} times as wide as real ones under {made_in.kind}",
            *facts,
            fix="check --space, --mean and --std; where the distillation diverged, take an earlier iteration",
        )
    if expected.low < 0 <= low and high <= 1:
        return (
            f"doubtful space: no number is below 0 or above 1, as of pixels, under {made_in.kind} ({_words(measured)})"
        )
    return _difference_note(measured, expected, space)


def _pixels_note(numbers: Tensor, measured: Range, expected: Range, pixels: Tensor, facts: tuple[str, str]) -> str:
    outside = float(((numbers < -_OUTSIDE) | (numbers > 1 + _OUTSIDE)).float().mean())
    negative = float((numbers < -_OUTSIDE).float().mean())
    std = pixels.std().clamp_min(1e-6)
    standardized = _range((pixels - pixels.mean()) / std)
    if negative > _SHARE_REFUSED and _distance(measured, standardized) < 0.5 * _distance(measured, expected):
        raise UserError(
            "the images look standardized, and are said to be pixels in [0, 1]",
            *facts,
            f"of which {100 * negative:.0f} % are below 0",
            fix="say --space meanstd with the --mean and --std by which they were standardized",
        )
    if outside > _SHARE_SAID:
        return f"doubtful space: {100 * outside:.0f} % of the numbers are outside [0, 1], said to be pixels"
    return _difference_note(measured, expected, "pixels")


def _difference_note(measured: Range, expected: Range, space: str) -> str:
    wide = _times(measured, expected)
    if wide > _WIDE or wide < 1 / _WIDE:
        return f"doubtful space: the images are {wide:.2g} times as wide as real ones as {space} ({_words(measured)})"
    if (
        abs(measured.mean - expected.mean) > _FAR * expected.std
        and abs(measured.mean - expected.mean) > _FAR * measured.std
    ):
        return f"doubtful space: the mean is {measured.mean:.2g}, of real images {expected.mean:.2g} as {space}"
    return ""


def _real_pixels(real: RealSet) -> Tensor:
    rows = torch.randperm(len(real.train), generator=stream(0, "images to compare ranges with"))[:_SAMPLE]
    return as_unit_float(real.train.images[rows.sort().values])


def _range(numbers: Tensor) -> Range:
    values = numbers.detach().reshape(-1)
    values = values[:: max(len(values) // _MOST_NUMBERS, 1)].double()
    ordered = values.sort().values
    low, high = (float(ordered[round(part * (len(ordered) - 1))]) for part in (0.01, 0.99))
    return Range(low, high, float(values.mean()), float(values.std(correction=0)))


def _times(measured: Range, expected: Range) -> float:
    return max(measured.high - measured.low, 1e-9) / max(expected.high - expected.low, 1e-9)


def _distance(measured: Range, expected: Range) -> float:
    """How unlike two ranges are: in width, by factors of e, and in place, by the second one's deviation."""
    return abs(math.log(_times(measured, expected))) + abs(measured.mean - expected.mean) / max(expected.std, 1e-9)


def _words(measured: Range) -> str:
    return f"{measured.low:.3g} to {measured.high:.3g} from 1st to 99th percentile, mean {measured.mean:.3g}"
