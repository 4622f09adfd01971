"""The leaderboard: rows compared where they can be compared, published numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ddbench.evaluate.published import ORIGINAL, look_up
from ddbench.evaluate.rows import Row

GROUP = ["dataset", "ipc", "protocol", "network", "conditions"]
"""Rows are ranked against each other only where all of these are equal."""


def entry(row: Row) -> dict[str, Any]:
    """A row as one flat object. Accuracies and ROC-AUC are fractions, times seconds; published is None where none is
    known. metric says what score_mean and score_std are of."""
    published, std, source = _beside(row)
    return {
        "dataset": row.dataset,
        "ipc": row.ipc,
        "protocol": row.protocol,
        "network": row.network,
        "conditions": row.conditions,
        "method": row.method,
        "label": row.label,
        "student": row.student,
        "selection": row.selection,
        "selected_step": row.selected_step,
        "accuracy": list(row.accuracy),
        "accuracy_mean": row.accuracy_mean,
        "accuracy_std": row.accuracy_std,
        "roc_auc": list(row.roc_auc),
        "metric": "roc-auc" if row.roc_auc else "accuracy",
        "score_mean": row.score_mean,
        "score_std": row.score_std,
        "seeds": list(row.seeds),
        "seconds": row.seconds,
        "expert_seconds": row.expert_seconds,
        "evaluation_seconds": row.evaluation_seconds,
        "peak_bytes": row.peak_bytes,
        "bytes": row.total_bytes,
        "bytes_by_part": dict(row.bytes),
        "charged": dict(row.charged),
        "items": row.items,
        "steps": row.steps,
        "label_versions": row.label_versions,
        "teachers": dict(row.teachers),
        "accuracy_per_byte": row.accuracy_per_byte,
        "lr": row.lr,
        "lr_policy": row.lr_policy,
        "lr_tried": list(row.lr_tried),
        "pool": row.pool,
        "device": row.device,
        "code": row.code,
        "synthetic_sha256": row.synthetic_sha256,
        "published": published,
        "published_std": std,
        "published_source": source,
        "note": row.note,
    }


def _beside(row: Row) -> tuple[float | None, float | None, str | None]:
    found = look_up(row.method, row.dataset, row.ipc, row.network, row.protocol)
    if found is not None:
        original = ORIGINAL.get(row.dataset)
        return found.accuracy, found.std, found.source + (f" (for {original})" if original else "")
    if row.reported is not None:
        return row.reported, None, "reported in the row"
    return None, None, None


def leaderboard(rows: Sequence[Row]) -> pd.DataFrame:
    """One line a row, grouped by data set, ipc, protocol and network; within a group the highest mean comes
    first: of ROC-AUC where graphs are classified, else of accuracy.

    Besides the keys of :func:`entry` there is ``best``: the first of a group with rivals. Rows chosen on the test split
    (selection "oracle") stand below all others, whatever their accuracy, and are never best.
    """
    table = pd.DataFrame([entry(row) for row in rows], columns=_COLUMNS)
    optional = ("published", "published_std", "lr", "accuracy_per_byte")
    counts = dict.fromkeys(("selected_step", "items", "steps"), "Int64")
    table = table.astype({**counts, **dict.fromkeys(optional, float)})
    if table.empty:
        return table.assign(best=pd.Series(dtype=bool))
    table = table.assign(oracle=table["selection"] == "oracle")
    table = table.sort_values(
        ["dataset", "protocol", "network", "conditions", "ipc", "oracle", "score_mean", "method", "label"],
        ascending=[True, True, True, True, True, True, False, True, True],
        kind="stable",
        ignore_index=True,
    )
    honest = table.loc[~table["oracle"]]
    first = ~honest.duplicated(GROUP) & honest.duplicated(GROUP, keep=False)
    return table.drop(columns="oracle").assign(best=first.reindex(table.index, fill_value=False))


_COLUMNS = [
    *GROUP,
    "method",
    "label",
    "student",
    "selection",
    "selected_step",
    "accuracy",
    "accuracy_mean",
    "accuracy_std",
    "roc_auc",
    "metric",
    "score_mean",
    "score_std",
    "seeds",
    "seconds",
    "expert_seconds",
    "evaluation_seconds",
    "peak_bytes",
    "bytes",
    "bytes_by_part",
    "charged",
    "items",
    "steps",
    "label_versions",
    "teachers",
    "accuracy_per_byte",
    "lr",
    "lr_policy",
    "lr_tried",
    "pool",
    "device",
    "code",
    "synthetic_sha256",
    "published",
    "published_std",
    "published_source",
    "note",
]
