"""The leaderboard: rows compared where they can be compared, published numbers beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from ddbench.evaluate.leaderboard.over_seeds import over_seeds, settings_of
from ddbench.evaluate.leaderboard.published import ORIGINAL, look_up
from ddbench.evaluate.leaderboard.row import Row
from ddbench.evaluate.leaderboard.test_split import test_split_names

GROUP = ["dataset", "test_split", "ipc", "protocol", "network", "conditions"]
"""Rows are ranked against each other only where all of these are equal."""


def entries(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Describe each row as one flat object.

    Args:
        rows: Of any data sets. What one row is called by depends on the others: ``test_split`` tells apart what stands
            behind one data set's name, and ``over_seeds`` is about all rows of its ``setting``.

    Returns:
        One object a row, in order. Accuracies and ROC-AUC are fractions, times seconds; ``published`` is None where
        none is known; ``metric`` says what ``score_mean`` and ``score_std`` are of.
    """
    splits = test_split_names(rows)
    settings = settings_of(rows, splits)
    runs: dict[str, list[Row]] = {}
    for row, setting in zip(rows, settings, strict=True):
        runs.setdefault(setting, []).append(row)
    summaries = {
        setting: over_seeds(sorted(same_setting, key=lambda row: row.made_with_seed or 0))
        for setting, same_setting in runs.items()
    }
    return [
        {**_entry(row), "test_split": split, "setting": setting, "over_seeds": summaries[setting]}
        for row, split, setting in zip(rows, splits, settings, strict=True)
    ]


def _entry(row: Row) -> dict[str, Any]:
    published, std, source = _reference_values(row)
    computed = {
        "metric": "roc-auc" if row.roc_auc else "accuracy",
        "bytes": row.total_bytes,
        "bytes_by_part": row.bytes,
        "published": published,
        "published_std": std,
        "published_source": source,
        "tested_on": None if row.tested_on is None else asdict(row.tested_on),
        "distillation_seed": row.made_with_seed,
    }
    own = [name for name in _COLUMNS if name not in _OF_ALL_ROWS]
    return {name: _as_json(computed[name] if name in computed else getattr(row, name)) for name in own}


def _as_json(value: Any) -> Any:
    """A value of a row as JSON has it."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _reference_values(row: Row) -> tuple[float | None, float | None, str | None]:
    published = look_up(row.method, row.dataset, row.ipc, row.network, row.protocol, row.tested_on)
    if published is not None:
        original = ORIGINAL.get(row.dataset)
        return published.accuracy, published.std, published.source + (f" (for {original})" if original else "")
    if row.reported is not None:
        return row.reported, None, "reported in the row"
    return None, None, None


def leaderboard(rows: Sequence[Row]) -> pd.DataFrame:
    """Order rows for comparison: grouped by what was tested on, ipc, protocol and network; highest mean first.

    Args:
        rows: Of any settings.

    Returns:
        One line a row, with the keys of :func:`entries` and ``best``. Rows of one setting, which differ in the
        distillation seed alone, stand together and are ranked by the mean over them: of ROC-AUC where graphs are
        classified, else of accuracy. ``best`` marks the first setting of a group with rivals. Rows chosen on the test
        split (selection "oracle") stand below all others and are never best; nor are those that are ``unranked``.
    """
    table = pd.DataFrame(entries(rows), columns=_COLUMNS)
    optional = ("published", "published_std", "lr", "accuracy_per_byte")
    counts = dict.fromkeys(("selected_step", "items", "steps", "distillation_seed"), "Int64")
    table = table.astype({**counts, **dict.fromkeys(optional, float)})
    if table.empty:
        return table.assign(best=pd.Series(dtype=bool))
    table = table.assign(
        oracle=table["selection"] == "oracle",
        setting_mean=[summary["score"]["mean"] for summary in table["over_seeds"]],
    )
    names = ["dataset", "test_split", "protocol", "network", "conditions", "ipc", "oracle"]
    further = ["method", "label", "setting", "distillation_seed"]
    table = table.sort_values(
        [*names, "setting_mean", *further],
        ascending=[*(True for _ in names), False, *(True for _ in further)],
        kind="stable",
        ignore_index=True,
    )
    rivals = table.loc[~table["oracle"] & (table["unranked"] == "")].drop_duplicates([*GROUP, "setting"])
    first = rivals.loc[~rivals.duplicated(GROUP) & rivals.duplicated(GROUP, keep=False), "setting"]
    return table.drop(columns=["oracle", "setting_mean"]).assign(best=table["setting"].isin(first.tolist()))


_COLUMNS = [
    *(key for key in GROUP if key != "test_split"),
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
    "test_split",
    "tested_on",
    "distillation_seed",
    "setting",
    "over_seeds",
    "unranked",
    "note",
]

_OF_ALL_ROWS = ("test_split", "setting", "over_seeds")
"""Columns that follow from all rows together; the rest are attributes of a row, or computed from it."""
