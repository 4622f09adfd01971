"""``ddbench tune``: the variants of a recipe, compared on validation."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ddbench.commands import options
from ddbench.commands.run_options import DEFAULTS, RECIPE, RunOptions, takes
from ddbench.pipeline.open_recipe import open_image_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddbench.domains.images.tune import Trial
    from ddbench.files.tables import Report


@takes(*RECIPE)
def tune(
    recipe: options.RecipeName,
    override: options.Overrides = None,
    shared: RunOptions = DEFAULTS,
    networks: Annotated[
        int, typer.Option(metavar="N", min=1, help="Fresh networks that score a candidate on validation.")
    ] = 2,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Distill every variant in a recipe's sweep, and say which is best on validation, method by method.

    The test split is not looked at, and no row is written. Distillations are those of  ddbench run: what is done is
    not done again.
    """
    from ddbench.domains.images.tune import tune as trials_of

    with shared.executors() as by:
        context = shared.context(by)
        pipeline = open_image_recipe(recipe, override, shared.seed, shared.plugin, context)
        pipeline.domain.check_memory(pipeline)
        trials = list(trials_of(pipeline, networks))
    title = f"{pipeline.recipe.dataset} · {pipeline.protocol.key} · {pipeline.network} · validation"
    typer.echo(_report(trials, title).write(format.value))


def _report(trials: Sequence[Trial], title: str) -> Report:
    """Table of methods and variants by ipc, the best variant of each method marked."""
    from ddbench.domains.images.tune import best_trials
    from ddbench.files.tables import Report, Table

    best = {(trial.method, trial.ipc): trial.variant for trial in best_trials(trials)}
    ipcs = list(dict.fromkeys(trial.ipc for trial in trials))
    rows = []
    for method, variant in dict.fromkeys((trial.method, trial.variant) for trial in trials):
        cells = []
        for ipc in ipcs:
            mine = [trial for trial in trials if (trial.method, trial.variant, trial.ipc) == (method, variant, ipc)]
            shown = "  ".join(f"{trial.accuracy:.1%} at {trial.step}" for trial in mine)
            cells.append(f"{shown} *" if mine and best[method, ipc] == variant else shown)
        rows.append([method, variant or "as written", *cells])
    heads = ["method", "variant", *(f"ipc {ipc}" for ipc in ipcs)]
    records = [
        {
            **asdict(trial),
            "accuracies": " ".join(map(str, trial.accuracies)),
            "best": best[trial.method, trial.ipc] == trial.variant,
        }
        for trial in trials
    ]
    notes = "* best of its method and ipc; accuracy on validation at the outer step of the best candidate"
    document = [{**asdict(trial), "best": best[trial.method, trial.ipc] == trial.variant} for trial in trials]
    return Report(blocks=[Table(heads=heads, rows=rows, title=title), notes], records=records, document=document)
