"""Time that the stages of a recipe take on this device, from a few of their steps."""

from __future__ import annotations

from functools import cache

from ddbench.distillation.method import OptimizedMethod
from ddbench.pipeline.candidate_series import candidate_series
from ddbench.pipeline.dataset_sizes import DatasetFacts
from ddbench.pipeline.jobs import BufferSpec, Job
from ddbench.pipeline.pipeline import Pipeline
from ddbench.plan.evaluation import trainings_of
from ddbench.plan.memory import training_config_of
from ddbench.plan.time_distillation import TimingSetup, outer_step_seconds
from ddbench.plan.time_training import evaluation_seconds, expert_seconds

MOST_DRAWN = 2 * 10**9
"""Bytes of noise that is drawn in the stead of the real images."""


class Times:
    """Seconds of the stages of a recipe, one process at work. A step that was timed once is not timed again.

    Args:
        pipeline: The recipe.
        facts: Counts of its data.
    """

    def __init__(self, pipeline: Pipeline, facts: DatasetFacts) -> None:
        self.pipeline, self.facts = pipeline, facts
        self._evaluation_of = cache(self._evaluation_at)

    def _stage(self, network: str) -> TimingSetup:
        facts, pipeline = self.facts, self.pipeline
        return TimingSetup(
            network=network,
            shape=facts.shape,
            compute=pipeline.compute.on(pipeline.compute.device),
        )

    def experts(self, need: BufferSpec, missing: int) -> float:
        """Estimate the time of training the experts of a buffer that are missing.

        Args:
            need: The buffer that the recipe wants.
            missing: Number of experts to train.

        Returns:
            Seconds of all of them, one after the other.
        """
        if not missing:
            return 0.0
        facts, stage = self.facts, self._stage(self.pipeline.network)
        return missing * expert_seconds(need.recipe, need.epochs, facts.images, facts.validation, missing, stage)

    def distillation(self, job: Job) -> float | None:
        """Estimate the time of a job's outer steps.

        Args:
            job: The job.

        Returns:
            Seconds; None for a method without an outer loop, and where a method that draws from the real images would
            have more of them drawn than ``MOST_DRAWN``.
        """
        method, facts = job.method, self.facts
        if not isinstance(method, OptimizedMethod):
            return None
        drawn = facts.images if method.with_inner_steps(1) is None else 0
        if drawn * facts.shape.pixels > MOST_DRAWN:
            return None
        return method.iterations * outer_step_seconds(method, job.ipc, self._stage(self.pipeline.network), drawn)

    def evaluation(self, network: str) -> float | None:
        """Estimate the time of all fresh networks of one kind, those included that choose.

        Args:
            network: Canonical name of the network.

        Returns:
            Seconds; None where teachers would have to label.
        """
        if self.pipeline.protocol.targets == "teacher":
            return None
        every = [(job, trainings_of(self.pipeline, job, network)) for job in self.pipeline.jobs]
        return sum(number * self._evaluation_of(network, job.ipc, self._twice(job)) for job, number in every)

    def _twice(self, job: Job) -> bool:
        """Whether networks are first warmed up on images that come with the set."""
        return self.pipeline.protocol.warm_up and len(candidate_series(job)) > 1

    def _evaluation_at(self, network: str, ipc: int, twice: bool) -> float:
        facts, evaluation = self.facts, self.pipeline.recipe.evaluation
        config, images = training_config_of(self.pipeline, network, facts, ipc), facts.shape.classes * ipc
        seen = (1 + twice) * (
            evaluation.steps * min(config.batch, images) if evaluation.steps else config.images_seen(images)
        )
        stage = self._stage(network)
        return evaluation_seconds(
            self.pipeline.protocol, config, images, seen, facts.test_images, evaluation.seeds, stage
        )
