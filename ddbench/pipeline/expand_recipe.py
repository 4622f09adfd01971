"""Jobs before it is known how long the experts that they share must be: each checked on its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ddbench.artifact import fingerprint
from ddbench.distillation.method import Method
from ddbench.errors import UserError
from ddbench.methods import METHODS
from ddbench.pipeline.domain import Domain
from ddbench.pipeline.method_overrides import drop_keys_of_other_methods
from ddbench.pipeline.plugins import require_method
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.recipe import Entry, LoadedRecipe
from ddbench.recipe.settings import validate


@dataclass(frozen=True)
class JobSpec:
    """A job, its settings checked."""

    label: str
    """Label under which the recipe has the method."""
    name: str
    """Name of the method."""
    method: Method
    """The method, with its settings at this ipc."""
    ipc: int
    """Items per class."""
    experts: ExpertRecipe
    """Experts that it uses."""
    needed: int | None
    """Epochs that it needs of each expert; None where it needs no experts."""
    buffer_key: str
    """Hash that names the trajectories."""
    source: str
    """Part of the recipe that it comes from, for errors."""
    epochs_from: str
    """Location of a fixed number of epochs, for errors."""

    @property
    def row_labels(self) -> list[str]:
        """Of the sets that it leaves: see ``ddbench.pipeline.jobs``."""
        return [self.label, *([f"{self.label}-plain"] if self.method.averaged else [])]

    @property
    def outcome(self) -> tuple[Any, ...]:
        """All that its synthetic set follows from, beside the data and the student."""
        experts = None if self.needed is None else (self.buffer_key, self.experts.count)
        return self.name, self.method, self.ipc, experts


class RecipeExpander:
    """Makes the job specifications of a recipe.

    Args:
        loaded: The recipe.
        domain: Domain of its data.
        real: What names the data.
        network: Canonical name of the student.
    """

    def __init__(self, loaded: LoadedRecipe, domain: Domain, real: dict[str, Any], network: str) -> None:
        self.loaded, self.domain, self.real, self.network = loaded, domain, real, network

    def specs(self) -> list[JobSpec]:
        """Specify every method at every ipc, as it stands and under each entry of the sweep that changes it.

        Returns:
            Specifications in the recipe's order.

        Raises:
            UserError: An unknown method, a wrong setting, or two methods of one label.
        """
        specs = [spec for label in self.loaded.recipe.methods for spec in self._of(label)]
        require_labels_apart(specs)
        return specs

    def _of(self, label: str) -> Iterator[JobSpec]:
        plain = [self._spec(self.loaded, label, ipc) for ipc in _ipcs_of(self.loaded, label)]
        yield from plain
        for name, variant in self.loaded.sweep.items():
            context = self.loaded.where("sweep", name)
            for spec in plain:
                try:
                    swept = self._spec(variant, label, spec.ipc)
                except UserError as error:
                    if any(context in fact or f"sweep.{name}." in fact for fact in error.facts):
                        raise
                    raise UserError(error.problem, *error.facts, f"under {context}", fix=error.fix) from None
                if swept.outcome != spec.outcome:
                    yield replace(swept, label=f"{label}-{name}", source=f"{label} under {context}")

    def _spec(self, loaded: LoadedRecipe, label: str, ipc: int) -> JobSpec:
        entry = loaded.entry(label, ipc)
        kind = _kind_of(loaded, entry)
        _require_domain(loaded, label, kind, self.domain.name)
        settings = drop_keys_of_other_methods(loaded, entry, lambda other: _kind_of(loaded, other))
        method = validate(kind, settings, entry.source, ("methods", label))
        try:
            method.validate_ipc(ipc)
        except UserError as error:
            raise error.at(entry.source.where("methods", label)) from None
        method = method.for_ipc(ipc)
        experts = loaded.experts(entry, kind.EXPERTS)
        whose = ("methods", label) if "epochs" in entry.experts else ()
        return JobSpec(
            label,
            entry.name,
            method,
            ipc,
            experts,
            method.needed_epochs(),
            self._buffer_key(experts),
            source=f"{label} of {loaded.where('methods', label)}",
            epochs_from=entry.source.where(*whose, "experts", "epochs"),
        )

    def _buffer_key(self, experts: ExpertRecipe) -> str:
        """Names a buffer by what its trajectories depend on: not how many experts and epochs of them are wanted."""
        how = experts.model_dump(exclude={"count", "epochs"})
        return fingerprint({"real": self.real, "network": self.network, "experts": how})


def _ipcs_of(loaded: LoadedRecipe, label: str) -> list[int]:
    """The recipe's numbers of images per class at which an entry of ``methods`` is run."""
    recipe = loaded.recipe
    if (wanted := recipe.methods[label].get("ipc")) is None:
        return list(recipe.ipc)
    chosen = wanted if isinstance(wanted, list) else [wanted]
    if not chosen or not all(type(ipc) is int and ipc in recipe.ipc for ipc in chosen):
        raise UserError(
            "the ipc of a method must be one or some of the recipe's",
            f"from  {loaded.where('methods', label, 'ipc')}",
            f"given {wanted!r}",
            fix=f"choose from  {', '.join(map(str, recipe.ipc))},  or leave it out",
        )
    return [ipc for ipc in recipe.ipc if ipc in chosen]


def require_labels_apart(specs: list[JobSpec]) -> None:
    """Require that rows of different methods have different labels.

    Args:
        specs: All jobs of the recipe.

    Raises:
        UserError: Two methods share a label.
    """
    seen: dict[str, str] = {}
    for spec in specs:
        for label in spec.row_labels:
            if seen.setdefault(label, spec.source) != spec.source:
                raise UserError(
                    f"two methods would be labeled {label!r}",
                    f"first  {seen[label]}",
                    f"second {spec.source}",
                    fix="give one of them another name",
                )


def _kind_of(loaded: LoadedRecipe, entry: Entry) -> type[Method]:
    own = ["method"] if "method" in loaded.recipe.methods[entry.label] else []
    kind = METHODS.get(entry.name, loaded.where("methods", entry.label, *own))
    require_method(kind, entry.name)
    return kind


def _require_domain(loaded: LoadedRecipe, label: str, kind: type[Method], data: str) -> None:
    """Errors: UserError where a method is to distill data of another domain than its own."""
    if data != kind.DOMAIN:
        raise UserError(
            f"{label} distills {kind.DOMAIN}, and {loaded.recipe.dataset} is a set of {data}",
            f"from  {loaded.where('methods', label)}",
            fix=f"choose another method (ddbench methods), or a set of {kind.DOMAIN} (ddbench datasets)",
        )
