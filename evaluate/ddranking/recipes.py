"""The recipes of DD-Ranking's tracks, as protocols; a number changes only with a new version.

All take the released defaults that can run: SGD with momentum 0.9 and weight decay 5e-4, batches of 256, 300 epochs,
one drop of the rate to a tenth in the middle, KL at temperature 1.2 for soft labels. The rate is none of their numbers:
it is searched, for every side alike. What differs from the release, and why, stands beside each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from ddbench.evaluate.protocols.protocol import Protocol, ProtocolOverrides

EPOCHS = 300

Track = Literal["hard", "soft"]
LabelMode = Literal["S", "M"]
"""S: the set's own labels, one an image. M: what teachers say of every augmented batch."""

_SOURCE = "NUS-HPC-AI-Lab/DD-Ranking v0.2.0 ddranking/metrics (arXiv:2505.13300)"

# The released default for hard labels is CutMix on images alone, which gives pixels of one class the label of another,
# and its parameters do not run; the project's example for hard labels has DSA. The released step schedule has no
# default length; that example drops once, in the middle. Ours forgets the momentum there, as the protocols of DC do.
HARD = Protocol(
    name="ddranking-hard",
    version=1,
    title="DD-Ranking's hard track: DSA, cross-entropy with classes",
    source=f"{_SOURCE}: hard_label.py, configs/Demo_LRS_Hard_Label.yaml",
    setting=ProtocolOverrides(epochs=EPOCHS, augmentation="dsa"),
    inclusive=False,
)

# Stored labels are of whole images, so that mixed images need mixed labels, which the release does not make: DSA here.
SOFT = Protocol(
    name="ddranking-soft",
    version=1,
    title="DD-Ranking's soft track, mode S: DSA, KL with the one label that is stored for an image",
    source=f"{_SOURCE}: soft_label.py, loss/kl.py",
    setting=ProtocolOverrides(epochs=EPOCHS, augmentation="dsa"),
    inclusive=False,
    loss="kl",
    temperature=1.2,
)

SOFT_M = Protocol(
    name="ddranking-soft-m",
    version=1,
    title="DD-Ranking's soft track, mode M: CutMix, KL with what teachers say of every mixed batch",
    source=f"{_SOURCE}: soft_label.py, loss/kl.py, aug/cutmix.py",
    setting=ProtocolOverrides(epochs=EPOCHS, augmentation="none"),
    inclusive=False,
    mixing="cutmix",
    loss="kl",
    temperature=1.2,
    targets="teacher",
)


def without_augmentation(recipe: Protocol) -> Protocol:
    """A recipe without its augmentation and mixing.

    Args:
        recipe: Protocol of a track.

    Returns:
        A protocol under a name of its own, which ends in ``-plain``.
    """
    return replace(
        recipe,
        name=f"{recipe.name}-plain",
        title=f"{recipe.title}; without augmentation",
        setting=replace(recipe.setting, augmentation="none", mixing=None),
        mixing="none",
    )


RECIPES: Mapping[str, Protocol] = MappingProxyType(
    {made.key: made for recipe in (HARD, SOFT, SOFT_M) for made in (recipe, without_augmentation(recipe))}
)


def recipe_of(track: Track, labels: LabelMode) -> Protocol:
    """Recipe that synthetic and random images are trained by, for IOR.

    Args:
        track: "hard" or "soft".
        labels: Of the soft track: "S" trains on the set's labels, "M" on the teachers' at every step.

    Returns:
        The protocol, augmentation included.
    """
    if track == "hard":
        return HARD
    return SOFT if labels == "S" else SOFT_M


def hard_recipe_of(track: Track) -> Protocol:
    """Recipe that real and synthetic images with hard labels are trained by, for HLR.

    On the soft track that is without augmentation, as the release has it unless ``use_aug_for_hard`` is set.

    Args:
        track: "hard" or "soft".

    Returns:
        The protocol.
    """
    return HARD if track == "hard" else without_augmentation(HARD)
