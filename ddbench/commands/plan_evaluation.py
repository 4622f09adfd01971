"""How many networks the evaluation of a recipe trains, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.commands.pipeline import Pipeline


def evaluation_in_words(pipeline: Pipeline) -> str:
    """One sentence: networks that score, that choose among candidates and among learning rates, and teachers."""
    from ddbench.commands.lines import lines_of

    asked, sets = pipeline.recipe.evaluation, sum(len(lines_of(job)) for job in pipeline.jobs)
    epochs, trainings = pipeline.protocol.trained_epochs, sets * len(pipeline.networks) * asked.seeds
    return (
        f"evaluation: {trainings} fresh networks of {epochs} epochs by {asked.protocol}, "
        f"selection by {asked.selection}{_judges(pipeline)}{_searchers(pipeline, sets)}{_teachers(pipeline)}"
    )


def _judges(pipeline: Pipeline) -> str:
    """How many more networks are trained to choose among candidates; nothing where none are."""
    from ddbench.commands.lines import lines_of
    from ddbench.method import OptimisedMethod

    asked, several = pipeline.recipe.evaluation, 0
    for job in pipeline.jobs:
        if isinstance(job.method, OptimisedMethod) and asked.selection != "last":
            every = job.method.keep_every or max(job.method.iterations // 10, 1)
            candidates = -(-job.method.iterations // every)
            several += candidates * len(lines_of(job)) if candidates > 1 else 0
    own = pipeline.protocol.network or pipeline.network
    selecting = {own if entry.pools else entry.network for entry in pipeline.asked}
    judges = several * len(selecting) * asked.selection_seeds
    return f" among {several} candidates with {judges} more networks" if several else ""


def _searchers(pipeline: Pipeline, sets: int) -> str:
    from ddbench.evaluate.rates import RATES

    asked = pipeline.recipe.evaluation
    policies = [asked.lr or (entry.pools[0].lr_policy if entry.pools else "protocol") for entry in pipeline.asked]
    rates = len(asked.rates or RATES)
    searchers = sets * policies.count("search") * rates * asked.selection_seeds
    return f", rates searched among {rates} with {searchers} more networks" if searchers else ""


def _teachers(pipeline: Pipeline) -> str:
    from ddbench.evaluate.protocols import PROTOCOLS

    asked = pipeline.recipe.evaluation.teachers
    if asked is None:
        return ""
    epochs = asked.epochs or PROTOCOLS["real-v1"].trained_epochs
    return f", teachers {', '.join(asked.networks)} of {epochs} epochs on all real images"
