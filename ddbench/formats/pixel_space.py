"""In which space foreign images lie, and how they come into the space of the real data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.data.preprocessing import WHITENED, Preprocessing
from ddbench.errors import UserError
from ddbench.formats.reader import Facts, Read

_LARGEST_PIXEL = 16.0


@dataclass
class MissingFacts:
    """Facts that the files do not say, collected so that the user is told of all of them at once."""

    missing: list[tuple[str, str, str]] = field(default_factory=list)
    """Option, fact in words, and form of the option's value, of each."""

    def add(self, option: str, what: str, form: str) -> None:
        """Add a fact that is missing.

        Args:
            option: Option by which the user says it.
            what: The fact, in words.
            form: Form of the option's value.
        """
        self.missing.append((option, what, form))

    def require_nothing(self, path: Path | None) -> None:
        """Check that nothing is missing.

        Args:
            path: The file, for the message; None for several.

        Raises:
            UserError: Facts are missing; names every option.
        """
        if self.missing:
            width = max(len(option) for option, _, _ in self.missing)
            who = "the files do" if path is None else f"{path} does"
            raise UserError(
                f"{who} not say everything that is needed to use the set",
                *(f"{option:{width}}  {what}" for option, what, _ in self.missing),
                fix=f"say it:  {' '.join(f'{option} {form}' for option, _, form in self.missing)}",
            )


def resolve_space(read: Read, facts: Facts, real: RealSet, missing_facts: MissingFacts) -> Preprocessing | None:
    """Find the map under which the images were made.

    Args:
        read: What the layout found.
        facts: What the user said of the files.
        real: The real data.
        missing_facts: Takes the options where the map is not known.

    Returns:
        The map; None where it is not known yet.

    Raises:
        UserError: Options contradict each other, constants do not fit the channels, or a whitening is not that of the
            whole training set.
    """
    constants_given = facts.mean is not None or facts.std is not None
    space = facts.space or ("meanstd" if constants_given else read.space)
    if constants_given and space != "meanstd":
        raise UserError(f"--mean and --std belong to --space meanstd, not to {space}", fix="leave them out")
    if (facts.mean is None) != (facts.std is None):
        raise UserError("of --mean and --std one is missing", fix="give both, or none")
    if space is None:
        hint = _hint(read.files) + ("" if read.mean else "; with meanstd say --mean and --std too")
        missing_facts.add("--space", f"the space the images were learned in{hint}", "pixels|meanstd|zca|kip")
        return None
    if space == "pixels":
        return Preprocessing.identity()
    if space in WHITENED:
        return _require_whitening(real, space)
    mean, std = (facts.mean, facts.std) if constants_given else (read.mean, read.std)
    if mean is None or std is None:
        missing_facts.add("--mean", f"by which the images were standardized{_own_constants(real)}", "M,M,M")
        missing_facts.add("--std", "the deviations that go with it", "S,S,S")
        return None
    _check_constants(mean, std, real)
    return Preprocessing.meanstd(mean, std)


def convert_space(images: Tensor, made_in: Preprocessing, real: RealSet) -> tuple[Tensor, str]:
    """Bring images into the space of the real data; bit by bit the same where they lie in it.

    Args:
        images: (n, C, H, W), float32.
        made_in: The map under which they were made.
        real: The real data.

    Returns:
        (n, C, H, W), float32, and a note where they were moved.

    Raises:
        UserError: They can not be pixels, or their numbers overflow on the way.
    """
    own = real.preprocessing.to("cpu")
    if made_in.kind == "identity" and (most := images.abs().max().item()) > _LARGEST_PIXEL:
        raise UserError(
            "the images are no pixels in [0, 1]",
            f"found values up to {most:.3g}",
            fix="divide pixels of 0 to 255 by 255; say --space meanstd where they are standardized",
        )
    if made_in.fingerprint == own.fingerprint:
        return images, ""
    moved = own.forward(made_in.inverse(images)).contiguous()
    if not bool(torch.isfinite(moved).all()):
        raise UserError("the images leave the range of float32 when they are standardized", fix="check --space")
    from_where = {
        "identity": "pixels in [0, 1]",
        "meanstd": f"mean {_numbers(made_in.mean)}, std {_numbers(made_in.std)}",
    }
    return moved, f"brought over from {from_where[made_in.kind]}"


def _require_whitening(real: RealSet, kind: str) -> Preprocessing:
    own = real.preprocessing
    if own.kind != kind or len(real.validation):
        raise UserError(
            "whitened images can only be used with the whitening of the whole training set",
            f"found preprocessing {own.kind}, {len(real.validation)} images held out for validation",
            fix=f"load the data with preprocessing {kind} and validation 0; ddbench import does so by --space {kind}",
        )
    return own


def _check_constants(mean: tuple[float, ...], std: tuple[float, ...], real: RealSet) -> None:
    if len(mean) != real.channels or len(std) != real.channels:
        raise UserError(
            f"{len(mean)} means and {len(std)} deviations for images of {real.channels} channels",
            fix="give one of each for every channel, with commas between:  --mean 0.49,0.48,0.45",
        )
    if not all(math.isfinite(number) for number in (*mean, *std)) or min(std) <= 0:
        raise UserError("means must be finite, and deviations above zero", fix="check --mean and --std")


def _own_constants(real: RealSet) -> str:
    if real.preprocessing.kind != "meanstd":
        return ""
    return f" (ddbench has {_numbers(real.preprocessing.mean)} and {_numbers(real.preprocessing.std)} for {real.name})"


def _hint(files: tuple[Path, ...]) -> str:
    """A word where the path says something of whitening: it is no proof."""
    parts = " ".join(part.lower() for file in files for part in file.parts[-4:])
    if "no_zca" in parts or "nozca" in parts:
        return " (its path says that it is not whitened)"
    return " (its path says zca: whitened)" if "zca" in parts else ""


def _numbers(constants: Tensor) -> str:
    return ",".join(f"{value:.6g}" for value in constants.flatten().tolist())
