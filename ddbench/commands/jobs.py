"""What a recipe asks for: one job a synthetic set, and the expert buffers that jobs share."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.artefact import fingerprint
from ddbench.commands.plugins import require_method
from ddbench.data.sources import find_source
from ddbench.errors import UserError, unknown
from ddbench.evaluate.rows import without_paths
from ddbench.expert_recipe import ExpertRecipe
from ddbench.method import Method
from ddbench.methods import METHODS
from ddbench.recipe import LoadedRecipe, Recipe
from ddbench.settings import validate


@dataclass(frozen=True)
class BufferNeed:
    """One expert buffer that a recipe asks for; methods whose experts agree share it."""

    recipe: ExpertRecipe
    epochs: int
    folder: Path


@dataclass(frozen=True)
class Job:
    """One synthetic set that a recipe asks for: a method at an ipc. folder: of its run."""

    label: str
    name: str
    method: Method
    ipc: int
    buffer: BufferNeed | None
    folder: Path


def jobs_of(loaded: LoadedRecipe, network: str, home: Path) -> list[Job]:
    """Every method of a recipe at every ipc, its settings checked, in the recipe's order.

    network: canonical name of the student. Errors: UserError for an unknown method, a wrong setting, too few epochs.
    """
    planner = _Planner(loaded, network, home)
    drafts = [planner.draft(label, ipc) for label in loaded.recipe.methods for ipc in loaded.recipe.ipc]
    longest: dict[str, int] = {}
    for draft in drafts:
        if draft.needed is not None:
            longest[draft.buffer_key] = max(longest.get(draft.buffer_key, 0), draft.needed)
    return [planner.job(draft, longest.get(draft.buffer_key, 0)) for draft in drafts]


def resolved(loaded: LoadedRecipe, job: Job, networks: list[str]) -> dict[str, Any]:
    """Everything a job follows from, defaults included and paths cut short: what its rows and its set carry."""
    whole = loaded.recipe.model_dump(mode="json", exclude={"methods", "ipc", "experts", "description", "sources"})
    whole["evaluation"]["networks"] = networks
    whole["experts"] = None
    if job.buffer is not None:
        whole["experts"] = {**job.buffer.recipe.model_dump(mode="json"), "epochs": job.buffer.epochs}
    whole["methods"] = {job.label: {"method": job.name, **job.method.model_dump(mode="json")}}
    return without_paths({**whole, "name": loaded.name, "ipc": [job.ipc]})


@dataclass(frozen=True)
class _Draft:
    """A job before it is known how long the experts that it shares must be."""

    label: str
    name: str
    method: Method
    ipc: int
    experts: ExpertRecipe
    needed: int | None
    buffer_key: str


class _Planner:
    def __init__(self, loaded: LoadedRecipe, network: str, home: Path) -> None:
        self.loaded, self.recipe, self.network, self.home = loaded, loaded.recipe, network, home
        self.short = find_source(self.recipe.dataset).short
        self.real = real_definition(self.recipe)

    def draft(self, label: str, ipc: int) -> _Draft:
        name, settings, experts = self.loaded.settings(label, ipc)
        kind = METHODS.get(name, self._where_named(label))
        require_method(kind, name)
        source = self.loaded.source
        for key in [key for key in settings if key not in kind.model_fields]:
            if ("methods", label, key) in source.broadcast:
                self._require_some_method_has(key, source.where("methods", label, key))
                del settings[key]
        method = validate(kind, settings, source, ("methods", label))
        return _Draft(label, name, method, ipc, experts, method.needed_epochs(), self._buffer_key(experts))

    def _require_some_method_has(self, key: str, where: str) -> None:
        names = {label: given.get("method", label) for label, given in self.recipe.methods.items()}
        kinds = [METHODS.get(name, self._where_named(label)) for label, name in names.items()]
        known = {field for kind in kinds for field in kind.model_fields}
        if key not in known:
            raise unknown("key of a method", key, known or {"none"}, where)

    def _where_named(self, label: str) -> str:
        own = ["method"] if "method" in self.recipe.methods[label] else []
        return self.loaded.where("methods", label, *own)

    def _buffer_key(self, experts: ExpertRecipe) -> str:
        """Names a buffer by what its trajectories depend on: not how many experts and epochs of them are wanted."""
        how = experts.model_dump(exclude={"count", "epochs"})
        return fingerprint({"real": self.real, "network": self.network, "experts": how})

    def job(self, draft: _Draft, longest: int) -> Job:
        buffer = None
        if draft.needed is not None:
            epochs = longest if draft.experts.epochs == "auto" else draft.experts.epochs
            if epochs < draft.needed:
                raise UserError(
                    f"{draft.label} looks at {draft.needed} epochs of each expert, the recipe records {epochs}",
                    f"from  {self.loaded.where('experts', 'epochs')}",
                    fix=f"experts.epochs: {draft.needed}, or auto",
                )
            folder = self.home / "buffers" / f"{self.short}-{self.network}-{draft.buffer_key}"
            buffer = BufferNeed(draft.experts, epochs, folder)
        asked = {
            "real": self.real,
            "network": self.network,
            "method": draft.name,
            "settings": draft.method.model_dump(mode="json"),
            "ipc": draft.ipc,
            "experts": buffer and [buffer.folder.name, buffer.recipe.count],
            "code": code_of(type(draft.method)),
        }
        folder = self.home / "runs" / f"{self.short}-ipc{draft.ipc}-{draft.label}-{fingerprint(asked)}"
        return Job(draft.label, draft.name, draft.method, draft.ipc, buffer, folder)


def real_definition(recipe: Recipe) -> dict[str, Any]:
    """What names the real data of a recipe before any of it is read."""
    named = recipe.model_dump(include={"size", "mirror", "preprocessing", "validation", "seed"})
    prefix, colon, path = recipe.dataset.partition(":")
    if colon and prefix != "hub":
        return {**named, "dataset": f"{prefix}:{Path(path).expanduser().resolve()}"}
    return {**named, "dataset": recipe.dataset}


def code_of(kind: type) -> str | None:
    """A hash of the file in which a method that is not ddbench's own is written: edited, it is another method."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if kind.__module__.startswith("ddbench.") or file is None:
        return None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
