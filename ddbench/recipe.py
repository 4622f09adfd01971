"""The recipe: one YAML file that says what is distilled, from what, by which methods, and how it is scored."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ddbench.errors import UserError, unknown
from ddbench.expert_recipe import ExpertRecipe
from ddbench.settings import Count, Settings, validate
from ddbench.source import Source, read_source


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _each_once(values: tuple[int, ...]) -> tuple[int, ...]:
    if not values or len(set(values)) < len(values):
        raise ValueError("it should list one value or more, each once")
    return values


class EvaluationRecipe(Settings):
    """How synthetic sets are scored."""

    protocol: str = "mtt-v1"
    networks: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)] = ()
    """Networks trained on the set; empty means the network it was distilled with."""
    seeds: Count = 5
    """How many fresh networks of each kind are trained and scored on test."""
    selection: Literal["last", "validation", "oracle"] = "validation"
    """Which outer step's set is scored: the last; the best on validation; the best on TEST (biased, and marked)."""
    selection_seeds: Count = 2
    """How many fresh networks judge each candidate during selection."""


class Recipe(Settings):
    """A whole run. ``methods`` maps labels of the user's choice to settings: see :meth:`LoadedRecipe.settings`."""

    description: str = ""
    dataset: str
    size: Annotated[int, Field(ge=1, le=4096, strict=True)] | None = None
    """Side in pixels to which image files are resized; None keeps what the data set has."""
    mirror: bool | None = None
    """Whether a mirrored image is still of its class, so that augmentation may flip it; None asks the data set."""
    preprocessing: Literal["identity", "meanstd", "zca"] = "meanstd"
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the training images cut off, class by class, to choose on; experts and methods never see it."""
    network: str
    ipc: Annotated[tuple[Count, ...], BeforeValidator(_one_or_more), AfterValidator(_each_once)]
    experts: ExpertRecipe = ExpertRecipe()
    methods: dict[str, dict[str, Any]]
    evaluation: EvaluationRecipe = EvaluationRecipe()
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    sources: tuple[str, ...] = ()
    """Where the values come from, and where sources contradict each other."""


class LoadedRecipe:
    """A recipe with its source: what the commands pass around.

    recipe: the validated values. source: for error messages. name: of the file, without its ending. given: how the user
    asked for it.
    """

    def __init__(self, source: Source, given: str = "") -> None:
        self.source = source
        self.name = Path(source.name).stem
        self.given = given or self.name
        methods = source.data.get("methods")
        if isinstance(methods, dict):
            source.data["methods"] = {str(label): {} if given is None else given for label, given in methods.items()}
            self._check_labels(source)
        self.recipe = validate(Recipe, source.data, source, ())

    def _check_labels(self, source: Source) -> None:
        for label in source.data["methods"]:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", label):
                raise UserError(
                    f"{label!r} can not be the label of a method, because files are named after it",
                    f"from  {source.where('methods', label)}",
                    fix="use letters, digits and  . _ + -  , and say which method it is with  method: NAME",
                )

    def settings(self, label: str, ipc: int) -> tuple[str, dict[str, Any], ExpertRecipe]:
        """Method name, its settings for this ipc, and the experts it asks for, of one entry of ``methods``.

        An entry's key is its label; ``method`` names the method where that differs; ``experts`` overrides the recipe's
        experts key by key; ``by_ipc`` maps an ipc to settings that hold for it alone.
        """
        given = dict(self.recipe.methods[label])
        name = given.pop("method", label)
        by_ipc = given.pop("by_ipc", None) or {}
        if not isinstance(by_ipc, dict) or not all(type(k) is int and isinstance(v, dict) for k, v in by_ipc.items()):
            raise UserError(
                "by_ipc must map an ipc to settings",
                f"from  {self.source.where('methods', label, 'by_ipc')}",
                fix="for example  by_ipc: {10: {inner_steps: 30}}",
            )
        given.update(by_ipc.get(ipc) or {})
        experts = given.pop("experts", None) or {}
        if not isinstance(experts, dict):
            raise UserError(
                "the experts of a method must be settings that override the recipe's",
                f"from  {self.source.where('methods', label, 'experts')}",
                fix="for example  experts: {count: 20}",
            )
        merged = {**self.recipe.experts.model_dump(), **experts}
        return name, given, validate(ExpertRecipe, merged, self.source, ("methods", label, "experts"))

    def where(self, *key: str | int) -> str:
        return self.source.where(*key)


def load_recipe(name: str, overrides: tuple[str, ...] | list[str] = ()) -> LoadedRecipe:
    """A recipe by path (``my.yaml``) or by a shipped one's name (``quickstart``), with ``key.path=value`` overrides.

    Errors: UserError that names file, line and key, and what would be right.
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
    for text in overrides:
        source.override(text)
    return LoadedRecipe(source, name)


def shipped_recipes() -> dict[str, str]:
    """The texts of ddbench's own recipes, by name; a folder is part of the name (``smoke/cifar10-jpeg``)."""
    root = files("ddbench.configs")
    found = {entry.name.removesuffix(".yaml"): entry for entry in root.iterdir() if entry.name.endswith(".yaml")}
    for folder in root.iterdir():
        if folder.is_dir() and not folder.name.startswith("_"):
            inside = {
                f"{folder.name}/{e.name.removesuffix('.yaml')}": e for e in folder.iterdir() if e.name.endswith(".yaml")
            }
            found.update(inside)
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}
