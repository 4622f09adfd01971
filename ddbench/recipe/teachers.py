"""Teacher settings of a recipe: networks, and the protocol that trains them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ddbench.recipe.settings import Count, Settings


def one_or_more(value: Any) -> Any:
    """Let a recipe write one value where a list may stand.

    Args:
        value: As YAML gives it.

    Returns:
        A list as it is; anything else as a tuple of one.
    """
    return value if isinstance(value, list | tuple) else (value,)


class TeachersRecipe(Settings):
    """Networks that know the whole training split, who label what fresh networks see."""

    networks: Annotated[tuple[str, ...], BeforeValidator(one_or_more), Field(min_length=1)] = ("resnet18-bn",)
    """Networks to train, or pretrained ones by their weights, as torchvision:resnet18@IMAGENET1K_V1."""
    epochs: Count | None = None
    """None means those of the protocol."""
    protocol: str = "real-v1"
    """How they are trained: real-v1, or squeeze-v1 as decoupled methods do."""
