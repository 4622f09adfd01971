"""Checks, before the first network is trained, that a request makes sense and fits the data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ddbench.data.realset import RealSet
from ddbench.errors import UserError, unknown
from ddbench.evaluate.compatibility import check_compatible
from ddbench.evaluate.ddranking.measurement import require_weight
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


def require_question(
    track: str,
    labels: str,
    rates: Sequence[float],
    seeds: Sequence[int],
    searches: int,
    epochs: int | None,
    weight: float,
    ars_weight: float,
    real_accuracy: float | None,
) -> None:
    """Check names and numbers of a measurement.

    Args:
        track: "hard" or "soft".
        labels: Label mode, "S" or "M".
        rates: Learning rates to choose from.
        seeds: Seeds of the runs.
        searches: Networks that each rate is tried with.
        epochs: None is the recipe's.
        weight: Weight of IOR in alpha, against HLR.
        ars_weight: Weight in beta of accuracies with augmentation, against those without.
        real_accuracy: Fraction that real data reach; None has it measured.

    Raises:
        UserError: One of them can not be.
    """
    if track not in ("hard", "soft"):
        raise unknown("track", track, ("hard", "soft"))
    if labels not in ("S", "M"):
        raise unknown("label mode", labels, ("S", "M"), fix="S: the set's own labels; M: the teachers' at every step")
    if not rates or not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise UserError(f"learning rates are positive numbers, not {list(rates)}", fix="for example --rates 0.01,0.1")
    if not seeds or len(set(seeds)) != len(seeds) or searches < 1 or (epochs is not None and epochs < 1):
        raise UserError(
            "there must be at least one run, one search and one epoch, and no seed twice",
            f"seeds {list(seeds)}, searches {searches}, epochs {epochs}",
            fix="give numbers of 1 or more",
        )
    require_weight(weight)
    require_weight(ars_weight)
    if real_accuracy is not None and not 0 <= real_accuracy <= 1:
        raise UserError(
            f"the accuracy on real data is a fraction from 0 to 1, not {real_accuracy:g}",
            fix=f"--real-accuracy {real_accuracy / 100:g}" if 1 < real_accuracy <= 100 else "for example 0.848",
        )


def require_teachers(track: str, teachers: Teachers | None) -> None:
    """Check that there are teachers on the soft track alone.

    Args:
        track: "hard" or "soft".
        teachers: None where there are none.

    Raises:
        UserError: The soft track has none, or the hard track some.
    """
    if track == "hard" and teachers is not None:
        raise UserError("the hard track has no teachers", fix="leave out --teachers, or ask for --track soft")
    if track == "soft" and teachers is None:
        raise UserError(
            "the soft track needs teachers, who label the random images",
            fix="train them (ddbench teach --help) and give them with --teachers FILE, or ask for --track hard",
        )


def require_data(syn: SyntheticSet, real: RealSet, rates: Sequence[float]) -> None:
    """Check that a synthetic set can be compared with the real images.

    Args:
        syn: Synthetic set.
        real: Real set that it was distilled from.
        rates: Learning rates to choose from.

    Raises:
        UserError: Data of another kind, an ipc larger than a class, and no validation to choose rates on.
    """
    check_compatible(syn, real)
    real.require_ipc(syn.ipc)
    if len(set(rates)) > 1 and len(real.validation) == 0:
        raise UserError(
            f"learning rates are chosen on the validation split, and that of {real.name} is empty",
            fix="give one rate, the same for all: --rates 0.01; or hold back a part of the training images",
        )
