"""Models of what a file records of itself, checked as a recipe is before any of it is used."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ddbench.errors import UserError
from ddbench.recipe.bounds import MOST_IPC, MOST_SEED, MOST_SEEDS, MOST_STEPS

_TEXT = 10_000
"""Characters of a note, or of a path."""


def _printable(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise ValueError("it has a control character")
    return text


Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)]
"""What a file calls something: a label, a class, a network."""
Text = Annotated[str, StringConstraints(max_length=_TEXT)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=0, le=MOST_SEED)]
Ipc = Annotated[int, Field(ge=1, le=MOST_IPC)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class Recorded(BaseModel):
    """Base of what is read from files that programs wrote: frozen, types as they are, other keys passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class RecordedEvaluation(Recorded):
    """Evaluation in the recipe inside a file, as far as a command follows it."""

    protocol: Name = "mtt-v1"
    """Protocol by which networks are trained."""
    networks: Annotated[list[Name], Field(max_length=1000)] = []
    """Networks, or pools of them; empty for the one it was distilled with."""
    lr: Literal["protocol", "search"] | None = None
    """Origin of the learning rate; None where the recipe leaves it open."""
    rates: Annotated[list[Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(max_length=1000)] | None = None
    """Learning rates that a search tries."""
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] | None = None
    """Optimizer steps; None for the protocol's epochs."""
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 5
    """Networks of each kind."""
    selection_seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 1
    """Networks for each candidate."""


class RecordedRecipe(Recorded):
    """Recipe inside a set or a row, as far as a command follows it."""

    name: Name | None = None
    """Name of the recipe."""
    dataset: Annotated[str, StringConstraints(min_length=1, max_length=_TEXT), AfterValidator(_printable)] | None = None
    """Data set, without paths."""
    network: Name | None = None
    """Student."""
    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Side of the images in pixels; None for their own."""
    mirror: bool | None = None
    """Whether augmentation may flip images; None for what is known of the data set."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the training images held out."""
    seed: Number = 0
    """Seed of the run."""
    ipc: Annotated[list[Ipc], Field(max_length=1000)] = []
    """Images per class."""
    evaluation: RecordedEvaluation = RecordedEvaluation()
    """How sets are scored."""
    held_back_afterwards: bool = False
    """A validation split was cut off only after the set was made."""

    @model_validator(mode="after")
    def _seeds_fit(self) -> RecordedRecipe:
        if self.seed * self.evaluation.seeds + self.evaluation.seeds > MOST_SEED:
            raise ValueError(f"its seed {self.seed} gives networks seeds beyond {MOST_SEED}")
        return self


M = TypeVar("M", bound=Recorded)


def checked(model: type[M], document: Any, path: Path | str, what: str, *inside: str, fix: str) -> M:
    """A part of a file as its model.

    Args:
        model: What the part must be.
        document: JSON.
        path: The file, for errors.
        what: What the file should be, as "synthetic set".
        inside: Keys that lead to the part.
        fix: What helps where it is something else.

    Returns:
        The part, with its defaults.

    Raises:
        UserError: A key is missing or has a value that it can not have; names file and key.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
        key = ".".join([*inside, *(str(part) for part in first["loc"])])
        value = first.get("input")
        shown = first["type"] not in ("missing", "value_error") and isinstance(value, str | int | float | None)
        raise UserError(
            f"{path} is not a whole {what}",
            f"key   {key[:200]}" if key else "",
            f"why   {first['msg'].removeprefix('Value error, ').replace('Input should be', 'it should be')}",
            f"given {value!r:.80}" if shown else "",
            fix=fix,
        ) from None


def recorded_recipe(document: Mapping[str, Any] | None, path: Path | str, what: str = "row") -> RecordedRecipe:
    """Check the recipe inside a set or a row.

    Args:
        document: The recipe, JSON; None or empty where the file has none.
        path: The file, for errors.
        what: What the file is, for errors.

    Returns:
        The recipe; a file without one has the defaults.

    Raises:
        UserError: A value is out of bounds; names file and key.
    """
    fix = "restore the file, or make it anew; what a recipe may say is bounded also where a file says it"
    return checked(RecordedRecipe, document or {}, path, what, "recipe", fix=fix)


def recorded_dataset(name: str, path: Path | str) -> str:
    """Check the name of a data set that a file gives: a known set, or a member of a known collection.

    Args:
        name: The name.
        path: The file, for errors.

    Returns:
        The same name.

    Raises:
        UserError: The name is unknown, or would lead to a folder, to the Hugging Face hub, or to code: only a user may
            give such a one.
    """
    from ddbench.data.sources import PREFIXED, SOURCES, find_source

    prefix, colon, rest = name.partition(":")
    if name in SOURCES or (colon and prefix in COLLECTIONS):
        find_source(name, str(path))
        return name
    if not colon or prefix not in PREFIXED:
        raise UserError(
            f"{path} names a data set that is not known: {name!r:.80}",
            fix="say which it is with --dataset NAME (ddbench datasets lists what there is)",
        )
    if prefix == "pyg":
        raise UserError(
            f"{path} names a data set that would run code: {name!r:.80}",
            "why   a name in a file is never imported, because anybody may have written it",
            fix=f"if you trust it like a program:  --dataset {name:.80}",
        )
    if prefix == "hub":
        raise UserError(
            f"{path} names a data set of the Hugging Face hub: {name!r:.80}",
            "why   a name in a file is never downloaded by itself",
            fix=f"if it is the one you mean:  --dataset {name:.80}",
        )
    raise UserError(
        f"the recipe inside does not say where {name!r:.80} lies, because it keeps no paths",
        f"from  {path}",
        fix=f"--dataset {prefix}:PATH/{rest:.80}",
    )


COLLECTIONS = ("tu", "ogb")
"""Kinds of names that a file may have: what stands after the colon is one word, and no path."""
