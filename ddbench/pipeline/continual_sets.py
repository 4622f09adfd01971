"""The synthetic sets that a memory is made of: distilled step by step, or parts of a set of all classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ddbench.artifact import fingerprint
from ddbench.data import RealSet
from ddbench.data.class_subset import only_classes, subset_fingerprint
from ddbench.distillation.outer_state import require_same
from ddbench.distillation.run import last_candidate
from ddbench.errors import UserError, unknown
from ddbench.evaluate.continual.replay_memory import StepSet, split_by_class
from ddbench.pipeline.jobs import Job
from ddbench.pipeline.pipeline import Pipeline
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic

STEP_BY_STEP = "distilled step by step from the images of that step's classes; the set of the last outer step"
AT_ONCE = "distilled from all classes at once and parted by class, so earlier parts know of classes to come"


class StepByStep:
    """Distills every step's sets by a recipe, each from that step's classes alone, where they are missing.

    Experts lie in HOME/buffers and runs in HOME/runs, under names that end in a hash of the classes.

    Args:
        pipeline: The recipe on all classes.
        methods: Labels of the recipe's methods; empty is all of them.

    Raises:
        UserError: A label that the recipe does not have, and for a run that was made from other images than lie there
            now.
    """

    def __init__(self, pipeline: Pipeline, methods: list[str]) -> None:
        self.pipeline = pipeline
        if len(seeds := pipeline.recipe.distillation_seeds) > 1:
            raise UserError(
                f"continual learning distills with one seed, and the recipe has {len(seeds)}",
                f"from  {pipeline.loaded.where('seeds')}",
                fix=f"choose one:  -o seeds={seeds[0]}",
            )
        labels = list(dict.fromkeys(job.label for job in pipeline.jobs))
        for label in methods:
            if label not in labels:
                raise unknown("method in this recipe", label, labels)
        self.jobs = [job for job in pipeline.jobs if not methods or job.label in methods]

    def parts(self, job: Job, steps: list[tuple[int, ...]], upto: int) -> list[StepSet]:
        """Distill the sets of the first steps where they are missing, and load them.

        Args:
            job: Method and ipc.
            steps: Classes that each step brings.
            upto: Number of the last step, from 0, inclusive.

        Returns:
            The sets of the steps 0 to ``upto``.
        """
        return [StepSet(self._distilled(job, classes), classes) for classes in steps[: upto + 1]]

    def _distilled(self, job: Job, classes: tuple[int, ...]) -> SyntheticSet:
        mine = _of_classes(job, classes)
        last = last_candidate(mine.method, mine.folder)
        if not last.exists():
            self._pipeline_of(classes).stages.run(mine, last="distill")
        syn = load_synthetic(last)
        made_from = syn.provenance["identity"]
        now = {**made_from, "real images": subset_fingerprint(self.pipeline.real, classes)}
        require_same(made_from, now, mine.folder)
        return syn

    def _pipeline_of(self, classes: tuple[int, ...]) -> Pipeline:
        """The recipe's stages with these classes for its data."""
        whole = self.pipeline
        of_step = Pipeline(whole.loaded, whole.context)
        of_step.real = only_classes(whole.real, classes, folder=whole.context.home / "data")
        return of_step


def _of_classes(job: Job, classes: tuple[int, ...]) -> Job:
    """The job with folders of its own for these classes."""
    ending = f"of-{fingerprint(list(classes))}"

    def own(folder: Path) -> Path:
        return folder.with_name(f"{folder.name}-{ending}")

    buffer = job.buffer and replace(job.buffer, folder=own(job.buffer.folder))
    return replace(job, folder=own(job.folder), buffer=buffer)


def parts_of_set(syn: SyntheticSet, steps: list[tuple[int, ...]], upto: int, real: RealSet) -> list[StepSet]:
    """Split a set of all classes into those of the first steps.

    Args:
        syn: The set.
        steps: Classes that each step brings.
        upto: Number of the last step, from 0, inclusive.
        real: Real data that the set was distilled from.

    Returns:
        The sets of the steps 0 to ``upto``.

    Raises:
        UserError: The set has another number of classes than the data.
    """
    if syn.classes != real.classes:
        raise UserError(
            f"the set has {syn.classes} classes, {real.name} has {real.classes}",
            fix="give the data set that the set was distilled from",
        )
    return [split_by_class(syn, classes) for classes in steps[: upto + 1]]
