"""Scoring and verifying sets that lie in files, apart from a recipe's stages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ddbench.artifact import describe, uncovered
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import Row, load_row
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.domain import Comparison, Domain
from ddbench.pipeline.domains import domain_named, domain_of_file
from ddbench.pipeline.find_sets import set_of_row
from ddbench.pipeline.set_evaluation import SetOptions
from ddbench.synthetic.recorded import MOST_SEEDS, MOST_STEPS, recorded_recipe


def score_set(path: Path, context: RunContext, options: SetOptions) -> list[tuple[Row, Path]]:
    """Score the synthetic set in a file.

    Args:
        path: The file.
        context: Home, device, progress.
        options: What is to be other than the recipe says that made the set.

    Returns:
        Rows with their files, one a network.

    Raises:
        UserError: The set is damaged or does not say what data it was made from; an option is wrong; and as in
            ``score``.
    """
    domain = domain_of_file(path)
    syn = domain.load_set(path)
    say_what_is_not_covered(path)
    recipe = recorded_recipe(syn.provenance.get("recipe"), path, domain.set_kind)
    evaluation = domain.set_evaluation(syn, recipe, options, context, path)
    return [
        evaluation.evaluator.row(evaluation.syn, request, evaluation.selection, evaluation.note)
        for request in evaluation.requests
    ]


def verify_rows(
    target: Path, set_path: Path | None, context: RunContext, dataset: str | None = None, teachers: Path | None = None
) -> Iterator[tuple[Path, Row, Comparison]]:
    """Verify a row, or every row that HOME/results has of a synthetic set.

    Args:
        target: File of the row or the set.
        set_path: File of the row's set; None looks for it under the home.
        context: Home, device, progress.
        dataset: Name under which the real data is found now.
        teachers: File of the networks that labeled; None looks for them under the home.

    Yields:
        File of the row, the row, and how it compares with what was measured anew.

    Raises:
        UserError: The row's set, or any row of the set, can not be found.
    """
    sets: dict[Path, Any] = {}

    def load_once(domain: Domain, file: Path) -> Any:
        if file not in sets:
            sets[file] = domain.load_set(file)
            say_what_is_not_covered(file)
        return sets[file]

    if target.suffix == ".json":
        rows = {target: load_row(target)}
    else:
        domain, set_path = domain_of_file(target), target
        load_once(domain, target)
        digest = domain.file_sha256(describe(target))
        files = sorted((context.home / "results").rglob("*.json"))
        rows = {file: row for file in files if (row := load_row(file)).synthetic_sha256 == digest}
        if not rows:
            raise UserError(
                f"there is no row of {target} under {context.home / 'results'}", fix=f"ddbench evaluate {target}"
            )
    for file, row in rows.items():
        domain = domain_named(row.domain)
        recipe = recorded_recipe(row.recipe, file)
        has_set = domain.has_set(row)
        syn = load_once(domain, set_path or set_of_row(row, context.home)) if has_set else None
        require_recorded_training(row, file)
        real = domain.real_of_set(row.dataset, recipe, syn, context, dataset, file)
        yield file, row, domain.verify(row, syn, real, context=context, teachers=teachers)


def say_what_is_not_covered(file: Path) -> None:
    """Print a note on stderr where no checksum covers the description of a set.

    Args:
        file: File of the set.
    """
    if note := uncovered(describe(file)):
        typer.echo(f"note: {file} was {note}", err=True)


def require_recorded_training(row: Row, file: Path) -> None:
    """Require that a row wants no more training than a recipe may.

    Args:
        row: The row, which may come from elsewhere.
        file: Its file, for errors.

    Raises:
        UserError: It has too many seeds or steps.
    """
    for key, value, most in (("seeds", len(row.seeds), MOST_SEEDS), ("steps", row.steps or 1, MOST_STEPS)):
        if value > most:
            raise UserError(
                f"{file} asks for too much training",
                f"key   {key}",
                f"given {value}, at most {most}",
                fix="restore the file, or delete it and evaluate again",
            )
