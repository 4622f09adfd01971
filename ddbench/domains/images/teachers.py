"""Teachers as a recipe asks for them, trained where they are missing, and those of a row."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import Row
from ddbench.evaluate.train_teachers import train_teachers
from ddbench.files.folder_lock import locked
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.runtime.compute import Compute
from ddbench.training.teachers import Teachers, load_teachers


def get_teachers(recipe: TeachersRecipe, real: RealSet, home: Path, seed: int, compute: Compute) -> Teachers:
    """Train the teachers of a recipe where they are missing. Several are saved in one file as well, for verification.

    Args:
        recipe: Networks, protocol and epochs.
        real: Real data that they are trained on.
        home: The home, under which they lie.
        seed: Seed of their trainings.
        compute: How they are trained.

    Returns:
        The teachers.
    """
    folder = home / "teachers"
    with locked(folder):
        teachers = train_teachers(
            real,
            recipe.networks,
            folder,
            protocol=recipe.protocol,
            epochs=recipe.epochs,
            seed=seed,
            compute=compute,
        )
        together = folder / f"{teachers.fingerprint}.safetensors"
        if len(teachers.networks) > 1 and not together.exists():
            teachers.save(together)
        return teachers


def teachers_of(row: Row, given: Path | None, home: Path) -> Teachers | None:
    """Load the teachers that labeled for a row.

    Args:
        row: The row.
        given: Their file; None looks for them under HOME/teachers by their fingerprint.
        home: The home.

    Returns:
        The teachers; None for a row without any.

    Raises:
        UserError: The row had teachers, and they are not there.
    """
    if not row.teachers:
        return None
    if given is not None:
        return load_teachers(given)
    for path in sorted((home / "teachers").glob("*.safetensors")):
        with suppress(UserError):  # a damaged file is no reason to look no further
            if (teachers := load_teachers(path)).fingerprint == row.teachers_fingerprint:
                return teachers
    raise UserError(
        f"the teachers that labeled for this row are not under {home / 'teachers'}",
        *(f"teacher {name}" for name in row.teachers),
        fix="give them with --teachers FILE",
    )
