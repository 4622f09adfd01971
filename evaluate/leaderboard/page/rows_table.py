"""The table of all rows, complete without a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from ddbench.evaluate.leaderboard.formatting import duration, per_kilobyte, size
from ddbench.evaluate.leaderboard.page.markup import Html, capital, join, name_of, tag
from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow, measures_of
from ddbench.evaluate.leaderboard.ranking import GROUP
from ddbench.files.plain_text import printable

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


def rows_table(page_rows: Sequence[PageRow]) -> Html:
    """One body a group of like rows, so that whatever is sorted, only they are compared."""
    measures = measures_of(page_rows)
    several = len({page_row.measure for page_row in page_rows}) > 1
    score = "Score, %" if several else f"{capital(measures)}, %"
    head = [tag("th", title or score, scope="col", data_sort=key, data_kind=kind) for key, title, kind in COLUMNS]
    bodies = [
        tag("tbody", *(_table_row(page_row, several) for page_row in part))
        for _, part in groupby(page_rows, key=lambda page_row: page_row.group)
    ]
    caption = tag(
        "caption",
        f"All rows: {_MEASURED[measures]} on the test split, mean ± population standard deviation over the evaluation "
        "seeds; of several distillations ± a / b, over distillation seeds / over evaluation seeds. "
        f"Rows are ranked only among those of the same {', '.join(_SPOKEN.get(key, key) for key in GROUP[:-1])} and "
        f"{_SPOKEN.get(GROUP[-1], GROUP[-1])}.",
        _OF_GRAPHS if ROC_AUC in measures else "",
    )
    return tag("table", caption, tag("thead", tag("tr", *head)), *bodies, id="board")


_MEASURED = {
    "accuracy": "top-1 accuracy",
    "ROC-AUC": "area under the ROC curve (ROC-AUC)",
    "accuracy or ROC-AUC": "top-1 accuracy, but of graphs the area under the ROC curve (ROC-AUC),",
}
_OF_GRAPHS = (
    " The IPC of graphs is how many items a class has at most. Rows marked “no learning” are a logistic regression on "
    "the size of the training graphs or their labels: what a distilled set adds is seen beside them."
)

_SPOKEN = {
    "dataset": "data set",
    "test_split": "test split",
    "ipc": "images per class (IPC)",
    "conditions": "conditions (rates, teachers)",
}


def _table_row(page_row: PageRow, several: bool) -> Html:
    row = page_row.row
    cells = [
        _method(page_row),
        _score(page_row, several),
        _published(page_row),
        _rank(page_row),
        tag("td", name_of(row.dataset), *_split(page_row), data_value=row.dataset),
        tag("td", row.ipc, data_value=row.ipc, class_="n"),
        tag("td", name_of(row.protocol), *_policy(page_row), data_value=row.protocol),
        tag("td", name_of(row.network), data_value=row.network),
        tag("td", *_seeds(page_row), data_value=page_row.entry["over_seeds"]["networks"], class_="n"),
        _measured(page_row.entry["seconds"], duration),
        _measured(row.total_bytes, size),
        _measured(row.accuracy_per_byte, per_kilobyte),
    ]
    return tag("tr", *cells, data_key=page_row.key, class_="oracle" if page_row.oracle else None)


def _method(page_row: PageRow) -> Html:
    row = page_row.row
    link = tag("a", name_of(row.label), href=f"#row-{page_row.key}", class_="open")
    badges = []
    if page_row.oracle:
        badges.append(tag("span", "oracle", class_="badge warn", title="chosen on the test split: never ranked"))
    if row.unranked:
        badges.append(tag("span", "not ranked", class_="badge warn", title=printable(row.unranked)))
    if page_row.no_learning:
        badges.append(tag("span", "no learning", class_="badge", title="no set was distilled, no network was trained"))
    if row.student and row.student != row.network:
        badges.append(tag("span", "from ", name_of(row.student), class_="sub"))
    return tag("th", link, *(join(" ", badge) for badge in badges), scope="row", data_value=row.label)


def _score(page_row: PageRow, several: bool) -> Html:
    """several: whether the column has results of several measures, so that what is no accuracy has to say so."""
    other = tag("span", "ROC-AUC ", class_="sub") if several and page_row.measure == ROC_AUC else ""
    return tag("td", join(other, measured(page_row)), data_value=page_row.mean, class_="accuracy")


def _split(page_row: PageRow) -> list[Html]:
    """Which test split, where the name of the data set stands for several."""
    split = page_row.entry["test_split"]
    return [tag("span", " ", name_of(split), class_="sub")] if split else []


def _seeds(page_row: PageRow) -> list[object]:
    """How many networks were trained, and on how many distillations."""
    found = page_row.entry["over_seeds"]
    several = [tag("span", f" of {len(page_row.runs)} sets", class_="sub")] if len(page_row.runs) > 1 else []
    return [found["networks"], *several]


def measured(page_row: PageRow) -> Html:
    """What a line is ranked by, in percent, standard deviations set back."""
    spread = tag("span", f" ± {page_row.spread}", class_="spread") if page_row.spread else ""
    return join(f"{100 * page_row.mean:.1f}", spread)


def _policy(page_row: PageRow) -> list[Html]:
    text = ["lr searched"] if page_row.searched else []
    text += ["teachers"] if page_row.row.teachers else ["stored labels"] if page_row.row.label_versions > 1 else []
    return [join(" ", tag("span", badge, class_="badge", title=page_row.row.conditions)) for badge in text]


def _published(page_row: PageRow) -> Html:
    mean, std = page_row.entry["published"], page_row.entry["published_std"]
    if mean is None:
        return tag("td", tag("span", "none known", class_="away"), class_="n")
    source = f"as printed: {page_row.entry['published_source']}; its protocol may differ"
    return tag("td", amount(mean, std), data_value=mean, class_="beside", title=source)


def _rank(page_row: PageRow) -> Html:
    if page_row.rank is None:
        return tag("td", tag("span", "not ranked", class_="away"), class_="n")
    star = tag("span", "★ ", class_="star", aria_hidden="true") if page_row.best else ""
    return tag(
        "td",
        star,
        page_row.rank,
        tag("span", f" of {page_row.rivals}", class_="of"),
        data_value=page_row.rank,
        class_="n",
    )


def _measured(value: float | None, text: Callable[..., str]) -> Html:
    if value is None:
        return tag("td", tag("span", "not known", class_="away"), class_="n")
    return tag("td", text(value), data_value=value, class_="n")


def amount(mean: float, std: float | None) -> Html:
    """Fractions in percent, spread set back."""
    spread = "" if std is None else tag("span", f" ± {100 * std:.1f}", class_="spread")
    return join(f"{100 * mean:.1f}", spread)
