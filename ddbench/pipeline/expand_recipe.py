"""Jobs before it is known how long the experts that they share must be: each checked on its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ddbench.artifact import fingerprint
from ddbench.distillation.method import Method, OptimizedMethod
from ddbench.errors import UserError
from ddbench.graphs.method import GraphMethod
from ddbench.methods import METHODS
from ddbench.pipeline.graph_checks import require_kind_of_data
from ddbench.pipeline.method_overrides import drop_keys_of_other_methods
from ddbench.pipeline.plugins import require_method
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.recipe import Entry, LoadedRecipe
from ddbench.recipe.settings import validate

SOFT = "random-soft"
"""The baseline beside every method whose labels are soft: random real images, labeled by the same experts."""


@dataclass(frozen=True)
class JobSpec:
    """A job, its settings checked."""

    label: str
    name: str
    method: Method
    ipc: int
    experts: ExpertRecipe
    """Which experts it asks for, and how many epochs of each; None where it needs none."""
    needed: int | None
    """Which experts it asks for, and how many epochs of each; None where it needs none."""
    buffer_key: str
    """Names the trajectories."""
    source: str
    """What of the recipe it is from."""
    epochs_from: str
    """Where a fixed number of epochs was asked for."""

    @property
    def row_labels(self) -> list[str]:
        """Of the sets that it leaves: see ``ddbench.pipeline.jobs``."""
        averaged = isinstance(self.method, OptimizedMethod) and self.method.ema_decay is not None
        return [self.label, *([f"{self.label}-plain"] if averaged else [])]

    @property
    def outcome(self) -> tuple[Any, ...]:
        """What its synthetic set follows from, beside the data and the student."""
        experts = None if self.needed is None else (self.buffer_key, self.experts.count)
        return self.name, self.method, self.ipc, experts


class RecipeExpander:
    """Makes the drafts of a recipe.

    Args:
        real: What names the data and the student.
        network: What names the data and the student.
    """

    def __init__(self, loaded: LoadedRecipe, real: dict[str, Any], network: str) -> None:
        self.loaded, self.real, self.network = loaded, real, network

    def specs(self) -> list[JobSpec]:
        """Every method at every ipc, as it stands and under each entry of the sweep that changes it, and baselines."""
        found = [spec for label in self.loaded.recipe.methods for spec in self._of(label)]
        require_labels_apart(found)
        return [*found, *self._soft_baselines(found)]

    def _of(self, label: str) -> Iterator[JobSpec]:
        plain = [self._spec(self.loaded, label, ipc) for ipc in self.loaded.recipe.ipc]
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
        require_kind_of_data(loaded, label, issubclass(kind, GraphMethod))
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

    def _soft_baselines(self, specs: list[JobSpec]) -> Iterator[JobSpec]:
        """One at each ipc with soft labels, by the experts of the first such method, at the epoch that labels there."""
        label = SOFT
        while label in {taken for spec in specs for taken in spec.row_labels}:
            label += "-labels"
        for ipc in self.loaded.recipe.ipc:
            here = [spec for spec in specs if spec.ipc == ipc]
            soft = next((spec for spec in here if spec.method.soft_labels() and spec.needed), None)
            if soft is not None and all(spec.name != SOFT for spec in here):
                epoch = getattr(soft.method, "label_expert_epoch", None) or soft.needed
                method = METHODS.get(SOFT).model_validate({"label_expert_epoch": epoch})
                yield replace(soft, label=label, name=SOFT, method=method, needed=method.needed_epochs())


def require_labels_apart(specs: list[JobSpec]) -> None:
    """Errors: UserError where rows of two methods would have one label."""
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


MIRAGE = "mirage"


def graph_baselines(specs: Sequence[JobSpec]) -> Iterator[JobSpec]:
    """Random graphs and herding of as many items and of as many bytes as each Mirage set; and all training graphs.

    specs: what the recipe asks for. Where it has several Mirage entries, labels say which one a baseline equals. One
    that the recipe asks for itself is not repeated.
    """
    requested = {spec.outcome for spec in specs}
    mirages = [spec for spec in specs if spec.name == MIRAGE]
    several = len({spec.label for spec in mirages}) > 1
    for spec in mirages:
        prefix = f"{spec.label}-" if several else ""
        to = spec.method.model_dump()
        for label, name, settings in (
            (f"{prefix}random-items", "random-graphs", {"equal": "items", "to": to}),
            (f"{prefix}random-bytes", "random-graphs", {"equal": "bytes", "to": to}),
            (f"{prefix}herding-items", "herding-graphs", {"equal": "items", "to": to}),
        ):
            yield from _unless_requested(_spec(spec, label, name, settings), requested)
    for ipc in dict.fromkeys(spec.ipc for spec in specs):
        first = next(spec for spec in specs if spec.ipc == ipc)
        yield from _unless_requested(_spec(first, "full", "full-graphs", {}), requested)


def _spec(model: JobSpec, label: str, name: str, settings: dict[str, Any]) -> JobSpec:
    method = METHODS.get(name).model_validate(settings)
    return replace(model, label=label, name=name, method=method, source=f"the baseline {label}")


def _unless_requested(spec: JobSpec, requested: set[Any]) -> Iterator[JobSpec]:
    if spec.outcome not in requested:
        requested.add(spec.outcome)
        yield spec
