"""A search as text, markdown, csv or json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from statistics import fmean
from typing import Any

import pandas as pd
from tabulate import tabulate

from ddbench.errors import unknown
from ddbench.evaluate.leaderboard.formatting import duration, percent
from ddbench.evaluate.nas.search import Search, SearchedNetwork


def render_search(search: Search, form: str = "text") -> str:
    """A search without a newline at its end.

    Args:
        form: "text", "markdown", "csv", "json".

    Raises:
        UserError: Another.
    """
    forms: dict[str, Callable[[Search], str]] = {
        "text": lambda found: _page(found, "plain"),
        "markdown": lambda found: _page(found, "github"),
        "csv": _csv,
        "json": lambda found: json.dumps(asdict(found), indent=2),
    }
    if form not in forms:
        raise unknown("format", form, forms)
    return forms[form](search)


def chosen(search: Search) -> SearchedNetwork:
    """Of the networks that the search found, the one that is best on validation when trained on real images."""
    return max((found for found in search.found if found.by == "search"), key=lambda found: fmean(found.validation))


def _page(search: Search, style: str) -> str:
    facts = search.facts
    head = (
        f"{search.dataset} · {search.space} · {search.proxy} as proxy · {facts['protocol'][0]}, "
        f"{facts['epochs']} epochs, {facts['augmentation']}"
    )
    best = chosen(search)
    lines: list[dict[str, str]] = [
        {
            "found by": found.by,
            "network": found.network + (" *" if found == best else ""),
            "parameters": f"{found.parameters:,}",
            "on the set": "" if found.proxy is None else percent(found.proxy, None),
            "validation": percent(fmean(found.validation), None),
            "test": percent(fmean(found.test), None),
        }
        for found in search.found
    ]
    said = [f"search: {len(search.trials)} networks trained on the set in {duration(search.seconds)}"]
    if search.compared:
        took = duration(search.compared_seconds)
        said.append(f"random search: {len(search.compared)} networks in {took}; its best by the set is shown")
    said += [
        "* chosen: of those found, the best on the validation split when trained on real images",
        "on the set: validation accuracy when trained on the set; validation, test: when trained on real images",
    ]
    table = tabulate(lines, headers="keys", tablefmt=style, disable_numparse=True)
    return "\n\n".join([f"### {head}" if style == "github" else head, table, "\n".join(said)])


def _csv(search: Search) -> str:
    """One line a network that was tried, in order, and those trained on real images with what they reached."""
    on_real = {found.network: found for found in search.found}
    tried = dict.fromkeys(search.trials, "search") | {
        network: "random search" for network in search.compared if network not in search.trials
    }
    others = {found.network: found.by for found in search.found if found.network not in tried}
    lines: list[dict[str, Any]] = []
    for network, by in {**tried, **others}.items():
        found = on_real.get(network)
        lines.append(
            {
                "network": network,
                "by": by,
                "proxy": search.trials.get(network, search.compared.get(network)),
                "validation": fmean(found.validation) if found else None,
                "test": fmean(found.test) if found else None,
            }
        )
    return pd.DataFrame(lines).to_csv(index=False, lineterminator="\n").rstrip("\n")
