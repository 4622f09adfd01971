"""``ddbench nas search``: look for a network with a synthetic set as the judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import nas_options, options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, EXECUTION, RunOptions, takes


@takes(*CONTEXT, *EXECUTION)
def search(
    set: Annotated[
        Path, typer.Argument(metavar="SET", help="A synthetic set (.safetensors), or the folder of its run.")
    ],
    space: nas_options.SpaceName = "convnet-720",
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="Networks trained on the set, at most.")] = 30,
    seconds: Annotated[
        float | None,
        typer.Option(min=0, metavar="S", help="Of training on the set, at most.  [default: any]", show_default=False),
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many are trained on real data in the end.")] = 3,
    seeds: nas_options.Seeds = 1,
    compare: Annotated[bool, typer.Option("--compare", help="Also search at random, under the same budget.")] = False,
    epochs: nas_options.Epochs = None,
    augmentation: nas_options.Augment = None,
    seed: nas_options.DrawSeed = 0,
    dataset: options.Dataset = None,
    shared: RunOptions = DEFAULTS,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Let Optuna search a space of networks by training them on a synthetic set; then train the best on real data.

    Beside them convnet-d3 is trained, to compare. Every network is kept as soon as it is trained: the same command goes
    on. Needs Optuna (pip install 'optuna>=3.6').
    """
    from ddbench.evaluate.nas import search as search_networks
    from ddbench.evaluate.nas import space as space_named
    from ddbench.evaluate.nas.samplers import require_optuna
    from ddbench.evaluate.nas.search_report import render_search
    from ddbench.pipeline.real_set import real_set_of
    from ddbench.synthetic.synthetic_set import load_synthetic

    require_optuna()
    by = shared.executors()
    context, of, protocol = (
        shared.context(by),
        space_named(space),
        nas_options.recipe_of(epochs, augmentation),
    )
    syn = load_synthetic(options.set_file(set))
    real = real_set_of(
        syn.dataset, syn.provenance.get("recipe") or {}, syn.preprocessing["kind"], context, dataset, where=set
    )
    worth = nas_options.worth_sharing(real, protocol, of.networks[:top], seeds)
    with by:
        result = search_networks(
            syn,
            real,
            folder=context.home,
            space=of,
            trials=trials,
            seconds=seconds,
            top=top,
            seeds=seeds,
            seed=seed,
            compare=compare,
            protocol=protocol,
            compute=context.shared_out(replace(context.compute, compile="off"), worth=worth),
        )
    typer.echo(render_search(result, format.value))
