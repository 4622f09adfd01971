"""Scoring and verifying sets that lie in files, apart from a recipe's stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from ddbench.artifact import describe, uncovered
from ddbench.data import Preprocessing, RealSet, load_dataset
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.make_row import described_sha256, synthetic_sha256
from ddbench.evaluate.leaderboard.row import LrPolicy, Row, load_row
from ddbench.evaluate.lr_search import RATES
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.protocols.network_pools import expanded
from ddbench.evaluate.training.worker_count import should_parallelize, workers_for
from ddbench.evaluate.verify import Verification, verify
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.evaluator import Evaluator
from ddbench.runtime.device import choose_device
from ddbench.synthetic.recorded import MOST_SEEDS, MOST_STEPS, RecordedRecipe, recorded_dataset, recorded_recipe
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic
from ddbench.training.teachers import Teachers, load_teachers

HELD_BACK = "held_back_afterwards"
"""In the recipe of a set that is judged with a validation split it was not made with."""


def score_set(
    path: Path,
    context: RunContext,
    *,
    protocol: str | None = None,
    networks: Sequence[str] = (),
    seeds: int | None = None,
    seed: int | None = None,
    dataset: str | None = None,
    lr: LrPolicy | None = None,
    teachers: Path | None = None,
    validation: float | None = None,
) -> list[tuple[Row, Path]]:
    """Score the synthetic set in a file.

    What is not said follows the recipe that made it.

    Args:
        networks: Names of networks or pools.
        seeds: How many fresh networks.
        seed: From which theirs follow.
        dataset: Where the real data lie now.
        lr: "protocol" or "search".
        teachers: A file of them (``ddbench teach``).
        validation: Share of the training images to choose on, where the set was not made with any.

    Raises:
        UserError: A set that is damaged or does not say what data it was made from, and as in ``score``.
    """
    device, syn = choose_device(context.device), load_synthetic(path)
    say_what_is_not_covered(path)
    if validation is not None:
        syn = with_validation(syn, validation)
    recipe = recorded_recipe(syn.provenance.get("recipe"), path, "synthetic set")
    asked = recipe.evaluation
    by = protocol_named(protocol or asked.protocol, "" if protocol else f"the recipe in {path}")
    named = networks or asked.networks or [by.network or syn.network]
    entries = expanded(named, syn.network, () if networks else [f"the recipe in {path}"] * len(named))
    count, first = seeds or asked.seeds, recipe.seed if seed is None else seed
    real = real_set_of(
        syn.dataset, recipe, syn.preprocessing["kind"], context, dataset, syn.preprocessing, where=path
    ).to(device)
    evaluator = Evaluator(
        real=real,
        protocol=by,
        device=device,
        context=context,
        seeds=[first * count + i for i in range(count)],
        seed=first,
        lr_policy=lr or asked.lr,
        rates=asked.rates or RATES,
        steps=asked.steps,
        search_seeds=asked.selection_seeds,
        teachers=teachers and load_teachers(teachers),
        executor=context.executors.on(
            device, worth=should_parallelize(syn, by, [entry.network for entry in entries], count)
        ),
    )
    selection = syn.provenance.get("selection", "given")
    note = "" if validation is None else "learning rates may be chosen on images that the set was made from"
    return [evaluator.row(syn, entry, selection, note) for entry in entries]


def with_validation(syn: SyntheticSet, share: float) -> SyntheticSet:
    """The set, to be judged with a validation split that it was not made with: so says its recipe from now on.

    Raises:
        UserError: The split would change the space of its images, or it was made with one.
    """
    recipe = syn.provenance.get("recipe") or {}
    if made_with := recipe.get("validation"):
        raise UserError(
            f"this set was made with a validation split, {made_with:g} of the training images",
            fix="leave --validation out",
        )
    if syn.preprocessing["kind"] == "zca":
        raise UserError(
            "this set is whitened by all training images, so none can be held back to choose on",
            fix="choose nothing: --lr protocol, a single rate",
        )
    return replace(syn, provenance={**syn.provenance, "recipe": {**recipe, "validation": share, HELD_BACK: True}})


def real_set_of(
    short: str,
    recipe: RecordedRecipe | Mapping[str, Any],
    preprocessing: str,
    context: RunContext,
    given: str | None = None,
    space: Mapping[str, Any] | None = None,
    *,
    where: Path | str = "the set",
) -> RealSet:
    """The real data that a set or row was made from, as its recipe says.

    Args:
        short: Their name where there is no recipe.
        recipe: The one inside the file; JSON is checked first.
        preprocessing: Its kind.
        place: Where the command works.
        given: The name of the data as the user gives it. Data in a folder, on the hub, or behind code are taken from
            the user alone; the file's own name for them is never followed.
        space: The set's ``Preprocessing.describe()``, in which images are seen where a validation split was held back
            only after the set was made.
        where: The file, for errors.

    Returns:
        The real data, split as the recipe says.

    Raises:
        UserError: The file's name is none that may be followed; as in ``load_dataset``.
    """
    told = recipe if isinstance(recipe, RecordedRecipe) else recorded_recipe(recipe, where, "synthetic set")
    name = given or recorded_dataset(told.dataset or short, where)
    real = load_dataset(
        name,
        preprocessing=preprocessing,
        validation=told.validation,
        seed=told.seed,
        size=told.size,
        mirror=told.mirror,
        home=context.home,
        data_root=context.data_root,
        quiet=context.quiet,
    )
    if told.held_back_afterwards and space is not None and space["kind"] == "meanstd":
        return replace(real, preprocessing=Preprocessing.meanstd(space["mean"], space["std"]))
    return real


def verify_rows(
    target: Path, set_path: Path | None, context: RunContext, dataset: str | None = None, teachers: Path | None = None
) -> Iterator[tuple[Path, Row, Verification]]:
    """Verify a row, or every row that HOME/results has of a synthetic set: its file, itself, and what was found.

    Raises:
        UserError: The row's set, or any row of the set, can not be found.
    """
    device = choose_device(context.device)
    if target.suffix == ".json":
        rows = {target: load_row(target)}
        recorded_recipe(rows[target].recipe, target)
        file = set_path or find_set(rows[target], context.home)
        syn = load_synthetic(file)
        say_what_is_not_covered(file)
    else:
        syn = load_synthetic(target)
        say_what_is_not_covered(target)
        rows = {
            path: row
            for path in sorted((context.home / "results").rglob("*.json"))
            if (row := load_row(path)).synthetic_sha256 == synthetic_sha256(syn)
        }
        if not rows:
            raise UserError(
                f"there is no row of {target} under {context.home / 'results'}", fix=f"ddbench evaluate {target}"
            )
    for file, row in rows.items():
        recipe = recorded_recipe(row.recipe, file)
        require_recorded_training(row, file)
        real = real_set_of(
            row.dataset, recipe, syn.preprocessing["kind"], context, dataset, syn.preprocessing, where=file
        ).to(device)
        worth = should_parallelize(syn, protocol_named(row.protocol), [row.network], len(row.seeds))
        workers = workers_for(device, worth)
        yield (
            file,
            row,
            verify(
                row,
                syn,
                real,
                device=device,
                teachers=_teachers_of(row, teachers, context.home),
                progress=context.progress(),
                executor=workers,
            ),
        )


def say_what_is_not_covered(file: Path) -> None:
    """A note on stderr where no checksum covers the description of a set."""
    if note := uncovered(describe(file)):
        typer.echo(f"note: {file} was {note}", err=True)


def require_recorded_training(row: Row, file: Path) -> None:
    """Errors: UserError for a row that asks for more training than a recipe may."""
    for key, value, most in (("seeds", len(row.seeds), MOST_SEEDS), ("steps", row.steps or 1, MOST_STEPS)):
        if value > most:
            raise UserError(
                f"{file} asks for too much training",
                f"key   {key}",
                f"given {value}, at most {most}",
                fix="restore the file, or delete it and evaluate again",
            )


def _teachers_of(row: Row, given: Path | None, home: Path) -> Teachers | None:
    """Those that labeled for a row: given, or found under HOME/teachers by what is recorded of them.

    Errors: UserError where the row had teachers and they are not found.
    """
    if not row.teachers:
        return None
    if given is not None:
        return load_teachers(given)
    for path in sorted((home / "teachers").glob("*.safetensors")):
        with suppress(UserError):  # a damaged file is no reason to look no further
            if (found := load_teachers(path)).fingerprint == row.teachers_fingerprint:
                return found
    raise UserError(
        f"the teachers that labeled for this row are not under {home / 'teachers'}",
        *(f"teacher {name}" for name in row.teachers),
        fix="give them with --teachers FILE",
    )


def find_set(row: Row, home: Path) -> Path:
    """The file under HOME/runs or HOME/imported that holds the row's synthetic set, be it a candidate.

    Raises:
        UserError: There is none.
    """
    runs, imported = home / "runs", home / "imported"
    made = [*runs.glob("*/synthetic*.safetensors"), *runs.glob("*/candidates*/*.safetensors")]
    for path in sorted([*made, *imported.glob("*.safetensors")]):
        with suppress(UserError):  # a damaged file of another run is no reason to look no further
            if described_sha256(describe(path)) == row.synthetic_sha256:
                return path
    raise UserError(
        f"the synthetic set of this row is not under {home / 'runs'}",
        f"hash  {row.synthetic_sha256[:16]}",
        fix="say where it is with --set, or distill it again from the row's recipe",
    )
