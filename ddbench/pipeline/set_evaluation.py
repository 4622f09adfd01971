"""Evaluation of the synthetic set of a file: what the command asks for, and what is then scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import UserError
from ddbench.evaluate.protocols.network_pools import NetworkRequest

if TYPE_CHECKING:
    from ddbench.evaluate.leaderboard.row import RowSelection
    from ddbench.pipeline.context import RunContext
    from ddbench.pipeline.domain import Domain
    from ddbench.pipeline.evaluator import Evaluator
    from ddbench.synthetic.recorded import RecordedRecipe


@dataclass(frozen=True, kw_only=True)
class SetOptions:
    """Options of scoring a set; each takes precedence over the recipe that made it."""

    protocol: str | None = None
    """Name of the protocol."""
    networks: Sequence[str] = ()
    """Names of networks, or pools."""
    seeds: int | None = None
    """Number of fresh networks."""
    seed: int | None = None
    """Seed from which those of the networks follow."""
    dataset: str | None = None
    """Name under which the real data is found now."""
    lr: Any = None
    """Of images: ``protocol`` or ``search``."""
    teachers: Path | None = None
    """Of images: file of networks that label."""
    validation: float | None = None
    """Of images: share of the training images to choose on, where the set was not made with any."""

    def refuse_image_options(self, data: str) -> None:
        """Check that no option is given that is about images alone.

        Args:
            data: What the set holds, other than images.

        Raises:
            UserError: One is given.
        """
        for name in ("lr", "teachers", "validation"):
            if getattr(self, name) is not None:
                raise UserError(f"--{name} is about images, and this is a set of {data}", fix=f"leave --{name} out")


@dataclass(frozen=True)
class SetEvaluation:
    """A set that is about to be scored."""

    syn: Any
    """The set, with what the evaluation changes in its provenance."""
    evaluator: Evaluator
    """Scores it."""
    requests: Sequence[NetworkRequest]
    """Networks, one row each."""
    selection: RowSelection
    """How the set was chosen."""
    note: str = ""
    """What a reader of the rows must know."""


def evaluation_seeds(options: SetOptions, recipe: RecordedRecipe) -> list[int]:
    """Seeds of the networks that score the set of a file.

    Args:
        options: Options of the command.
        recipe: Recipe inside the file.

    Returns:
        One seed per network.
    """
    count = options.seeds or recipe.evaluation.seeds
    first = recipe.seed if options.seed is None else options.seed
    return [first * count + number for number in range(count)]


def evaluation_as_recorded(
    domain: Domain, syn: Any, recipe: RecordedRecipe, options: SetOptions, context: RunContext, file: Path
) -> SetEvaluation:
    """Make ready to score the set of a file as its recipe says, in a domain without further options.

    Args:
        domain: Domain of the set.
        syn: The set.
        recipe: Recipe inside its file.
        options: Options of the command.
        context: Home, device, progress.
        file: The file, for errors.

    Returns:
        The set, its evaluator and the networks.

    Raises:
        UserError: An option that is about images alone, or a name or the data is wrong.
    """
    options.refuse_image_options(domain.name)
    context.executors.refuse(f"a set of {domain.name}")
    recorded = recipe.evaluation
    protocol_name = recorded.protocol if "protocol" in recorded.model_fields_set else None
    names = [domain.network(name) for name in options.networks or recorded.networks or [domain.usual_network]]
    evaluator = domain.evaluator(
        protocol=domain.protocol(options.protocol or protocol_name),
        real=domain.real_of_set(syn.dataset, recipe, syn, context, options.dataset, file),
        compute=context.compute,
        results=context.results,
        seeds=evaluation_seeds(options, recipe),
    )
    return SetEvaluation(syn, evaluator, [NetworkRequest(name) for name in names], "validation")
