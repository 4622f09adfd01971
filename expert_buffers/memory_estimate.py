"""Memory that the training of experts takes."""

from __future__ import annotations

from ddbench.data.loader import loader_bytes
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import (
    PENALISED_PER_ACTIVATION,
    TRAINED_PER_ACTIVATION,
    training_bytes,
)
from ddbench.estimates.model_size import Sizes
from ddbench.recipe.experts import ExpertRecipe, SmoothExperts

_GSAM_VECTORS = 5
"""The weights in one vector, both gradients, the weights nearby, and the way there."""


def is_penalised(recipe: ExpertRecipe) -> bool:
    """Tell whether the experts' loss holds a gradient by the images.

    Args:
        recipe: The experts' recipe.

    Returns:
        True for smooth experts with a penalty above 0.
    """
    return isinstance(recipe.optimizer, SmoothExperts) and recipe.optimizer.penalty > 0


def step_bytes(recipe: ExpertRecipe, sizes: Sizes, batch: int, *, stacked: bool = False) -> Estimate:
    """Estimate the peak of one training step of one expert.

    Args:
        recipe: Optimizer with its settings.
        sizes: Sizes of the network and the images.
        batch: Images in the step.
        stacked: Whether it is one of several experts that are trained at once.

    Returns:
        Bytes of the activations, the weights and the batch.
    """
    gsam = _GSAM_VECTORS if recipe.optimizer.kind == "gsam" else 0
    return training_bytes(
        parameters=sizes.parameters,
        activations=sizes.activations,
        batch=batch,
        pixels=sizes.pixels,
        vectors=2 + (recipe.momentum > 0) + (recipe.weight_decay > 0) + gsam,
        per_activation=PENALISED_PER_ACTIVATION if is_penalised(recipe) else TRAINED_PER_ACTIVATION,
        stacked=stacked,
    )


def expert_bytes(
    recipe: ExpertRecipe, epochs: int, sizes: Sizes, images: int, validation: int = 0, *, batch: int
) -> Estimate:
    """Estimate the peak of training one expert.

    Args:
        recipe: Optimizer with its settings.
        epochs: Epochs of the trajectory, which lies on the CPU as it grows, and once more while it is written.
        sizes: Sizes of the network and the images.
        images: Training images, which a CPU holds preprocessed where they are few.
        validation: Images that the expert is tested on.
        batch: Images in a step.

    Returns:
        Bytes of a step, and on a CPU of the trajectory and the images.
    """
    step = step_bytes(recipe, sizes, batch)
    if sizes.device != "cpu":
        return step
    trajectory = 2 * (epochs + 1) * 4 * sizes.parameters
    return step.plus(
        {
            "trajectory": trajectory,
            "images": loader_bytes(images, sizes.pixels) + loader_bytes(validation, sizes.pixels),
        }
    )
