"""Options that the commands of architecture search share, their recipe, and their choice of processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddbench.errors import UserError

if TYPE_CHECKING:
    from ddbench.data.realset import RealSet
    from ddbench.evaluate.protocols.protocol import Protocol

SpaceName = Annotated[str, typer.Option(metavar="NAME", help="Which networks (ddbench nas spaces).")]
Count = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="So many networks, drawn from the space.  [default: all]", show_default=False
    ),
]
Seeds = Annotated[int, typer.Option(min=1, metavar="N", help="How many trainings of each network.")]
DrawSeed = Annotated[int, typer.Option(min=0, metavar="N", help="The seed of whatever is drawn.")]
Epochs = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Of every training.  [default: nas-v1's 200]", show_default=False)
]
Augment = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of every training, such as none.  [default: nas-v1's dsa]", show_default=False),
]
Part = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Only every N-th network, from the I-th: parts can run at once, in processes of their own, and the same "
        "command without --part puts them together.",
        show_default=False,
    ),
]


def recipe_of(epochs: int | None, augmentation: str | None) -> Protocol:
    """Change the training of ``nas-v1``.

    Args:
        epochs: Epochs of every training; None leaves those of ``nas-v1``.
        augmentation: Name of the augmentation; None leaves that of ``nas-v1``.

    Returns:
        The changed protocol.

    Raises:
        UserError: An unknown augmentation.
    """
    from ddbench.augmentation import augmentation as augmentation_named
    from ddbench.evaluate.nas import recipe

    if augmentation is not None:
        augmentation_named(augmentation)
    return recipe(epochs, augmentation)


def part_of(text: str | None) -> tuple[int, int] | None:
    """Read the option ``--part``.

    Args:
        text: Such as ``2/4``; None is all networks.

    Returns:
        Number of the part, from 1, and number of parts; None for all.

    Raises:
        UserError: Anything else.
    """
    if text is None:
        return None
    first, slash, count = text.partition("/")
    if not (slash and first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise UserError(f"--part {text} is no part of the networks", fix="write it like --part 2/4")
    return int(first), int(count)


def worth_sharing(real: RealSet, protocol: Protocol, networks: Sequence[str], seeds: int) -> bool:
    """Tell whether training all networks on real data is work enough for several processes.

    Args:
        real: Real data.
        protocol: Protocol of every training.
        networks: Names of the networks; the first stands for all.
        seeds: Trainings of each network.

    Returns:
        True above the work from which processes are worth their start.
    """
    from ddbench.estimates.memory import activation_floats
    from ddbench.evaluate.training.worker_count import WORTH_WORKERS
    from ddbench.networks import build_network

    floats = activation_floats(build_network(networks[0], real.shape, seed=0), real.shape)
    trainings = seeds * len(networks)
    return trainings > 1 and floats * len(real.train) * protocol.setting.epochs * trainings > WORTH_WORKERS


def require_ending(path: Path | None, *endings: str) -> None:
    """Require that a file to be written has one of these endings, before anything is trained.

    Args:
        path: The file; None is none.
        *endings: Endings in lower case, such as ``.csv``.

    Raises:
        UserError: It ends otherwise.
    """
    if path is not None and path.suffix.lower() not in endings:
        raise UserError(f"{path} does not end in {' or '.join(endings)}", fix=f"call it {path.stem}{endings[0]}")
