"""Comparison of a recipe's variants on the validation split; the test split is not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from ddbench.domains.images.stages import SelectCandidate
from ddbench.errors import UserError
from ddbench.evaluate.selection import select
from ddbench.pipeline.candidate_series import candidate_series
from ddbench.pipeline.job_order import in_turns
from ddbench.pipeline.jobs import Job
from ddbench.pipeline.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A distillation, scored on the validation split."""

    method: str
    """Label of the method in the recipe."""
    variant: str
    """Name of the entry of the sweep; empty for the method as the recipe has it."""
    ipc: int
    """Images per class."""
    seed: int
    """Seed of the distillation."""
    step: int
    """Outer step of the candidate that is best on validation."""
    accuracies: tuple[float, ...]
    """Fractions on the validation split, one a network."""

    @property
    def accuracy(self) -> float:
        """Mean over networks."""
        return fmean(self.accuracies)


def tune(pipeline: Pipeline, networks: int) -> Iterator[Trial]:
    """Distill every variant of a recipe, and score its best candidate on validation.

    Args:
        pipeline: A recipe on images with a sweep.
        networks: Fresh networks a candidate.

    Yields:
        One trial a set, in the order in which they are done. What was done already is read.

    Raises:
        UserError: The recipe cuts off no validation split.
    """
    if not len(pipeline.real.validation):
        raise UserError(
            "variants are compared on validation, and nothing was cut off for it",
            f"from  {pipeline.loaded.where('validation')}",
            fix="validation: 0.1",
        )
    pipeline.domain.distill_ahead(pipeline)
    for job in in_turns(pipeline.jobs):
        pipeline.stages.run(job, last="distill")
        yield _trial(pipeline, job, networks)


def best_trials(trials: Sequence[Trial]) -> list[Trial]:
    """Choose the best variant of each method at each ipc.

    Args:
        trials: Of one recipe.

    Returns:
        One trial a method and ipc, in the order in which these first occur: that of the highest mean over networks
        and distillation seeds; of equals the first. Of several seeds it is the first of the chosen variant.
    """
    chosen = []
    for method, ipc in dict.fromkeys((trial.method, trial.ipc) for trial in trials):
        mine = [trial for trial in trials if (trial.method, trial.ipc) == (method, ipc)]
        means = {
            variant: fmean(trial.accuracy for trial in mine if trial.variant == variant)
            for variant in dict.fromkeys(trial.variant for trial in mine)
        }
        best = max(means, key=lambda variant: means[variant])
        chosen.append(next(trial for trial in mine if trial.variant == best))
    return chosen


def _trial(pipeline: Pipeline, job: Job, networks: int) -> Trial:
    stage = pipeline.stages.select
    assert isinstance(stage, SelectCandidate)
    selected = select(
        candidate_series(job)[0].folder,
        "validation",
        pipeline.real,
        protocol=pipeline.protocol,
        network=pipeline.protocol.network or pipeline.network,
        networks=networks,
        seed=job.seed,
        compute=stage.compute(job),
        steps=pipeline.recipe.evaluation.steps,
        teachers=stage.teachers.of_evaluation,
        score_single=True,
    )
    method, variant = _parts_of(job.label, pipeline)
    return Trial(
        method=method,
        variant=variant,
        ipc=job.ipc,
        seed=job.seed,
        step=selected.step,
        accuracies=selected.scores[selected.step],
    )


def _parts_of(label: str, pipeline: Pipeline) -> tuple[str, str]:
    """Method and entry of the sweep whose names a job's label is made of."""
    pairs = ((method, variant) for method in pipeline.recipe.methods for variant in pipeline.loaded.sweep)
    return next((pair for pair in pairs if label == "-".join(pair)), (label, ""))
