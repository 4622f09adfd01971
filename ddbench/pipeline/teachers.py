"""Teachers as a recipe asks for them, trained where they are missing."""

from __future__ import annotations

import torch

from ddbench.data import RealSet
from ddbench.evaluate.train_teachers import train_teachers
from ddbench.files.folder_lock import locked
from ddbench.pipeline.context import RunContext
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.training.teachers import Teachers


def get_teachers(
    recipe: TeachersRecipe, real: RealSet, context: RunContext, seed: int, device: torch.device
) -> Teachers:
    """The teachers of ``real``. Several are kept together in a file as well, so that who verifies a row finds them."""
    folder = context.home / "teachers"
    with locked(folder):
        found = train_teachers(
            real,
            recipe.networks,
            folder,
            protocol=recipe.protocol,
            epochs=recipe.epochs,
            seed=seed,
            device=device,
            progress=context.progress,
            checkpoint_seconds=context.checkpoint_seconds,
            compile=context.compile,
        )
        together = folder / f"{found.fingerprint}.safetensors"
        if len(found.networks) > 1 and not together.exists():
            found.save(together)
        return found
