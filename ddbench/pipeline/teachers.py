"""Teachers as a recipe asks for them, trained where they are missing."""

from __future__ import annotations

import torch

from ddbench.data import RealSet
from ddbench.evaluate.train_teachers import train_teachers
from ddbench.files.folder_lock import locked
from ddbench.pipeline.context import Place
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.training.teachers import Teachers


def taught(asked: TeachersRecipe, real: RealSet, place: Place, seed: int, device: torch.device) -> Teachers:
    """The teachers of ``real``. Several are kept together in a file as well, so that who verifies a row finds them."""
    folder = place.home / "teachers"
    with locked(folder):
        found = train_teachers(
            real,
            asked.networks,
            folder,
            protocol=asked.protocol,
            epochs=asked.epochs,
            seed=seed,
            device=device,
            progress=place.progress,
            checkpoint_seconds=place.checkpoint_seconds,
            compile=place.compile,
        )
        together = folder / f"{found.fingerprint}.safetensors"
        if len(found.networks) > 1 and not together.exists():
            found.save(together)
        return found
