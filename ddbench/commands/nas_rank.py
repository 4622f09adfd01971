"""``ddbench nas rank``: how well synthetic sets rank networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import nas_options, options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, EXECUTION, RunOptions, takes


@takes(*CONTEXT, *EXECUTION)
def rank(
    sets: Annotated[
        list[Path], typer.Argument(metavar="SET...", help="Synthetic sets (.safetensors), or folders of their runs.")
    ],
    space: nas_options.SpaceName = "convnet-36",
    networks: nas_options.Count = None,
    seeds: nas_options.Seeds = 3,
    baselines: Annotated[
        str,
        typer.Option(
            metavar="NAME,NAME,...",
            help="random (as many random images as a set has), early-stopping (all images, as many updates as on a "
            "set), parameters (their number, without training), or none.",
        ),
    ] = "random,early-stopping",
    epochs: nas_options.Epochs = None,
    augmentation: nas_options.Augment = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table of true accuracies, of ddbench nas truth or with columns arch,accuracy (.csv, .json); its "
            "networks are ranked, and nothing is trained on all real data.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw the scores against the truth (.png).", show_default=False),
    ] = None,
    part: nas_options.Part = None,
    seed: nas_options.DrawSeed = 0,
    dataset: options.Dataset = None,
    shared: RunOptions = DEFAULTS,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Train networks on synthetic sets, on baselines, and on real data, and compare the rankings.

    Networks are ranked on the validation split; test accuracies are told of the networks chosen alone. Every network is
    kept as soon as it is trained: the same command goes on.
    """
    from ddbench.evaluate.nas import rank as rank_networks
    from ddbench.evaluate.nas import read_truth
    from ddbench.evaluate.nas import space as space_named
    from ddbench.evaluate.nas.report import render
    from ddbench.evaluate.nas.scatter import scatter
    from ddbench.pipeline.real_set import real_set_of
    from ddbench.synthetic.synthetic_set import load_synthetic

    nas_options.require_ending(plot, ".png")
    by = shared.executors()
    context, of, protocol = (
        shared.context(by),
        space_named(space),
        nas_options.recipe_of(epochs, augmentation),
    )
    baseline_names = [] if baselines == "none" else [name.strip() for name in baselines.split(",") if name.strip()]
    pieces, table = nas_options.part_of(part), None if truth is None else read_truth(truth, of)
    loaded = [load_synthetic(options.set_file(path)) for path in sets]
    first = loaded[0]
    recipe = first.provenance.get("recipe") or {}
    real = real_set_of(first.dataset, recipe, first.preprocessing["kind"], context, dataset, where=sets[0])
    worth = nas_options.worth_sharing(real, protocol, of.networks[: networks or None], seeds)
    with by:
        ranking = rank_networks(
            loaded,
            real,
            folder=context.home,
            space=of,
            baselines=baseline_names,
            networks=networks,
            seeds=seeds,
            seed=seed,
            protocol=protocol,
            truth=table,
            part=pieces,
            compute=context.shared_out(replace(context.compute, compile="off"), worth=worth),
        )
    if plot is not None:
        scatter(ranking, plot)
    typer.echo(render(ranking, format.value))
