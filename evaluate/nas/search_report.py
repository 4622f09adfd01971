"""A search as text, Markdown, CSV, JSON or LaTeX."""

from __future__ import annotations

from dataclasses import asdict
from statistics import fmean
from typing import Any

from ddbench.evaluate.leaderboard.formatting import duration, percent
from ddbench.evaluate.nas.search import Search, SearchedNetwork
from ddbench.files.tables import Heading, Report, Table, table_of


def render_search(search: Search, form: str = "text") -> str:
    """Write a search, without a newline at its end.

    Args:
        search: Networks that were tried and found.
        form: One of ``ddbench.files.tables.FORMS``.

    Returns:
        The text.

    Raises:
        UserError: Another form.
    """
    return Report(blocks=_blocks(search), records=_records(search), document=asdict(search)).write(form)


def chosen(search: Search) -> SearchedNetwork:
    """Result of a search: of its networks, the one that is best on validation when trained on real images.

    Args:
        search: Finished search.

    Returns:
        The network with its accuracies; those of the random search do not compete.
    """
    return max(
        (searched for searched in search.found if searched.by == "search"),
        key=lambda searched: fmean(searched.validation),
    )


def _blocks(search: Search) -> list[Table | Heading | str]:
    facts = search.facts
    head = (
        f"{search.dataset} · {search.space} · {search.proxy} as proxy · {facts['protocol'][0]}, "
        f"{facts['epochs']} epochs, {facts['augmentation']}"
    )
    best = chosen(search)
    lines: list[dict[str, str]] = [
        {
            "found by": searched.by,
            "network": searched.network + (" *" if searched == best else ""),
            "parameters": f"{searched.parameters:,}",
            "on the set": "" if searched.proxy is None else percent(searched.proxy, None),
            "validation": percent(fmean(searched.validation), None),
            "test": percent(fmean(searched.test), None),
        }
        for searched in search.found
    ]
    sentences = [f"search: {len(search.trials)} networks trained on the set in {duration(search.seconds)}"]
    if search.compared:
        took = duration(search.compared_seconds)
        sentences.append(f"random search: {len(search.compared)} networks in {took}; its best by the set is shown")
    sentences += [
        "* chosen: of those found, the best on the validation split when trained on real images",
        "on the set: validation accuracy when trained on the set; validation, test: when trained on real images",
    ]
    return [Heading(head), table_of(lines), "\n".join(sentences)]


def _records(search: Search) -> list[dict[str, Any]]:
    """One line a network that was tried, in order, and those trained on real images with what they reached."""
    on_real = {searched.network: searched for searched in search.found}
    tried = dict.fromkeys(search.trials, "search") | {
        network: "random search" for network in search.compared if network not in search.trials
    }
    others = {searched.network: searched.by for searched in search.found if searched.network not in tried}
    lines: list[dict[str, Any]] = []
    for network, by in {**tried, **others}.items():
        searched = on_real.get(network)
        lines.append(
            {
                "network": network,
                "by": by,
                "proxy": search.trials.get(network, search.compared.get(network)),
                "validation": fmean(searched.validation) if searched else None,
                "test": fmean(searched.test) if searched else None,
            }
        )
    return lines
