"""``ddbench evaluate``: score synthetic sets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, EXECUTION, RunOptions, takes
from ddbench.errors import UserError
from ddbench.pipeline.open_recipe import open_recipe


class Rates(StrEnum):
    protocol = "protocol"
    search = "search"


@takes(*CONTEXT, "seed", "plugin", "compile", *EXECUTION)
def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SET|RECIPE", help="A synthetic set (.safetensors), or the folder of its run, or a recipe."
        ),
    ],
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How fresh networks are trained (ddbench protocols).  [default: the recipe's]",
            show_default=False,
        ),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Which fresh networks (ddbench networks), or a pool of them, such as mtt-pool (ddbench pools). May be "
            "repeated.  [default: the recipe's]",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="How many fresh networks of each kind.  [default: the recipe's]",
            show_default=False,
        ),
    ] = None,
    lr: Annotated[
        Rates | None,
        typer.Option(
            help="Where the learning rate comes from: the protocol, or a search on validation among the same rates for "
            "every method.  [default: the pool's or protocol's]",
            show_default=False,
        ),
    ] = None,
    teachers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Who label, under a protocol that needs teachers (ddbench teach makes them).",
            show_default=False,
        ),
    ] = None,
    validation: options.Validation = None,
    dataset: options.Dataset = None,
    override: options.Overrides = None,
    shared: RunOptions = DEFAULTS,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Train fresh networks on synthetic sets, score them on the real test set, and keep the rows.

    For a synthetic set, all that is not said follows the recipe that made it. For a recipe, whatever it needs first is
    done first.
    """
    from ddbench.evaluate.leaderboard.render import render

    with shared.executors() as by:
        context = shared.context(by)
        file = options.set_file(Path(target))
        if file.suffix == ".safetensors":
            from ddbench.pipeline.score_files import score_set
            from ddbench.pipeline.set_evaluation import SetOptions

            if override or shared.plugin:
                raise UserError(
                    f"-o and --plugin change a recipe, and {target} is a synthetic set",
                    fix="use --protocol, --network, --seeds, --seed and --dataset",
                )
            set_options = SetOptions(
                protocol=protocol,
                networks=network or [],
                seeds=seeds,
                seed=shared.seed,
                dataset=dataset,
                lr=lr and lr.value,
                teachers=teachers,
                validation=validation,
            )
            scored = score_set(file, context, set_options)
        else:
            if validation is not None:
                raise UserError("a recipe says itself what is held back", fix=f"-o validation={validation:g}")
            if teachers is not None:
                raise UserError(
                    "a recipe names its teachers itself",
                    f"given --teachers {teachers}",
                    fix="-o 'evaluation.teachers={networks: resnet18-bn, epochs: 200}'",
                )
            chosen = {
                "evaluation.protocol": protocol,
                "evaluation.seeds": seeds,
                "evaluation.lr": lr and lr.value,
                "dataset": dataset,
            }
            extra = [f"{key}={value}" for key, value in chosen.items() if value is not None]
            extra += [f"evaluation.networks=[{', '.join(network)}]"] if network else []
            scored = open_recipe(target, [*(override or []), *extra], shared.seed, shared.plugin, context).rows()
        typer.echo(render([row for row, _ in scored], format.value))
