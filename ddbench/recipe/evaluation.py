"""Evaluation settings of a recipe: protocol, networks, and how a set is chosen among candidates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ddbench.recipe.bounds import MOST_SEEDS, MOST_STEPS
from ddbench.recipe.settings import Count, Positive, Settings
from ddbench.recipe.teachers import TeachersRecipe, one_or_more

Called = Annotated[str, Field(max_length=1000)]
"""The name of a network, a protocol, an augmentation."""


class EvaluationRecipe(Settings):
    """Settings by which synthetic sets are scored."""

    protocol: Called = "mtt-v1"
    """How networks are trained on a set; ``ddbench protocols`` lists the versions."""
    networks: Annotated[tuple[Called, ...], BeforeValidator(one_or_more), Field(max_length=1000)] = ()
    """Networks trained on the set, or pools of them (mtt-pool); empty means the network it was distilled with."""
    lr: Literal["protocol", "search"] | None = None
    """Where the learning rate comes from: the protocol (or the set, where the protocol takes a learned one), or a
    search on validation, the same for every method. None leaves it to the pool, else to the protocol."""
    rates: Annotated[tuple[Positive, ...], Field(max_length=1000)] | None = None
    """What a search tries; None means 0.001, 0.005, 0.01, 0.05, 0.1."""
    steps: Annotated[Count, Field(le=MOST_STEPS)] | None = None
    """Optimizer steps that every network is trained with, the protocol's schedule stretched over them, so that sets of
    all sizes take equal ones; None leaves it to the protocol, which counts epochs."""
    teachers: TeachersRecipe | None = None
    """Who label, under a protocol that needs teachers."""
    seeds: Annotated[Count, Field(le=MOST_SEEDS)] = 5
    """How many fresh networks of each kind are trained and scored on test."""
    selection: Literal["last", "validation", "oracle"] = "validation"
    """Which outer step's set is scored: the last; the best on validation; the best on TEST (biased, and marked)."""
    selection_seeds: Annotated[Count, Field(le=MOST_SEEDS)] = 2
    """How many fresh networks judge each candidate during selection."""
