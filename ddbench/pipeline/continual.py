"""The points of all curves of a continual evaluation, each found on disk or made when it is reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ddbench.data import RealSet, load_dataset
from ddbench.errors import UserError
from ddbench.evaluate.continual.class_order import class_steps
from ddbench.evaluate.continual.evaluator import ContinualEvaluator
from ddbench.evaluate.continual.step_score import StepScore
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.networks import canonical_network_name
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.continual_files import order_of, parts_of_file
from ddbench.pipeline.continual_sets import AT_ONCE, STEP_BY_STEP, StepByStep, parts_of_set
from ddbench.pipeline.pipeline import Pipeline
from ddbench.pipeline.real_set import real_set_of
from ddbench.synthetic.synthetic_set import load_synthetic

_USUAL = "convnet-d3"
"""The network of the project whose files are read."""
AS_GIVEN = "memories of another project, which say that they were made step by step"


@dataclass(frozen=True, kw_only=True)
class ContinualOptions:
    """Options of a continual evaluation."""

    steps: int
    """Steps that the classes are divided into."""
    orders: int
    """Orders of the classes."""
    networks: int
    """Networks that are trained at each step."""
    network: str | None
    """Name of the network; None is the one distilled with."""
    protocol: Protocol
    """Protocol of each training."""

    def evaluator(self, real: RealSet, context: RunContext, usual: str, seed: int) -> ContinualEvaluator:
        """Make the evaluator of all steps.

        Args:
            real: Real data, on the device that trains.
            context: Home and progress.
            usual: Network that was distilled with, for options that name none.
            seed: Seed of the run; those of the networks follow from it.

        Returns:
            An evaluator with ``networks`` seeds of its own for each seed of a run.
        """
        return ContinualEvaluator(
            real=real,
            home=context.home,
            network=canonical_network_name(self.network or usual, "--network"),
            protocol=self.protocol,
            seeds=tuple(seed * self.networks + number for number in range(self.networks)),
            compute=replace(context.compute, compile="off"),
        )

    def rounds(self, classes: int) -> Iterator[tuple[int, int, list[tuple[int, ...]]]]:
        """Enumerate every step of every class order.

        Args:
            classes: Classes of the whole data set.

        Yields:
            Number of the order, number of the step, and the classes of each step of that order.
        """
        for order in range(self.orders):
            by_step = class_steps(classes, self.steps, order)
            for step in range(self.steps):
                yield order, step, by_step


def recipe_points(
    pipeline: Pipeline, options: ContinualOptions, methods: list[str]
) -> tuple[ContinualEvaluator, Iterator[StepScore]]:
    """Score every method of a recipe, distilled step by step.

    Args:
        pipeline: The recipe.
        options: Steps, orders, network and protocol.
        methods: Only these labels; empty is all.

    Returns:
        The evaluator, and the points, each made when it is reached.
    """
    distiller = StepByStep(pipeline, methods)
    evaluator = options.evaluator(pipeline.real, pipeline.context, pipeline.network, pipeline.recipe.seed)

    def points() -> Iterator[StepScore]:
        for order, step, by_step in options.rounds(evaluator.real.classes):
            for job in distiller.jobs:
                parts = distiller.parts(job, by_step, step)
                yield evaluator.evaluate_step(
                    job.label, job.ipc, parts, order=order, step=step, steps=options.steps, how=STEP_BY_STEP
                )

    return evaluator, points()


def set_points(
    file: Path, options: ContinualOptions, context: RunContext, dataset: str | None, seed: int | None
) -> tuple[ContinualEvaluator, Iterator[StepScore]]:
    """Score one synthetic set of all classes, split by class.

    Args:
        file: File of the set.
        options: Steps, orders, network and protocol.
        context: Home, data root and device.
        dataset: Name under which the real data is found now; None follows the set's recipe.
        seed: Seed of the networks; None is that of the set's recipe, or 0.

    Returns:
        The evaluator, and the points, each made when it is reached.
    """
    syn = load_synthetic(file)
    recipe = syn.provenance.get("recipe") or {}
    real = real_set_of(syn.dataset, recipe, syn.preprocessing["kind"], context, dataset, where=file).to(
        context.compute.device
    )
    evaluator = options.evaluator(real, context, syn.network, recipe.get("seed", 0) if seed is None else seed)
    label = syn.provenance.get("label") or syn.method

    def points() -> Iterator[StepScore]:
        for order, step, by_step in options.rounds(real.classes):
            parts = parts_of_set(syn, by_step, step, real)
            yield evaluator.evaluate_step(
                label, syn.ipc, parts, order=order, step=step, steps=options.steps, how=AT_ONCE
            )

    return evaluator, points()


def file_points(
    files: Sequence[Path], options: ContinualOptions, context: RunContext, dataset: str | None, seed: int | None
) -> tuple[ContinualEvaluator, Iterator[StepScore]]:
    """Score memories of another project, one file a class order; steps and orders are as the files say.

    Args:
        files: Files named ``..._seed{order}.pt``.
        options: Network and protocol; its steps and orders are ignored.
        context: Home, data root and device.
        dataset: Name of the real data; None is an error.
        seed: Seed of the networks; None is 0.

    Returns:
        The evaluator, and the points, each made when it is reached.

    Raises:
        UserError: No data set is named, and as in ``parts_of_file``.
    """
    if dataset is None:
        raise UserError(f"{files[0]} does not say what data it is of", fix="--dataset cifar100")
    real = load_dataset(dataset, home=context.home, data_root=context.data_root, quiet=context.quiet)
    usual = options.network or _USUAL
    evaluator = options.evaluator(real.to(context.compute.device), context, usual, seed or 0)
    memories = {file: parts_of_file(file, real, evaluator.network) for file in files}

    def points() -> Iterator[StepScore]:
        for file, parts in memories.items():
            for step in range(len(parts)):
                syn = parts[step].syn
                yield evaluator.evaluate_step(
                    syn.method,
                    syn.ipc,
                    parts[: step + 1],
                    order=order_of(file),
                    step=step,
                    steps=len(parts),
                    how=AS_GIVEN,
                )

    return evaluator, points()


def bounds(evaluator: ContinualEvaluator, answers: Sequence[StepScore], protocol: Protocol) -> list[StepScore]:
    """Score the upper bound, all real images of the classes so far, at each order and step that has a point.

    Args:
        evaluator: Evaluator of those points.
        answers: Points of memories.
        protocol: Protocol of training on real images.

    Returns:
        One point for each order and step, however many methods have one there.
    """
    places = {(options.order, options.step): options for options in (answer.question for answer in answers)}
    return [
        evaluator.ask_whole_data(options.seen, protocol, order=order, step=step, steps=options.steps)
        for (order, step), options in places.items()
    ]
