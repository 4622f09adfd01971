"""Sets trained on several networks: methods against networks, for each data set, ipc and protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import fmean

from ddbench.evaluate.leaderboard.page.markup import Html, join, name_of, tag
from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow
from ddbench.evaluate.leaderboard.page.rows_table import measured
from ddbench.evaluate.leaderboard.ranking import GROUP

Name = tuple[str, str, str]
"""Label, student and hash of a set."""

_SHARED = [key for key in GROUP if key != "network"]


def pools(page_rows: Sequence[PageRow]) -> Html:
    """A matrix wherever a method has honest rows on two networks or more; empty where none has.

    A line is one set, never the best rows of several; rows of other rates or teachers are in a matrix of their own.
    """
    found: dict[tuple[object, ...], list[PageRow]] = {}
    for page_row in page_rows:
        if not page_row.oracle:
            found.setdefault(tuple(page_row.entry[key] for key in _SHARED), []).append(page_row)
    matrices = join(*(_matrix(part) for part in found.values()))
    return tag("div", matrices, class_="matrices") if matrices else matrices


def _matrix(page_rows: list[PageRow]) -> Html:
    methods: dict[Name, dict[str, PageRow]] = {}
    for page_row in page_rows:
        name = page_row.row.label, page_row.row.student or "", page_row.row.synthetic_sha256
        methods.setdefault(name, {}).setdefault(page_row.row.network, page_row)
    methods = {name: cells for name, cells in methods.items() if len(cells) > 1}
    if not methods:
        return Html()
    networks = sorted({network for cells in methods.values() for network in cells})
    first = page_rows[0]
    order = sorted(methods, key=lambda name: (-_mean(methods[name]), name))
    students = len({student for _, student, _ in methods if student}) > 1
    head = ["Method", *map(name_of, networks), f"Mean of {len(networks)}"]
    body = [_row(name, methods[name], networks, students) for name in order]
    policy = [" · ", name_of(first.row.conditions)] if first.row.conditions else []
    measure = [f" · {ROC_AUC}"] if first.measure == ROC_AUC else []
    names = {page_row.row.pool for page_row in page_rows}
    pool = [name_of(first.row.pool), " · "] if len(names) == 1 and first.row.pool else []
    split = [" · ", name_of(first.entry["test_split"])] if first.entry["test_split"] else []
    title = [
        *pool,
        name_of(first.row.dataset),
        *split,
        f" · ipc {first.row.ipc} · ",
        name_of(first.row.protocol),
        *policy,
        *measure,
    ]
    table = tag(
        "table",
        tag("caption", *title),
        tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head))),
        tag("tbody", *body),
    )
    text = {"data_dataset": first.row.dataset, "data_ipc": first.row.ipc, "data_protocol": first.row.protocol}
    region = {"role": "region", "tabindex": 0, "aria_label": f"{first.row.dataset}, ipc {first.row.ipc}, by network"}
    return tag("div", table, class_="scroll matrix", data_networks=json.dumps(networks), **text, **region)


def _mean(cells: dict[str, PageRow]) -> float:
    return fmean(page_row.mean for page_row in cells.values())


def _row(name: Name, cells: dict[str, PageRow], networks: list[str], students: bool) -> Html:
    label, student, _ = name
    beside = [tag("span", " from ", name_of(student), class_="sub")] if students and student else []
    if next(iter(cells.values())).no_learning:
        beside.append(tag("span", " no learning", class_="sub"))
    values = [
        tag("td", measured(cells[network]))
        if network in cells
        else tag("td", tag("span", "not measured", class_="away"))
        for network in networks
    ]
    whole = len(cells) == len(networks)
    mean = tag("td", f"{100 * _mean(cells):.1f}", class_="mean") if whole else tag("td", "incomplete", class_="sub")
    return tag("tr", tag("th", name_of(label), *beside, scope="row"), *values, mean, data_method=label)
