"""Provenance of a row: all that is needed to reproduce it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ddbench.evaluate.leaderboard.formatting import duration, per_kilobyte, percent, size
from ddbench.evaluate.leaderboard.over_seeds import plus_minus
from ddbench.evaluate.leaderboard.page.markup import Html, join, name_of, tag
from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow
from ddbench.evaluate.leaderboard.page.recipes import recipe_key


def provenance(page_rows: Sequence[PageRow]) -> Html:
    """One panel a row; a script moves it into the table when the row is opened."""
    return join(*(_panel(page_row) for page_row in page_rows))


def _panel(page_row: PageRow) -> Html:
    row = page_row.row
    title = [name_of(row.label), " on ", name_of(row.dataset), f", ipc {row.ipc}, ", name_of(row.network), ", "]
    head = tag("summary", *title, name_of(row.protocol), f": {_score(page_row)}")
    parts = [
        _again(page_row),
        _accuracies(page_row),
        _setting(page_row),
        _ledger(page_row),
        _cost(page_row),
        _origin(page_row),
        _recipe(page_row),
    ]
    return tag(
        "details", head, tag("div", *filter(None, parts), class_="parts"), id=f"row-{page_row.key}", class_="panel"
    )


def command_of(page_row: PageRow) -> str:
    """What recomputes a row, ready for a shell."""
    return f"ddbench verify {shlex.quote(page_row.path) if page_row.path else 'ROW.json'}"


def _part(title: str, *inside: object, class_: str | None = None) -> Html:
    return tag("section", tag("h4", title), *inside, class_=class_)


def _again(page_row: PageRow) -> Html:
    command = tag("code", command_of(page_row), class_="command")
    why = (
        [] if page_row.path else [tag("p", "The file of this row was not named when the page was made.", class_="hint")]
    )
    note = [tag("p", tag("strong", "Note: "), name_of(page_row.row.note), class_="note")] if page_row.row.note else []
    return _part("Recompute", tag("p", command, class_="copyable"), *why, *note, class_="wide")


def _accuracies(page_row: PageRow) -> Html:
    row = page_row.row
    names = [*([ROC_AUC] if row.roc_auc else []), "Accuracy"]
    several = len(page_row.runs) > 1
    titles = [*(["Distilled with seed"] if several else []), "Seed", *(f"{name}, %" for name in names)]
    head = tag("tr", *(tag("th", title, scope="col") for title in titles))
    body = [
        tag(
            "tr",
            *([tag("th", run.made_with_seed, scope="row")] if several else []),
            tag("th", seed, scope="row"),
            *(tag("td", f"{100 * value:.2f}") for value in values),
        )
        for run in page_row.runs
        for seed, *values in zip(run.seeds, *([run.roc_auc] if row.roc_auc else []), run.accuracy, strict=True)
    ]
    measures = " and ".join(names)
    caption = tag("caption", f"{measures} of every network trained, by its seed", class_="away")
    table = tag("table", caption, tag("thead", head), tag("tbody", *body))
    over = "over distillation seeds / over evaluation seeds" if several else "over the evaluation seeds"
    deviation = f", mean and population standard deviation {over}" if page_row.spread else ", of a single network"
    accuracy = f"accuracy {_percent(page_row, 'accuracy')}" if row.roc_auc else ""
    sentences = [tag("p", sentence) for sentence in (f"{_score(page_row)}{deviation}", accuracy) if sentence]
    return _part(f"Every {measures.replace('Accuracy', 'accuracy')}", *sentences, tag("div", table, class_="tall"))


def _score(page_row: PageRow) -> str:
    score = _percent(page_row, "score")
    return f"{ROC_AUC} {score}" if page_row.measure == ROC_AUC else score


def _percent(page_row: PageRow, measure: str) -> str:
    found = page_row.entry["over_seeds"][measure]
    spread = plus_minus(found)
    return f"{100 * found['mean']:.1f}{f' ± {spread}' if spread else ''} %"


def _setting(page_row: PageRow) -> Html:
    row = page_row.row
    chosen = f"{row.selection}, step {row.selected_step}" if row.selected_step is not None else row.selection
    tried = ", ".join(f"{rate:g}" for rate in row.lr_tried)
    beside = page_row.entry["published"]
    rate = "search, on validation" if page_row.searched else "the protocol"
    return _part(
        "Setting",
        _facts(
            ("Method", row.method),
            ("Distilled with", row.student or "no network"),
            ("Stands beside" if page_row.no_learning else "Evaluated on", row.network),
            ("Pool", row.pool),
            ("Protocol", row.protocol),
            ("Tested on", row.tested_on.text() if row.tested_on else "not recorded: the row is older than that"),
            (
                "Distilled with seed",
                ", ".join(str(seed) for seed in page_row.entry["over_seeds"]["distillation_seeds"]),
            ),
            ("Not ranked", row.unranked),
            (
                "Chosen by",
                None
                if page_row.no_learning
                else chosen + (" (on the test split: flattered)" if page_row.oracle else ""),
            ),
            ("Learning rate", None if row.lr is None else f"{row.lr:g}"),
            ("Rate chosen by", None if page_row.no_learning else rate),
            ("Rates tried", tried),
            ("Optimizer steps", row.steps),
            ("Labeled by", None if row.teachers_fingerprint is None else row.teachers_fingerprint),
            ("Published", None if beside is None else percent(beside, page_row.entry["published_std"])),
            ("Printed in", page_row.entry["published_source"]),
        ),
    )


def _ledger(page_row: PageRow) -> Html:
    row = page_row.row
    density = per_kilobyte(row.accuracy_per_byte)
    charged = [tag("p", "As the method's paper counts:"), _sizes("Bytes charged, by part", row.charged)]
    return _part(
        "Storage",
        _sizes("Bytes stored, by part", row.bytes),
        *(charged if row.charged else []),
        _facts(
            ("Accuracy per byte", f"{density} points per kB" if density else None),
            ("Items", row.items),
            ("Labels for an image", None if page_row.measure == ROC_AUC else row.label_versions),
            *((f"Teacher {name}, apart", size(count)) for name, count in row.teachers.items()),
        ),
    )


def _sizes(caption: str, parts: Mapping[str, int]) -> Html:
    total = sum(parts.values())
    body = [
        tag("tr", tag("th", part.replace("_", " "), scope="row"), tag("td", size(count), title=f"{count} bytes"))
        for part, count in parts.items()
        if count
    ]
    foot = tag("tfoot", tag("tr", tag("th", "Total", scope="row"), tag("td", size(total), title=f"{total} bytes")))
    return tag("table", tag("caption", caption, class_="away"), tag("tbody", *body), foot)


def _cost(page_row: PageRow) -> Html:
    text = page_row.facts
    times = {
        "Distillation": text["seconds"],
        "Experts, shared by runs": text["expert_seconds"],
        "Evaluation": text["evaluation_seconds"],
    }
    return _part(
        "Cost",
        _facts(
            *((name, None if seconds is None else duration(seconds)) for name, seconds in times.items()),
            ("Peak memory", size(page_row.row.peak_bytes)),
            ("Device", page_row.row.device),
        ),
    )


def _origin(page_row: PageRow) -> Html:
    row = page_row.row
    hashes = {
        "Synthetic set": None if page_row.no_learning else row.synthetic_sha256,
        "Real data": row.real_fingerprint,
        "Test split": row.tested_on.sha256 if row.tested_on else None,
        "Preprocessing": row.preprocessing_fingerprint,
        "Expert buffer": row.buffer_fingerprint,
    }
    return _part(
        "Hashes and versions",
        _facts(
            *((name, tag("code", digits)) for name, digits in hashes.items() if digits),
            ("Code", tag("code", row.code)),
            *row.versions.items(),
        ),
        class_="broad",
    )


def _recipe(page_row: PageRow) -> Html:
    if not page_row.row.recipe:
        return _part("Recipe", tag("p", "None: the set came from elsewhere."), class_="wide")
    link = tag("a", "The recipe, fully resolved", href=f"#recipe-{recipe_key(page_row.row.recipe)}", class_="recipe")
    return _part("Recipe", tag("p", link), class_="wide")


def _facts(*facts: tuple[str, Any]) -> Html:
    """A list of what is known; what is not is left out."""
    known: Iterable[Html] = (
        tag("div", tag("dt", name_of(name)), tag("dd", value if isinstance(value, Html) else name_of(value)))
        for name, value in facts
        if value not in (None, "")
    )
    inside = join(*known)
    return tag("dl", inside) if inside else inside
