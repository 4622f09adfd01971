"""Augmentation of training batches, on random streams that belong to a network's seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final

import torch
from torch import Tensor

from ddbench.augmentation import Augmentation, Draw, DSAPolicy, LayeredDSA, augmentation
from ddbench.evaluate.training.checkpoint import Stream
from ddbench.randomness import stream


class Augment(Protocol):
    """Images (B, C, H, W) to randomly changed images of the same shape; draws from generators of its own."""

    @property
    def chosen(self) -> Augmentation:
        """Augmentation of the training, without generators."""
        ...

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Generators that it draws from, by name."""
        ...

    def draw(self, count: int, side: int) -> Draw:
        """Draw the augmentation of a batch.

        Args:
            count: Images of the batch.
            side: Pixels along a side.

        Returns:
            The numbers drawn.
        """
        ...

    def __call__(self, images: Tensor, /) -> Tensor: ...


def augment_by(
    name: str, *, mirror: bool, seed: int, device: torch.device, black: Tensor | None = None
) -> Augment | None:
    """Make the augmentation of a protocol's setting, on streams of randomness that belong to a seed.

    Args:
        name: As in ``ddbench.augmentation``.
        mirror: Whether the mirror image of a class is of that class.
        seed: Evaluation seed of the network.
        device: Device of the generator.
        black: (C, 1, 1), what lies outside an image.

    Returns:
        The augmentation; None for "none".
    """
    chosen = augmentation(name, mirror=mirror, black=black)
    if chosen is None:
        return None
    return IndependentAugmentation(
        chosen,
        generator=stream(seed, "evaluation", "augmentation", device=device),
        families=stream(seed, "evaluation", "augmentation family"),
    )


@final
@dataclass(frozen=True, eq=False)
class IndependentAugmentation:
    """An augmentation that draws for itself."""

    chosen: Augmentation
    """Transforms that are applied."""
    generator: torch.Generator
    """Stream of every number but the family."""
    families: torch.Generator
    """Stream of the one of DSA's families that a batch gets, on the CPU."""

    @property
    def streams(self) -> dict[str, torch.Generator]:
        """Generators that it draws from, by name."""
        return {"augmentation": self.generator, "augmentation family": self.families}

    def __call__(self, images: Tensor) -> Tensor:
        return self.chosen.apply(images, self.draw(len(images), images.shape[-1]))

    def draw(self, count: int, side: int) -> Draw:
        """Draw the augmentation of a batch.

        Args:
            count: Images of the batch.
            side: Pixels along a side.

        Returns:
            The numbers drawn, one augmentation an image.
        """
        chosen = self.chosen
        if not isinstance(chosen, DSAPolicy | LayeredDSA):
            return chosen.draw(count, side, self.generator)
        # The family is a decision of the CPU: drawn on the device, it would have to be waited for at every step.
        family = chosen.families[int(torch.randint(len(chosen.families), (), generator=self.families))]
        return chosen.draw_family(family, count, side, self.generator)
