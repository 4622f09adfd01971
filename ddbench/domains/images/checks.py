"""Checks of a recipe before its first second is spent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.protocols.builtin import Protocol, teaching_protocol
from ddbench.evaluate.protocols.network_pools import expanded
from ddbench.evaluate.train_teachers import checked_teachers
from ddbench.networks import build_network
from ddbench.pipeline.jobs import Job
from ddbench.recipe.recipe import LoadedRecipe
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.training.pretrained import canonical_teacher


def refuse_selection_without_images(loaded: LoadedRecipe, protocol: Protocol, jobs: Iterable[Job]) -> None:
    """Require a validation split where anything is chosen on one.

    Args:
        loaded: The recipe.
        protocol: Its evaluation protocol.
        jobs: Its jobs.

    Raises:
        UserError: The recipe chooses candidates, learning rates or numbers of steps by validation, and leaves the split
            empty.
    """
    evaluation = loaded.recipe.evaluation
    if loaded.recipe.validation:
        return
    if evaluation.selection == "validation" and any(job.method.outer_steps for job in jobs):
        raise UserError(
            "selection is by validation, but there are no validation images",
            f"from  {loaded.where('validation')}",
            fix="set validation: 0.1, or choose with evaluation.selection: last",
        )
    if protocol.horizons and evaluation.steps is None and evaluation.selection != "oracle":
        raise UserError(
            f"{protocol.key} chooses the number of steps on validation, but there are no validation images",
            f"from  {loaded.where('validation')}",
            fix=f"set validation: 0.1, or the number:  -o evaluation.steps={protocol.horizons[-1]}",
        )
    if evaluation.lr == "search":
        raise UserError(
            "learning rates are searched on validation, but there are no validation images",
            f"from  {loaded.where('validation')}",
            fix="set validation: 0.1, or evaluation.lr: protocol",
        )


def refuse_protocol_without_teachers(loaded: LoadedRecipe, protocol: Protocol, jobs: Iterable[Job]) -> None:
    """Require known teachers where labels come from teachers.

    Args:
        loaded: The recipe.
        protocol: Its evaluation protocol.
        jobs: Its jobs.

    Raises:
        UserError: The recipe names none, or unknown ones.
    """
    evaluation = loaded.recipe.evaluation
    hard = [job.label for job in jobs if not job.method.soft_labels()]
    if evaluation.teachers is None and (protocol.targets == "teacher" or (protocol.loss == "kl" and hard)):
        whose = "labels of teachers" if protocol.targets == "teacher" else f"soft labels, which {hard[0]} has not"
        raise UserError(
            f"{protocol.key} trains on {whose}, and the recipe names no teachers",
            f"from  {loaded.where('evaluation', 'protocol')}",
            fix="for example  -o 'evaluation.teachers={networks: resnet18-bn, epochs: 200}'",
        )
    for whose, teachers in _teachers(loaded, jobs):
        teaching_protocol(teachers.protocol, loaded.where(*whose, "protocol"))
        for number, name in enumerate(teachers.networks):
            canonical_teacher(name, loaded.where(*whose, "networks", number))


def _teachers(loaded: LoadedRecipe, jobs: Iterable[Job]) -> Iterator[tuple[tuple[str, ...], TeachersRecipe]]:
    """The teachers that the evaluation and methods ask for, with the keys under which they stand."""
    if loaded.recipe.evaluation.teachers is not None:
        yield ("evaluation", "teachers"), loaded.recipe.evaluation.teachers
    for job in jobs:
        if (wanted := job.method.required_teachers()) is not None:
            yield ("methods", job.label, "teachers"), wanted


def require_networks_fit(loaded: LoadedRecipe, real: RealSet, student: str, jobs: Iterable[Job]) -> None:
    """Require that all networks and teachers take the images, before any is trained.

    Args:
        loaded: The recipe.
        real: Its data.
        student: Canonical name of the student.
        jobs: Its jobs, whose methods may need teachers.

    Raises:
        UserError: One does not; it names the key of the recipe.
    """
    evaluation = loaded.recipe.evaluation
    named: list[tuple[str, tuple[str | int, ...]]] = [(student, ("network",))]
    for number, name in enumerate(evaluation.networks):
        named += [(entry.network, ("evaluation", "networks", number)) for entry in expanded([name], student)]
    for name, key in named:
        try:
            build_network(name, real.shape, seed=0)
        except UserError as error:
            raise error.at(loaded.where(*key)) from None
    for whose, teachers in _teachers(loaded, jobs):
        checked_teachers(teachers.networks, real, partial(_network_location, loaded, whose))


def require_methods_fit(loaded: LoadedRecipe, real: RealSet, jobs: Iterable[Job]) -> None:
    """Require that the methods' settings work with the data, before anything is trained.

    Args:
        loaded: The recipe.
        real: Its data.
        jobs: Its jobs.

    Raises:
        UserError: One does not; it names the key of the recipe.
    """
    for job in jobs:
        try:
            job.method.validate_data(real, job.ipc)
        except UserError as error:
            raise error.at(loaded.where("methods", job.label)) from None


def _network_location(loaded: LoadedRecipe, whose: tuple[str, ...], number: int) -> str:
    return loaded.where(*whose, "networks", number)
