"""The recipe: one YAML file that says what is distilled, from what, by which methods, and how it is scored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ddbench.errors import UserError, unknown
from ddbench.recipe.bounds import MOST_IPC, MOST_SEED
from ddbench.recipe.evaluation import Called, EvaluationRecipe
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.settings import Count, Settings, validate
from ddbench.recipe.sweep import varied
from ddbench.recipe.teachers import one_or_more
from ddbench.recipe.yaml_source import YamlSource, read_source


def _each_once(values: tuple[int, ...]) -> tuple[int, ...]:
    if not values or len(set(values)) < len(values):
        raise ValueError("it should list one value or more, each once")
    return values


def _can_be_a_path(name: str) -> str:
    """What follows a prefix may be a path, of which file systems take so much."""
    longest = max(len(part.encode()) for part in re.split(r"[/\\:]", name))
    if longest > LONGEST_PART or len(name.encode()) > LONGEST_PATH:
        raise ValueError(f"it has a part of {longest} letters, and file systems take {LONGEST_PART}")
    return name


LONGEST_PART, LONGEST_PATH = 255, 4095
"""Bytes of a part of a path, and of a whole one, that file systems take."""

Seed = Annotated[int, Field(ge=0, le=2**53, strict=True)]


class Recipe(Settings):
    """A whole run. ``methods`` maps labels of the user's choice to settings: see :meth:`LoadedRecipe.entry`."""

    description: str = ""
    """One line for lists of recipes."""
    dataset: Annotated[str, AfterValidator(_can_be_a_path)]
    """Data set, as ``ddbench datasets`` lists them."""
    size: Annotated[int, Field(ge=1, le=4096, strict=True)] | None = None
    """Side in pixels to which image files are resized; None keeps what the data set has."""
    mirror: bool | None = None
    """Whether a mirrored image is still of its class, so that augmentation may flip it; None asks the data set."""
    preprocessing: Literal["identity", "meanstd", "zca", "kip"] = "meanstd"
    """Space in which networks see images: as they are, standardized, or whitened."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the training images cut off, class by class, to choose on; experts and methods never see it."""
    network: Called
    """Student, as ``ddbench networks`` lists them."""
    ipc: Annotated[
        tuple[Annotated[Count, Field(le=MOST_IPC)], ...], BeforeValidator(one_or_more), AfterValidator(_each_once)
    ]
    """Images per class: one number, or several."""
    experts: ExpertRecipe = ExpertRecipe()
    """How experts are trained, for the methods that use them."""
    methods: dict[str, dict[str, Any]]
    """Settings of each method, by labels of the user's choice."""
    sweep: dict[str, dict[str, Any]] = {}
    """Names to overrides, written as on the command line; under each, every method that it changes is run again."""
    evaluation: EvaluationRecipe = EvaluationRecipe()
    """How sets are scored."""
    seed: Seed = 0
    """Seed of everything: the validation split, experts, distillation, and networks that score."""
    seeds: Annotated[tuple[Seed, ...], BeforeValidator(one_or_more), AfterValidator(_each_once)] | None = None
    """Seeds of distillation, each of which makes sets of its own from the same experts; None means ``seed`` alone."""
    sources: tuple[str, ...] = ()
    """Where the values come from, and where sources contradict each other."""

    @property
    def distillation_seeds(self) -> tuple[int, ...]:
        """Every seed with which sets are made."""
        return self.seeds or (self.seed,)

    @model_validator(mode="after")
    def _seeds_can_be_recorded(self) -> Recipe:
        """Networks are seeded from here on, and rows keep their seeds in 64 bits."""
        if (max(self.distillation_seeds) + 1) * self.evaluation.seeds > MOST_SEED:
            raise ValueError(
                f"the seed {max(self.distillation_seeds)} times {self.evaluation.seeds} networks is beyond {MOST_SEED}"
            )
        return self


@dataclass(frozen=True)
class Entry:
    """One entry of ``methods`` as it is at one ipc, not yet checked by its method."""

    label: str
    """Key of the entry."""
    name: str
    """Of the method."""
    settings: dict[str, Any]
    """The method's."""
    experts: dict[str, Any]
    """What the entry itself says of experts."""
    source: YamlSource
    """For errors."""


