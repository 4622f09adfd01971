"""How many networks the evaluation of a recipe trains, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.commands.pipeline import Pipeline


def evaluation_in_words(pipeline: Pipeline) -> str:
    """One sentence: networks that score, that choose among candidates and among learning rates, and teachers."""
    from ddbench.commands.lines import lines_of

    asked, sets = pipeline.recipe.evaluation, sum(len(lines_of(job)) for job in pipeline.jobs)
    trainings = sets * len(pipeline.networks) * asked.seeds
    long = f"{asked.steps} steps" if asked.steps else f"{pipeline.protocol.trained_epochs} epochs"
    return (
        f"evaluation: {trainings} fresh networks of {long} by {asked.protocol}, "
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
    """The teachers that the evaluation, or a method, asks for, each kind once."""
    from ddbench.evaluate.protocols import protocol
    from ddbench.pretrained import is_pretrained

    wanted = [pipeline.recipe.evaluation.teachers, *(job.method.teachers_wanted() for job in pipeline.jobs)]
    told = []
    for asked in dict.fromkeys(asked for asked in wanted if asked is not None):
        epochs = asked.epochs or protocol(asked.protocol).trained_epochs
        trained = [name for name in asked.networks if not is_pretrained(name)]
        fetched = [name for name in asked.networks if is_pretrained(name)]
        if trained:
            told.append(f"teachers {', '.join(trained)} of {epochs} epochs on all real images by {asked.protocol}")
        if fetched:
            told.append(f"published weights {', '.join(fetched)} as teachers")
    return "".join(f", {text}" for text in told)
