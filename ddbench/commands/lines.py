"""The sets that one run leaves: one, or, where its images are averaged, the average and the images themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ddbench.commands.jobs import Job
from ddbench.distillation.method import OptimisedMethod
from ddbench.distillation.run_dir import Run
from ddbench.errors import UserError
from ddbench.evaluate.make_row import synthetic_sha256
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic


@dataclass(frozen=True)
class Line:
    """The candidates of a job that selection compares with each other, and the set that is chosen from them."""

    label: str
    folder: Path
    set_path: Path


def lines_of(job: Job) -> list[Line]:
    """The job's own line; and where that is of moving averages, a second one, of the images that were averaged."""
    run = Run(job.folder)
    own = Line(job.label, run.candidates, job.folder / "synthetic.safetensors")
    if not isinstance(job.method, OptimisedMethod) or job.method.ema_decay is None:
        return [own]
    return [own, Line(f"{job.label}-plain", run.plain, job.folder / "synthetic-plain.safetensors")]


def publish(line: Line, syn: SyntheticSet) -> None:
    """Make this the set of a line of candidates, unless it is already."""
    if not (line.set_path.exists() and _holds(line.set_path, syn)):
        syn.save(line.set_path)


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
    """Tell whether a set's images and labels are, bit for bit, those that its run began with."""
    if not run.start.exists():
        return False
    start = load_synthetic(run.start)
    return torch.equal(start.images, syn.images) and torch.equal(start.labels, syn.labels)
