"""The published numbers that stand beside the rows of a page, also those of methods that have no row there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbench.evaluate.leaderboard.page.page_rows import PageRow
from ddbench.evaluate.leaderboard.published import ORIGINAL, is_as_published, published_numbers


def published_points(page_rows: Sequence[PageRow]) -> list[dict[str, Any]]:
    """Published numbers for the data sets and networks of a page.

    Args:
        page_rows: Rows of the page; those tested on other images than papers print numbers of do not count.

    Returns:
        One object a number: dataset and network as the rows call them, method, ipc, accuracy, std, source.
    """
    known = published_numbers().values()
    honest = (page_row.row for page_row in page_rows if is_as_published(page_row.row.dataset, page_row.row.tested_on))
    wanted = sorted({(row.dataset, row.network) for row in honest})
    return [
        {
            "dataset": dataset,
            "network": network,
            "method": number.method,
            "ipc": number.ipc,
            "accuracy": number.accuracy,
            "std": number.std,
            "source": number.source,
        }
        for dataset, network in wanted
        for number in sorted(known, key=lambda number: (number.method, number.ipc))
        if (number.dataset, number.network) == (ORIGINAL.get(dataset, dataset), network)
    ]
