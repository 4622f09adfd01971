"""What is asked of a recipe before its first second is spent."""

from __future__ import annotations

from collections.abc import Iterable

from ddbench.commands.jobs import Job
from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.pools import expanded
from ddbench.evaluate.protocols import Protocol
from ddbench.method import OptimisedMethod
from ddbench.networks import build_network, canonical_network_name
from ddbench.recipe import LoadedRecipe


def refuse_selection_without_images(loaded: LoadedRecipe, jobs: Iterable[Job]) -> None:
    """Errors: UserError where anything is to be chosen on a validation split that the recipe leaves empty."""
    asked = loaded.recipe.evaluation
    if loaded.recipe.validation:
        return
    if asked.selection == "validation" and any(isinstance(job.method, OptimisedMethod) for job in jobs):
        raise UserError(
            "selection is by validation, but there are no validation images",
            f"from  {loaded.where('validation')}",
            fix="set validation: 0.1, or choose with evaluation.selection: last",
        )
    if asked.lr == "search":
        raise UserError(
            "learning rates are searched on validation, but there are no validation images",
            f"from  {loaded.where('validation')}",
            fix="set validation: 0.1, or evaluation.lr: protocol",
        )


def refuse_protocol_without_teachers(loaded: LoadedRecipe, protocol: Protocol, jobs: Iterable[Job]) -> None:
    """Errors: UserError where labels are to come from teachers, and the recipe names none, or unknown ones."""
    asked = loaded.recipe.evaluation
    hard = [job.label for job in jobs if not job.method.soft_labels()]
    if asked.teachers is None and (protocol.targets == "teacher" or (protocol.loss == "kl" and hard)):
        whose = "labels of teachers" if protocol.targets == "teacher" else f"soft labels, which {hard[0]} has not"
        raise UserError(
            f"{protocol.key} trains on {whose}, and the recipe names no teachers",
            f"from  {loaded.where('evaluation', 'protocol')}",
            fix="for example  -o 'evaluation.teachers={networks: resnet18-bn, epochs: 200}'",
        )
    for number, name in enumerate(asked.teachers.networks if asked.teachers else ()):
        canonical_network_name(name, loaded.where("evaluation", "teachers", "networks", number))


def require_networks_fit(loaded: LoadedRecipe, real: RealSet, student: str) -> None:
    """Errors: UserError for a network that does not take these images; asked before anything is trained."""
    asked = loaded.recipe.evaluation
    named: list[tuple[str, tuple[str | int, ...]]] = [(student, ("network",))]
    for number, name in enumerate(asked.networks):
        named += [(entry.network, ("evaluation", "networks", number)) for entry in expanded([name], student)]
    for number, name in enumerate(asked.teachers.networks if asked.teachers else ()):
        named.append((name, ("evaluation", "teachers", "networks", number)))
    for name, key in named:
        try:
            build_network(name, channels=real.channels, size=real.size, classes=real.classes, seed=0)
        except UserError as error:
            raise error.at(loaded.where(*key)) from None
