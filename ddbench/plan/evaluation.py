"""Evaluation of a recipe in words: how many networks it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.evaluate.protocols.network_pools import NetworkRequest
    from ddbench.pipeline.jobs import Job
    from ddbench.pipeline.pipeline import Pipeline


def evaluation_in_words(pipeline: Pipeline) -> str:
    """Describe the evaluation of a recipe in a sentence.

    Args:
        pipeline: The recipe.

    Returns:
        Numbers of networks that score, that choose among candidates and among learning rates, and the teachers.
    """
    from ddbench.pipeline.candidate_series import candidate_series

    evaluation, sets = pipeline.recipe.evaluation, sum(len(candidate_series(job)) for job in pipeline.jobs)
    trainings = sets * len(pipeline.networks) * evaluation.seeds
    long = (
        f"{evaluation.steps} steps"
        if evaluation.steps
        else f"{pipeline.protocol.trained_epochs} {pipeline.protocol.unit}"
    )
    return (
        f"evaluation: {trainings} fresh networks of {long} by {evaluation.protocol}, "
        f"selection by {evaluation.selection}{_judges(pipeline)}{_searchers(pipeline, sets)}{_teachers(pipeline)}"
    )


def trainings_of(pipeline: Pipeline, job: Job, network: str) -> int:
    """Count the fresh networks that the sets of a job need: those that score, and those that choose.

    Args:
        pipeline: The recipe.
        job: One of its jobs.
        network: Canonical name of the network that is counted.

    Returns:
        Number of trainings of this network.
    """
    from ddbench.pipeline.candidate_series import candidate_series

    evaluation, sets = pipeline.recipe.evaluation, len(candidate_series(job))
    scoring = pipeline.networks.count(network) * evaluation.seeds
    evaluator = _candidates(pipeline, job) * evaluation.selection_seeds if network in _selecting(pipeline) else 0
    policies = [_policy(pipeline, entry) for entry in pipeline.requests if entry.network == network]
    searching = policies.count("search") * _rates(pipeline) * evaluation.selection_seeds
    return sets * (scoring + evaluator + searching)


def _judges(pipeline: Pipeline) -> str:
    """How many more networks are trained to choose among candidates; nothing where none are."""
    from ddbench.pipeline.candidate_series import candidate_series

    several = sum(_candidates(pipeline, job) * len(candidate_series(job)) for job in pipeline.jobs)
    judges = several * len(_selecting(pipeline)) * pipeline.recipe.evaluation.selection_seeds
    return f" among {several} candidates with {judges} more networks" if several else ""


def _candidates(pipeline: Pipeline, job: Job) -> int:
    """How many candidates of a job are judged; 0 where there is nothing to choose."""
    if not job.method.outer_steps or pipeline.recipe.evaluation.selection == "last":
        return 0
    every = getattr(job.method, "keep_every", None) or max(job.method.outer_steps // 10, 1)
    candidates = -(-job.method.outer_steps // every)
    return candidates if candidates > 1 else 0


def _selecting(pipeline: Pipeline) -> set[str]:
    """The networks that choose among candidates, each for itself."""
    own = pipeline.protocol.network or pipeline.network
    return {own if entry.pools else entry.network for entry in pipeline.requests}


def _searchers(pipeline: Pipeline, sets: int) -> str:
    policies, rates = [_policy(pipeline, entry) for entry in pipeline.requests], _rates(pipeline)
    search_seeds = sets * policies.count("search") * rates * pipeline.recipe.evaluation.selection_seeds
    return f", rates searched among {rates} with {search_seeds} more networks" if search_seeds else ""


def _policy(pipeline: Pipeline, entry: NetworkRequest) -> str:
    return pipeline.recipe.evaluation.lr or (entry.pools[0].lr_policy if entry.pools else "protocol")


def _rates(pipeline: Pipeline) -> int:
    from ddbench.evaluate.lr_search import RATES

    return len(pipeline.recipe.evaluation.rates or RATES)


def _teachers(pipeline: Pipeline) -> str:
    """The teachers that the evaluation, or a method, asks for, each kind once."""
    from ddbench.evaluate.protocols.builtin import protocol
    from ddbench.training.pretrained import is_pretrained

    wanted = [pipeline.recipe.evaluation.teachers, *(job.method.required_teachers() for job in pipeline.jobs)]
    sentences = []
    for recipe in dict.fromkeys(recipe for recipe in wanted if recipe is not None):
        epochs = recipe.epochs or protocol(recipe.protocol).trained_epochs
        trained = [name for name in recipe.networks if not is_pretrained(name)]
        fetched = [name for name in recipe.networks if is_pretrained(name)]
        if trained:
            sentences.append(
                f"teachers {', '.join(trained)} of {epochs} epochs on all real images by {recipe.protocol}"
            )
        if fetched:
            sentences.append(f"published weights {', '.join(fetched)} as teachers")
    return "".join(f", {text}" for text in sentences)
