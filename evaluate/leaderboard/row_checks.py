"""Checks of a row's scores, amounts and texts, what older rows leave out, and removal of paths."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ddbench.files.strict_json import check_document

if TYPE_CHECKING:
    from ddbench.evaluate.leaderboard.row import Row

_MOST = 2**63 - 1


def check_values(row: Row) -> None:
    """Check that scores, rates, times, bytes and counts of a row are possible, and that its texts can be written.

    Args:
        row: Row to check.

    Raises:
        ValueError: There is not one score for each seed, or one is no fraction; a rate is not positive; an amount is
            negative, not finite, or beyond 64 bits; or a text has a zero character or half of a surrogate pair.
    """
    if not row.accuracy:
        raise ValueError("a row needs at least one accuracy")
    if len(row.accuracy) != len(row.seeds):
        raise ValueError(f"{len(row.accuracy)} accuracies for {len(row.seeds)} seeds")
    if row.roc_auc and len(row.roc_auc) != len(row.seeds):
        raise ValueError(f"{len(row.roc_auc)} values of roc_auc for {len(row.seeds)} seeds")
    reported = () if row.reported is None else (row.reported,)
    if not all(0.0 <= value <= 1.0 for value in (*row.accuracy, *row.roc_auc, *reported)):
        raise ValueError(
            "accuracy, roc_auc and reported are fractions in [0, 1], "
            f"not {row.accuracy}, {row.roc_auc} and {row.reported}"
        )
    rates = (*row.lr_tried, *(() if row.lr is None else (row.lr,)))
    if not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise ValueError(f"lr and lr_tried are positive numbers, not {row.lr} and {row.lr_tried}")
    for name in ("seconds", "expert_seconds", "evaluation_seconds"):
        if not (math.isfinite(value := getattr(row, name)) and value >= 0):
            raise ValueError(f"{name} is a finite number of 0 or more, not {value}")
    for name, least, values in (
        ("ipc", 1, (row.ipc,)),
        ("selected_step", 0, () if row.selected_step is None else (row.selected_step,)),
        ("peak_bytes", 0, (row.peak_bytes,)),
        ("bytes", 0, (*row.bytes.values(), row.total_bytes)),
        ("charged", 0, (*row.charged.values(), sum(row.charged.values()))),
        ("label_versions", 1, (row.label_versions,)),
        ("items", 0, () if row.items is None else (row.items,)),
        ("steps", 1, () if row.steps is None else (row.steps,)),
        ("teachers", 0, (*row.teachers.values(), sum(row.teachers.values()))),
        ("seeds", -_MOST, row.seeds),
    ):
        if not all(least <= value <= _MOST for value in values):
            raise ValueError(f"{name} is from {least} to {_MOST}, not {values}")
    check_document(asdict(row))


def inferred_domain(row: Row) -> str:
    """Tell the domain of a row that was written before rows said it: graphs alone had ROC-AUCs.

    Args:
        row: Row of schema 1 or 2.

    Returns:
        ``graphs`` or ``images``.
    """
    return "graphs" if row.roc_auc else "images"


def without_paths(document: Any) -> Any:
    """Shorten every absolute path of a JSON document (also as ``folder:/a/b``) to its last component.

    Args:
        document: Values as JSON has them, or paths.

    Returns:
        A copy without absolute paths.
    """
    if isinstance(document, dict):
        return {key: without_paths(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [without_paths(value) for value in document]
    if isinstance(document, PurePath):
        return document.name
    if isinstance(document, str) and (absolute := _ABSOLUTE.match(document)):
        return absolute["kind"] + re.split(r"[/\\]", document.rstrip("/\\"))[-1]
    return document


_ABSOLUTE = re.compile(r"(?P<kind>(?:[a-z]{2,}:)?)(?:[/\\~]|[A-Za-z]:[/\\])")


def slug(name: str) -> str:
    """Make a name fit for a file.

    Args:
        name: Any name.

    Returns:
        Its letters, digits and marks that every file system takes; "unnamed" where none is left.
    """
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-.") or "unnamed"