class LoadedRecipe:
    """A recipe with its source: what the commands pass around.

    ``recipe`` has the validated values, ``name`` is the file's without its ending, ``sweep`` has the recipe under each
    entry of its sweep.

    Args:
        source: Document that was read, for error messages.
        given: Name or path by which the user asked for it; empty for ``name``.

    Raises:
        UserError: A key is unknown, or a value is wrong; names file, line and key.
    """

    def __init__(self, source: YamlSource, given: str = "") -> None:
        self.source = source
        self.name = Path(source.name).stem
        self.given = given or self.name
        self.sweep: dict[str, LoadedRecipe] = {}
        _name_entries(source)
        for part, what in (("methods", "label of a method"), ("sweep", "name of an entry of the sweep")):
            self._check_names(part, what)
        self.recipe = validate(Recipe, source.data, source, ())

    def _check_names(self, part: str, what: str) -> None:
        names = self.source.data.get(part)
        for name in names if isinstance(names, dict) else ():
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
                says_more = ", and say which method it is with  method: NAME" if part == "methods" else ""
                raise UserError(
                    f"{name!r} can not be the {what}, because files are named after it",
                    f"from  {self.source.where(part, name)}",
                    fix=f"use letters, digits and  . _ + -{says_more}",
                )

    def entry(self, label: str, ipc: int) -> Entry:
        """Read one entry of ``methods`` as it is at one ipc.

        An entry's key is its label; ``method`` names the method where that differs; ``experts`` overrides the recipe's
        experts key by key; ``by_ipc`` maps an ipc to settings that hold for it alone; ``ipc`` says at which it is run.

        Args:
            label: Key of the entry.
            ipc: Images per class.

        Returns:
            The entry, its settings not yet checked by the method.

        Raises:
            UserError: ``method``, ``by_ipc`` or ``experts`` has a wrong form.
        """
        settings = dict(self.recipe.methods[label])
        settings.pop("ipc", None)
        name = settings.pop("method", label)
        if not isinstance(name, str):
            raise UserError(
                "method must be the name of a method",
                f"from  {self.source.where('methods', label, 'method')}",
                f"given {name!r}",
                fix="choose one from  ddbench methods",
            )
        by_ipc = settings.pop("by_ipc", None) or {}
        if not isinstance(by_ipc, dict) or not all(type(k) is int and isinstance(v, dict) for k, v in by_ipc.items()):
            raise UserError(
                "by_ipc must map an ipc to settings",
                f"from  {self.source.where('methods', label, 'by_ipc')}",
                fix="for example  by_ipc: {10: {inner_steps: 30}}",
            )
        settings.update(by_ipc.get(ipc) or {})
        experts = settings.pop("experts", None) or {}
        if not isinstance(experts, dict):
            raise UserError(
                "the experts of a method must be settings that override the recipe's",
                f"from  {self.source.where('methods', label, 'experts')}",
                fix="for example  experts: {count: 20}",
            )
        return Entry(label, name, settings, experts, self.source.at_ipc(label, ipc))

    def experts(self, entry: Entry, published: Mapping[str, Any]) -> ExpertRecipe:
        """Settle how the experts of an entry are trained.

        Of each setting the last holds: the default, the method's, what the recipe says, what the entry says.

        Args:
            entry: An entry of ``methods``.
            published: Settings its method was published with.

        Returns:
            All settings of its experts.

        Raises:
            UserError: A setting is unknown or wrong; names file, line and key.
        """
        in_recipe = self.recipe.experts.model_dump(exclude_unset=True)
        merged = _over(_over(published, in_recipe), entry.experts)
        return validate(ExpertRecipe, merged, entry.source, ("methods", entry.label, "experts"))

    def where(self, *key: str | int) -> str:
        """Tell where a key was written, for errors.

        Args:
            key: Path of the key, such as ``"methods", "mtt", "unroll"``.

        Returns:
            The place, such as ``mtt.yaml, line 7: methods.mtt.unroll``, or the ``-o`` that set it.
        """
        return self.source.where(*key)


def _over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Settings over settings, key by key; options of a part, given without its kind, are of the part below."""
    merged = {**lower, **upper}
    for key, value in upper.items():
        below = {"kind": lower.get(key)} if isinstance(lower.get(key), str) else lower.get(key)
        if isinstance(value, dict) and isinstance(below, dict) and "kind" not in value:
            merged[key] = {**below, **value}
    return merged


def load_recipe(name: str, overrides: tuple[str, ...] | list[str] = ()) -> LoadedRecipe:
    """Read a recipe.

    Args:
        name: Path of a file (``my.yaml``), or name of a shipped recipe (``quickstart``).
        overrides: Changes as on the command line, ``key.path=value``.

    Returns:
        The recipe, validated, with the variants of its sweep.

    Raises:
        UserError: There is no such recipe, or something in it is wrong; names file, line and key, and what would be
            right.
    """
    path = Path(name)
    shipped = shipped_recipes()
    if path.is_dir() and name not in shipped:
        raise UserError(f"{name} is a folder, not a recipe", fix="give a .yaml file, or a name from  ddbench recipes")
    if path.suffix in (".yaml", ".yml") or path.is_file():
        if not path.is_file():
            raise UserError(f"there is no recipe {name}", fix="check the path, or see  ddbench recipes")
        source = read_source(path)
    elif name in shipped:
        source = read_source(Path(f"{name}.yaml"), shipped[name])
    else:
        raise unknown(
            "recipe", name, shipped, fix="ddbench recipes lists what there is; or give a path to a .yaml file"
        )
    return _with_sweep(source, overrides, name)


def _with_sweep(plain: YamlSource, overrides: tuple[str, ...] | list[str], requested: str) -> LoadedRecipe:
    """The recipe as overridden, and under each entry of its sweep, which the overrides beat as well."""
    _name_entries(plain)
    source = plain.copy()
    for text in overrides:
        source.override(text)
    loaded = LoadedRecipe(source, requested)
    for name in loaded.recipe.sweep:
        variant = varied(plain, source, name)
        for text in overrides:
            variant.override(text)
        loaded.sweep[name] = LoadedRecipe(variant, requested)
    return loaded


def _name_entries(source: YamlSource) -> None:
    """Names of methods and of the sweep's entries are text, whatever YAML takes them for; one may say nothing."""
    for part in ("methods", "sweep"):
        named = source.data.get(part)
        if isinstance(named, dict):
            source.data[part] = {str(name): {} if inner is None else inner for name, inner in named.items()}


def shipped_recipes() -> dict[str, str]:
    """Read the texts of ddbench's own recipes.

    Returns:
        YAML by name, sorted; a folder is part of the name (``smoke/cifar10-jpeg``).
    """
    root = files("ddbench.configs")
    entries = {entry.name.removesuffix(".yaml"): entry for entry in root.iterdir() if entry.name.endswith(".yaml")}
    for folder in root.iterdir():
        if folder.is_dir() and not folder.name.startswith("_"):
            inside = {
                f"{folder.name}/{e.name.removesuffix('.yaml')}": e for e in folder.iterdir() if e.name.endswith(".yaml")
            }
            entries.update(inside)
    return {name: entries[name].read_text(encoding="utf-8") for name in sorted(entries)}
