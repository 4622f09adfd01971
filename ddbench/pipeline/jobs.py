"""Jobs of a recipe: one a synthetic set, and the expert buffers that jobs share."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ddbench.artifact import fingerprint
from ddbench.data.sources import find_source
from ddbench.distillation.method import Method
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import without_paths
from ddbench.pipeline.domains import domain_named
from ddbench.pipeline.expand_recipe import JobSpec, RecipeExpander
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.recipe import LoadedRecipe, Recipe


@dataclass(frozen=True)
class BufferSpec:
    """One expert buffer that a recipe asks for; methods whose experts agree share it."""

    recipe: ExpertRecipe
    """Number and training of the experts."""
    epochs: int
    """Epochs of each expert, at least."""
    folder: Path
    """Folder of the buffer."""


@dataclass(frozen=True)
class Job:
    """One synthetic set that a recipe asks for: a method at an ipc, distilled with one seed."""

    label: str
    """Label of its rows."""
    name: str
    """Name of the method."""
    method: Method
    """The method, with its settings at this ipc."""
    ipc: int
    """Items per class."""
    seed: int
    """Of the distillation, and of the networks that score its set."""
    buffer: BufferSpec | None
    """Experts that the method uses; None where it needs none."""
    folder: Path
    """Of its run."""
    title: str
    """Names it among the jobs of its recipe, such as ``mtt ipc 10``; with its seed where the recipe has several."""

    @property
    def set_path(self) -> Path:
        """File of its set: at first that of the last outer step, after selection the one that was chosen.

        Where several networks select, each for itself, it is the choice of the first.
        """
        return self.folder / "synthetic.safetensors"


def jobs_of(loaded: LoadedRecipe, network: str, home: Path) -> list[Job]:
    """List the jobs of a recipe with its sweep and baselines: every method at every ipc and distillation seed.

    Under an entry of the sweep a method is labeled ``<label>-<entry>``, and made only where that entry changes it.
    Baselines are the domain's choice.

    Args:
        loaded: The recipe.
        network: Canonical name of the student.
        home: Folder of buffers and runs.

    Returns:
        Jobs in the recipe's order, their settings checked.

    Raises:
        UserError: An unknown method, a wrong setting, too few epochs.
    """
    real = real_definition(loaded.recipe)
    source = find_source(loaded.recipe.dataset)
    domain = domain_named(source.source.domain)
    specs = RecipeExpander(loaded, domain, real, network).specs()
    specs = [*specs, *domain.baselines(loaded, specs)]
    longest: dict[str, int] = {}
    for spec in specs:
        if spec.needed is not None:
            longest[spec.buffer_key] = max(longest.get(spec.buffer_key, 0), spec.needed)
    return [
        _job(spec, seed, loaded.recipe, longest.get(spec.buffer_key, 0), source.short, real, network, home)
        for spec in specs
        for seed in loaded.recipe.distillation_seeds
    ]


def shared_buffers(jobs: Iterable[Job]) -> list[BufferSpec]:
    """Merge the buffers that jobs need, by folder.

    Args:
        jobs: The jobs.

    Returns:
        Each buffer once, with as many experts and epochs as any of the jobs needs.
    """
    needs: dict[Path, BufferSpec] = {}
    for need in [job.buffer for job in jobs if job.buffer is not None]:
        known = needs.get(need.folder, need)
        count, epochs = max(known.recipe.count, need.recipe.count), max(known.epochs, need.epochs)
        needs[need.folder] = replace(known, recipe=known.recipe.model_copy(update={"count": count}), epochs=epochs)
    return list(needs.values())


def resolved(loaded: LoadedRecipe, job: Job, networks: list[str]) -> dict[str, Any]:
    """Resolve everything that a job follows from, defaults included and paths cut short.

    Args:
        loaded: The recipe.
        job: One of its jobs.
        networks: Canonical names of the networks that score its set.

    Returns:
        The recipe of this job alone, as plain data, for its set and its rows.
    """
    whole = loaded.recipe.model_dump(mode="json", exclude=_OF_OTHER_JOBS)
    evaluation = {key: value for key, value in whole["evaluation"].items() if value is not None}
    whole["evaluation"] = {**evaluation, "networks": networks}
    whole["experts"] = None
    if job.buffer is not None:
        whole["experts"] = {**job.buffer.recipe.model_dump(mode="json"), "epochs": job.buffer.epochs}
    whole["methods"] = {job.label: {"method": job.name, **job.method.model_dump(mode="json")}}
    seeds = {} if job.seed == loaded.recipe.seed else {"seeds": [job.seed]}
    return without_paths({**whole, "name": loaded.name, "ipc": [job.ipc], **seeds})


_OF_OTHER_JOBS = {"methods", "sweep", "ipc", "experts", "description", "sources", "seeds"}


def _job(
    spec: JobSpec,
    seed: int,
    recipe: Recipe,
    longest: int,
    short: str,
    real: dict[str, Any],
    network: str,
    home: Path,
) -> Job:
    """Turn a specification into a job.

    Args:
        spec: The method at an ipc.
        seed: Of the distillation.
        recipe: Whose job it is.
        longest: Epochs that are needed of the experts, over all jobs that share them.
        short: Name of the data set in files.
        real: What names the real data.
        network: Canonical name of the student.
        home: Where buffers and runs lie.

    Returns:
        The job; its folder follows from everything that its set follows from.
    """
    buffer = None
    if spec.needed is not None:
        epochs = longest if spec.experts.epochs == "auto" else spec.experts.epochs
        if epochs < spec.needed:
            raise UserError(
                f"{spec.label} looks at {spec.needed} epochs of each expert, the recipe records {epochs}",
                f"from  {spec.epochs_from}",
                fix=f"experts.epochs: {spec.needed}, or auto",
            )
        buffer = BufferSpec(spec.experts, epochs, home / "buffers" / f"{short}-{network}-{spec.buffer_key}")
    definition = {
        "real": real,
        "network": network,
        "method": spec.name,
        "settings": spec.method.defining_settings(),
        "ipc": spec.ipc,
        "experts": buffer and [buffer.folder.name, buffer.recipe.count],
        "code": code_of(type(spec.method)),
        **({} if seed == recipe.seed else {"distillation seed": seed}),
    }
    folder = home / "runs" / f"{short}-ipc{spec.ipc}-{spec.label}-{fingerprint(definition)}"
    title = f"{spec.label} ipc {spec.ipc}"
    if len(recipe.distillation_seeds) > 1:
        title = f"{title} seed {seed}"
    return Job(spec.label, spec.name, spec.method, spec.ipc, seed, buffer, folder, title)


def real_definition(recipe: Recipe) -> dict[str, Any]:
    """Collect the keys that name the real data of a recipe before any of it is read.

    Args:
        recipe: The recipe.

    Returns:
        Values by key; the path of a local data set is absolute.
    """
    named = recipe.model_dump(include={"size", "mirror", "preprocessing", "validation", "seed"})
    prefix, colon, path = recipe.dataset.partition(":")
    if colon and prefix != "hub":
        return {**named, "dataset": f"{prefix}:{Path(path).expanduser().resolve()}"}
    return {**named, "dataset": recipe.dataset}


def code_of(kind: type) -> str | None:
    """Hash the file in which a method that is not ddbench's own is written: edited, it is another method.

    Args:
        kind: Class of the method.

    Returns:
        16 hexadecimal digits; None for ddbench's methods and for a class without a file.
    """
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if kind.__module__.startswith("ddbench.") or file is None:
        return None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]
