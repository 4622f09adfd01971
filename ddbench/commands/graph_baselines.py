"""The baselines that stand beside every method on graphs, asked for or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ddbench.commands.drafts import Draft
from ddbench.methods import METHODS

MIRAGE = "mirage"


def graph_baselines(drafts: Sequence[Draft]) -> Iterator[Draft]:
    """Random graphs and herding of as many items and of as many bytes as each Mirage set; and all training graphs.

    drafts: what the recipe asks for. Where it has several Mirage entries, labels say which one a baseline equals. One
    that the recipe asks for itself is not repeated.
    """
    asked = {draft.outcome for draft in drafts}
    mirages = [draft for draft in drafts if draft.name == MIRAGE]
    several = len({draft.label for draft in mirages}) > 1
    for draft in mirages:
        prefix = f"{draft.label}-" if several else ""
        to = draft.method.model_dump()
        for label, name, settings in (
            (f"{prefix}random-items", "random-graphs", {"equal": "items", "to": to}),
            (f"{prefix}random-bytes", "random-graphs", {"equal": "bytes", "to": to}),
            (f"{prefix}herding-items", "herding-graphs", {"equal": "items", "to": to}),
        ):
            yield from _unless_asked(_draft(draft, label, name, settings), asked)
    for ipc in dict.fromkeys(draft.ipc for draft in drafts):
        first = next(draft for draft in drafts if draft.ipc == ipc)
        yield from _unless_asked(_draft(first, "full", "full-graphs", {}), asked)


def _draft(beside: Draft, label: str, name: str, settings: dict[str, Any]) -> Draft:
    method = METHODS.get(name).model_validate(settings)
    return replace(beside, label=label, name=name, method=method, source=f"the baseline {label}")


def _unless_asked(draft: Draft, asked: set[Any]) -> Iterator[Draft]:
    if draft.outcome not in asked:
        asked.add(draft.outcome)
        yield draft
