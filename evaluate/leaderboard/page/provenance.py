"""Provenance of a row: all that is needed to reproduce it."""

from __future__ import annotations

import shlex
from typing import Any

from ddbench.evaluate.leaderboard.formatting import duration, per_kilobyte, percent, size
from ddbench.evaluate.leaderboard.over_seeds import plus_minus
from ddbench.evaluate.leaderboard.page.page_rows import ROC_AUC, PageRow
from ddbench.evaluate.leaderboard.page.recipes import recipe_key

Facts = list[tuple[str, Any]]
"""Names and values; a value that is None or empty is not shown."""


def panel(page_row: PageRow) -> dict[str, Any]:
    """Collect what ``provenance.html`` shows of a row.

    Args:
        page_row: A row of the page.

    Returns:
        Values by their names in the template.
    """
    row = page_row.row
    over = "over distillation seeds / over evaluation seeds" if len(page_row.runs) > 1 else "over the evaluation seeds"
    deviation = f", mean and population standard deviation {over}" if page_row.spread else ", of a single network"
    accuracy = [f"accuracy {_percent(page_row, 'accuracy')}"] if row.roc_auc else []
    hashes = _hashes(page_row)
    return {
        "page_row": page_row,
        "command": command_of(page_row),
        "score": _score(page_row),
        "measures": [*([ROC_AUC] if row.roc_auc else []), "Accuracy"],
        "sentences": [f"{_score(page_row)}{deviation}", *accuracy],
        "networks": [
            (run.made_with_seed, seed, values)
            for run in page_row.runs
            for seed, *values in zip(run.seeds, *([run.roc_auc] if row.roc_auc else []), run.accuracy, strict=True)
        ],
        "setting": _setting(page_row),
        "storage": _storage(page_row),
        "cost": _cost(page_row),
        "origin": [*hashes, *row.versions.items()],
        "hashes": [name for name, _ in hashes],
        "recipe": recipe_key(row.recipe) if row.recipe else "",
    }


def command_of(page_row: PageRow) -> str:
    """Command that recomputes a row.

    Args:
        page_row: Row of the page; without a path, its file is called ``ROW.json``.

    Returns:
        One line, quoted for a shell.
    """
    return f"ddbench verify {shlex.quote(page_row.path) if page_row.path else 'ROW.json'}"


def _score(page_row: PageRow) -> str:
    score = _percent(page_row, "score")
    return f"{ROC_AUC} {score}" if page_row.measure == ROC_AUC else score


def _percent(page_row: PageRow, measure: str) -> str:
    score = page_row.entry["over_seeds"][measure]
    spread = plus_minus(score)
    return f"{100 * score['mean']:.1f}{f' ± {spread}' if spread else ''} %"


def _setting(page_row: PageRow) -> Facts:
    row = page_row.row
    chosen = f"{row.selection}, step {row.selected_step}" if row.selected_step is not None else row.selection
    tried = ", ".join(f"{rate:g}" for rate in row.lr_tried)
    beside = page_row.entry["published"]
    rate = "search, on validation" if page_row.searched else "the protocol"
    return [
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
            None if page_row.no_learning else chosen + (" (on the test split: flattered)" if page_row.oracle else ""),
        ),
        ("Learning rate", None if row.lr is None else f"{row.lr:g}"),
        ("Rate chosen by", None if page_row.no_learning else rate),
        ("Rates tried", tried),
        ("Optimizer steps", row.steps),
        ("Labeled by", None if row.teachers_fingerprint is None else row.teachers_fingerprint),
        ("Published", None if beside is None else percent(beside, page_row.entry["published_std"])),
        ("Printed in", page_row.entry["published_source"]),
    ]


def _storage(page_row: PageRow) -> Facts:
    row = page_row.row
    density = per_kilobyte(row.accuracy_per_byte)
    return [
        ("Accuracy per byte", f"{density} points per kB" if density else None),
        ("Items", row.items),
        ("Labels for an image", None if page_row.measure == ROC_AUC else row.label_versions),
        *((f"Teacher {name}, apart", size(count)) for name, count in row.teachers.items()),
    ]


def _cost(page_row: PageRow) -> Facts:
    text = page_row.facts
    times = {
        "Distillation": text["seconds"],
        "Experts, shared by runs": text["expert_seconds"],
        "Evaluation": text["evaluation_seconds"],
    }
    return [
        *((name, None if seconds is None else duration(seconds)) for name, seconds in times.items()),
        ("Peak memory", size(page_row.row.peak_bytes)),
        ("Device", page_row.row.device),
    ]


def _hashes(page_row: PageRow) -> Facts:
    row = page_row.row
    return [
        ("Synthetic set", None if page_row.no_learning else row.synthetic_sha256),
        ("Real data", row.real_fingerprint),
        ("Test split", row.tested_on.sha256 if row.tested_on else None),
        ("Preprocessing", row.preprocessing_fingerprint),
        ("Expert buffer", row.buffer_fingerprint),
        ("Code", row.code),
    ]
