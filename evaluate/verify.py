"""Verification of a row of the leaderboard: the same seeds, trained and tested anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.formatting import percent
from ddbench.evaluate.leaderboard.make_row import synthetic_sha256
from ddbench.evaluate.leaderboard.row import Row
from ddbench.evaluate.score import score
from ddbench.runtime.compile import Choice, missing_requirement
from ddbench.runtime.compute import Compute
from ddbench.runtime.precision import choose_precision
from ddbench.runtime.provenance import device_name, versions
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers

TOLERANCE = 0.02


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Accuracies recorded and measured now, fractions in the order of ``seeds``."""

    seeds: tuple[int, ...]
    """Seeds of the row."""
    recorded: tuple[float, ...]
    """Accuracies of the row."""
    measured: tuple[float, ...]
    """Accuracies measured now."""
    exact: bool
    """True where the same bits can be expected: the same CPU, threads and versions, compiled as the row was."""
    tolerance: float
    """Largest difference of the means that passes where they can not."""

    @property
    def differences(self) -> tuple[float, ...]:
        """Measured minus recorded, one a seed."""
        return tuple(now - then for now, then in zip(self.measured, self.recorded, strict=True))

    @property
    def mean_difference(self) -> float:
        """Measured mean minus recorded mean, a fraction."""
        return fmean(self.differences)

    @property
    def identical(self) -> bool:
        """True where every accuracy came out to the bit."""
        return self.measured == self.recorded

    @property
    def passed(self) -> bool:
        """True for equal bits where these are expected, else for means within the tolerance."""
        return self.identical if self.exact else abs(self.mean_difference) <= self.tolerance

    def as_dict(self) -> dict[str, Any]:
        """The document of ``--format json``.

        Returns:
            The verdict, recorded and measured accuracies as fractions, and their differences.
        """
        return {
            "passed": self.passed,
            "identical": self.identical,
            "exact": self.exact,
            "tolerance": self.tolerance,
            "mean_difference": self.mean_difference,
            "seeds": list(self.seeds),
            "recorded": list(self.recorded),
            "measured": list(self.measured),
            "differences": list(self.differences),
        }

    def text(self) -> str:
        """The text for people.

        Returns:
            One line a seed, and a verdict.
        """
        lines = [
            f"seed {seed}: recorded {percent(then, None)}, now {percent(now, None)} ({100 * (now - then):+.2f})"
            for seed, then, now in zip(self.seeds, self.recorded, self.measured, strict=True)
        ]
        requirement = (
            "the same bits, on the same processor and versions"
            if self.exact
            else f"means within {100 * self.tolerance:g} points, on other hardware or versions"
        )
        outcome = "identical" if self.identical else f"the means differ by {100 * self.mean_difference:+.2f} points"
        return "\n".join([*lines, f"{'verified' if self.passed else 'NOT verified'}: {outcome} (asked: {requirement})"])


def verify(
    row: Row,
    syn: SyntheticSet,
    real: RealSet,
    *,
    compute: Compute = Compute(),
    teachers: Teachers | None = None,
    tolerance: float = TOLERANCE,
) -> Verification:
    """Score ``syn`` as ``row`` says, with the row's seeds, and the rate that was chosen for it, and compare.

    Args:
        row: Row to verify.
        syn: Synthetic set that the row is about.
        real: Real set that the row was tested on.
        compute: How networks are trained and tested; compiled where the row's were, and in the row's precision.
        teachers: Teachers of the row; None where it has none.
        tolerance: Difference of means, a fraction, that passes where the same bits can not be expected.

    Returns:
        Recorded and measured accuracies.

    Raises:
        UserError: The set, or the real data, is not the one that the row is about, and as in ``score``.
    """
    require_same_origin(row, synthetic_sha256(syn), real.fingerprint, teachers.fingerprint if teachers else None)
    device = compute.device
    compile: Choice = "on" if row.compiled and not missing_requirement(device.type) else "off"
    precision = choose_precision(row.precision, device)
    scores = score(
        syn,
        real,
        protocol=row.protocol,
        network=row.network,
        seeds=row.seeds,
        compute=replace(compute, compile=compile, precision=precision),
        lr=row.lr if row.lr_policy == "search" else None,
        steps=row.steps,
        horizon_on="test" if row.selection == "oracle" else "validation",
        teachers=teachers,
    )
    exact = is_exact(row, device, versions()) and scores.compiled == row.compiled
    return compare_accuracies(row, scores.accuracy, exact, tolerance)


def require_same_origin(row: Row, synthetic: str | None, real: str, teachers: str | None = None) -> None:
    """Check that a row is about the set and the data at hand.

    Args:
        row: The row.
        synthetic: Hash of the set; None where there is none.
        real: Fingerprint of the real data.
        teachers: Fingerprint of the networks that label; None where there are none.

    Raises:
        UserError: It is about others.
    """
    for what, recorded, present in (
        ("synthetic set", row.synthetic_sha256, synthetic),
        ("real data", row.real_fingerprint, real),
        ("set of teachers", row.teachers_fingerprint, teachers),
    ):
        if recorded != present:
            raise UserError(
                f"this row is about another {what}",
                f"row   {(recorded or 'none')[:16]} ({row.method}, {row.dataset}, ipc {row.ipc})",
                f"given {(present or 'none')[:16]}",
                fix=f"give the {what} that the row was made from",
            )


def is_exact(row: Row, device: torch.device, libraries: Mapping[str, str]) -> bool:
    """Tell whether the same bits as a row's can be expected.

    Args:
        row: Row of the leaderboard.
        device: Device that trains and tests.
        libraries: Versions by library.

    Returns:
        True on the row's CPU with its versions; never on a GPU.
    """
    return device.type == "cpu" and row.device == device_name(device) and row.versions == libraries


def compare_accuracies(
    row: Row, measured: tuple[float, ...], exact: bool, tolerance: float = TOLERANCE
) -> Verification:
    """Compare the accuracies of a row with those that were measured anew.

    Args:
        row: Row of the leaderboard.
        measured: Accuracies, fractions, one a seed in the row's order.
        exact: Whether the same bits are expected.
        tolerance: Difference of means, a fraction, that passes where they are not.

    Returns:
        The comparison, with its verdict.
    """
    return Verification(seeds=row.seeds, recorded=row.accuracy, measured=measured, exact=exact, tolerance=tolerance)
