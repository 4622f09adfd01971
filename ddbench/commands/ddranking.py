"""``ddbench ddranking``: DD-Ranking's scores of synthetic sets, and the same accuracies under other weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddbench.commands import options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, RunOptions, takes
from ddbench.errors import UserError

if TYPE_CHECKING:
    from ddbench.evaluate.ddranking.measurement import Measurement
    from ddbench.pipeline.context import RunContext


@takes(*CONTEXT)
def ddranking(
    target: Annotated[
        list[str],
        typer.Argument(
            metavar="SET|FILE...",
            help="Synthetic sets (.safetensors), or folders of their runs; or measurements (.json), weighted anew.",
        ),
    ],
    track: Annotated[
        str | None,
        typer.Option(metavar="hard|soft", help="Which labels IOR trains with.  [default: the set's]"),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="S|M",
            help="Soft track: S, one stored label an image; M, the teachers' at every step.  [default: S]",
        ),
    ] = None,
    teachers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Soft track: who labels (ddbench teach).", show_default=False)
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which fresh networks.  [default: the set's]", show_default=False),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many runs.  [default: 5]")] = None,
    seed: options.Seed = None,
    rates: Annotated[
        str | None,
        typer.Option(
            metavar="LR,LR,...",
            help="The learning rates that every side may choose from, on validation; a single one is taken as it is.  "
            "[default: 0.001,0.005,0.01,0.05,0.1]",
        ),
    ] = None,
    searches: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many networks judge each rate.  [default: 1]")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of every training.  [default: the recipe's 300]")
    ] = None,
    real_accuracy: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION", help="Known from elsewhere, such as 0.848; nothing is then trained on all real data."
        ),
    ] = None,
    ars: Annotated[bool, typer.Option("--ars", help="Also the augmentation-robust score: two more sides.")] = False,
    weight: Annotated[
        float | None, typer.Option(metavar="W", help="Of IOR in alpha, against HLR, 0 to 1.  [default: 0.5]")
    ] = None,
    ars_weight: Annotated[
        float | None, typer.Option(metavar="GAMMA", help="Of augmentation in beta, 0 to 1.  [default: 0.5]")
    ] = None,
    dataset: options.Dataset = None,
    shared: RunOptions = DEFAULTS,
    format: options.Format = options.TableFormat.text,
) -> None:
    """What synthetic sets gain over random images, and lack of the real data, under one recipe: HLR, IOR, LRS, ARS.

    Every finished training is kept under HOME/ddranking, and the measurement as one JSON file; the same command goes on
    where it stopped. Given such a file, --weight and --ars-weight score its accuracies anew without training. --format
    csv has the columns of DD-Ranking's leaderboard.
    """
    from ddbench.evaluate.ddranking.table import render

    chosen: dict[str, Any] = {
        "track": track,
        "labels": labels,
        "teachers": teachers,
        "network": network,
        "seeds": seeds,
        "seed": seed,
        "rates": rates,
        "searches": searches,
        "epochs": epochs,
        "real_accuracy": real_accuracy,
        "ars": ars or None,
        "dataset": dataset,
    }
    measurements = []
    with shared.executors() as by:
        context = shared.context(by)
        for path in map(Path, target):
            if path.suffix == ".json":
                measurements.append(_weighted(path, chosen, weight, ars_weight))
            else:
                measurements.append(_measured(options.set_file(path), context, chosen, weight, ars_weight))
    typer.echo(render(measurements, format.value))


def _weighted(path: Path, chosen: dict[str, Any], weight: float | None, ars_weight: float | None) -> Measurement:
    from ddbench.evaluate.ddranking.measurement import load_measurement

    if given_names := [name for name, value in chosen.items() if value is not None]:
        raise UserError(
            f"{path.name} is a finished measurement, of which only weights can change",
            f"given {', '.join('--' + name.replace('_', '-') for name in given_names)}",
            fix="give the synthetic set instead, or only --weight and --ars-weight",
        )
    return load_measurement(path).weighted(weight, ars_weight)


def _measured(
    path: Path, context: RunContext, chosen: dict[str, Any], weight: float | None, ars_weight: float | None
) -> Measurement:
    from ddbench.evaluate.ddranking.measure import measure
    from ddbench.evaluate.ddranking.recipes import recipe_of
    from ddbench.evaluate.training.worker_count import should_parallelize
    from ddbench.pipeline.real_set import real_set_of
    from ddbench.synthetic.synthetic_set import load_synthetic
    from ddbench.training.teachers import load_teachers

    compute, syn = replace(context.compute, compile="off"), load_synthetic(path)
    recipe = syn.provenance.get("recipe") or {}
    real = real_set_of(syn.dataset, recipe, syn.preprocessing["kind"], context, chosen["dataset"], where=path)
    count, first = (
        chosen["seeds"] or 5,
        recipe.get("seed", 0) if chosen["seed"] is None else chosen["seed"],
    )
    track = chosen["track"] or ("hard" if syn.label_kind == "hard" and chosen["teachers"] is None else "soft")
    if track == "hard" and chosen["labels"] is not None:
        raise UserError("the hard track has no label modes", fix="leave out --labels, or ask for --track soft")
    names = [chosen["network"] or syn.network]
    taken = recipe_of("hard", "S").with_epochs(chosen["epochs"])
    measured = measure(
        syn,
        real,
        track=track,
        labels=chosen["labels"] or "S",
        network=names[0],
        seeds=[first * count + i for i in range(count)],
        **_without_none(
            rates=_rates(chosen["rates"]),
            searches=chosen["searches"],
            weight=weight,
            ars_weight=ars_weight,
        ),
        epochs=chosen["epochs"],
        ars=bool(chosen["ars"]),
        teachers=None if chosen["teachers"] is None else load_teachers(chosen["teachers"]),
        real_accuracy=chosen["real_accuracy"],
        compute=context.shared_out(compute, worth=should_parallelize(syn, taken, names, count)),
        folder=context.home / "ddranking" / "trainings",
    )
    saved = measured.save(context.home / "ddranking")
    if not context.quiet:
        typer.echo(f"ddbench: {measured.trainings} trainings, kept in {saved}", err=True)
    return measured


def _without_none(**options: Any) -> dict[str, Any]:
    """What was said; for the rest the defaults of the called function hold."""
    return {name: value for name, value in options.items() if value is not None}


def _rates(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(rate) for rate in text.split(","))
    except ValueError:
        raise UserError(
            f"{text!r} is not a list of learning rates", fix="numbers with commas between: --rates 0.001,0.01,0.1"
        ) from None
