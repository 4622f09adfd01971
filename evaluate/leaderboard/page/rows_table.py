"""Titles and captions of the table of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow, measures_of
from ddbench.evaluate.leaderboard.ranking import GROUP

COLUMNS = (
    ("method", "Method", "text"),
    ("accuracy", "", "number"),
    ("published", "Published, %", "number"),
    ("rank", "Rank", "number"),
    ("dataset", "Dataset", "group"),
    ("ipc", "IPC", "group"),
    ("protocol", "Protocol", "group"),
    ("network", "Network", "group"),
    ("seeds", "Seeds", "number"),
    ("seconds", "Distillation", "number"),
    ("bytes", "Stored", "number"),
    ("per-byte", "Points per kB", "number"),
)
"""Key, title and kind: a group's column orders whole groups, the others order rows inside each group.

The column without a title is called what the rows of the page are ranked by.
"""

_MEASURED = {
    "accuracy": "top-1 accuracy",
    "ROC-AUC": "area under the ROC curve (ROC-AUC)",
    "accuracy or ROC-AUC": "top-1 accuracy, but of graphs the area under the ROC curve (ROC-AUC),",
}

_SPOKEN = {
    "dataset": "data set",
    "test_split": "test split",
    "ipc": "images per class (IPC)",
    "conditions": "conditions (rates, teachers)",
}


def rows_table(shown_rows: Sequence[PageRow]) -> dict[str, Any]:
    """Collect what ``rows.html`` shows besides the rows themselves.

    Args:
        shown_rows: Rows of the page.

    Returns:
        Values by their names in the template.
    """
    measures = measures_of(shown_rows)
    several = len({page_row.measure for page_row in shown_rows}) > 1
    return {
        "columns": COLUMNS,
        "score": "Score, %" if several else f"{measures[:1].upper()}{measures[1:]}, %",
        "several": several,
        "measured_by": _MEASURED[measures],
        "shared": [_SPOKEN.get(key, key) for key in GROUP],
        "graphs": ROC_AUC in measures,
    }
