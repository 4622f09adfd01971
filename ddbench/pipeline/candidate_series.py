"""Series of candidates: the sets that one run leaves, and where its images are averaged, the images themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ddbench.artifact import describe
from ddbench.distillation.run_dir import Run
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.make_row import synthetic_sha256
from ddbench.pipeline.jobs import Job
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic


@dataclass(frozen=True)
class CandidateSeries:
    """The candidates of a job that selection compares with each other, and the set that is chosen from them."""

    label: str
    """Label of the rows of its set."""
    folder: Path
    """Folder of the candidates."""
    set_path: Path
    """File of the set that is chosen."""


def candidate_series(job: Job) -> list[CandidateSeries]:
    """List the series of candidates of a job.

    Args:
        job: The job, whose run lies in its folder.

    Returns:
        The job's own series; where that is of moving averages, a second one of the images that were averaged.
    """
    run = Run(job.folder)
    own = CandidateSeries(job.label, run.candidates, job.set_path)
    if not job.method.averaged:
        return [own]
    return [own, CandidateSeries(f"{job.label}-plain", run.plain, job.folder / "synthetic-plain.safetensors")]


def write_selected(series: CandidateSeries, syn: SyntheticSet) -> None:
    """Save a set as the choice of a series, unless the file there has the same tensors and origin.

    Args:
        series: Series that the set was chosen from; names the file.
        syn: The chosen candidate.
    """
    if not (series.set_path.exists() and _holds(series.set_path, syn)):
        syn.save(series.set_path)


def _holds(path: Path, syn: SyntheticSet) -> bool:
    """Whether a whole file has this set in it, made for the same recipe; when, and by which code, does not count."""
    try:
        there = load_synthetic(path)
    except UserError:
        return False
    facts = ("recipe", "label", "selection", "step")
    same_origin = all(there.provenance.get(fact) == syn.provenance.get(fact) for fact in facts)
    return same_origin and synthetic_sha256(there) == synthetic_sha256(syn)


def is_its_start(syn: SyntheticSet, run: Run) -> bool:
    """Tell whether a set's images and labels are, bit for bit, those that its run began with.

    Args:
        syn: The set.
        run: Files of its run.

    Returns:
        True where they are the same; False also where the run has no file of its start.
    """
    if not run.start.exists():
        return False
    start = load_synthetic(run.start)
    return torch.equal(start.images, syn.images) and torch.equal(start.labels, syn.labels)


def with_run_facts(
    series: CandidateSeries, candidate: Path, selection: str, evaluation: Mapping[str, Any]
) -> SyntheticSet:
    """Read a candidate and add what its whole run took and how it was chosen.

    Args:
        series: Of the candidate.
        candidate: Its file.
        selection: Rule by which it was chosen.
        evaluation: How it is evaluated, for the recipe that it carries.

    Returns:
        The candidate as it was made; seconds and peak memory are those of the whole run, not of its part of it.
    """
    syn = load_synthetic(candidate)
    run = Run(candidate.parent.parent)
    whole = describe(run.candidate_files()[-1])["provenance"]
    facts: dict[str, Any] = {
        "seconds": whole["seconds"],
        "peak_bytes": whole["peak_bytes"],
        "selection": selection,
        "recipe": {**syn.provenance["recipe"], "evaluation": evaluation},
        "label": series.label,
    }
    if is_its_start(syn, run):
        facts["unmoved"] = True
    return replace(syn, provenance={**syn.provenance, **facts})
