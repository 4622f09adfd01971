"""``ddbench nas truth`` and ``ddbench nas spaces``: what networks reach on real data, and which networks there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import nas_options, options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, EXECUTION, RunOptions, takes


@takes(*CONTEXT, *EXECUTION)
def truth(
    dataset: Annotated[str, typer.Option(metavar="NAME", help="The real data (ddbench datasets).")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The table to write (.csv or .json).")],
    space: nas_options.SpaceName = "convnet-36",
    networks: nas_options.Count = None,
    seeds: nas_options.Seeds = 3,
    epochs: nas_options.Epochs = None,
    augmentation: nas_options.Augment = None,
    test: Annotated[
        bool, typer.Option("--test", help="Also the test accuracy of every network, which takes a second training.")
    ] = False,
    preprocessing: Annotated[str, typer.Option(metavar="NAME", help="meanstd, zca, kip or identity.")] = "meanstd",
    validation: Annotated[
        float, typer.Option(metavar="FRACTION", help="Of the training images, that networks are ranked on.")
    ] = 0.1,
    part: nas_options.Part = None,
    seed: nas_options.DrawSeed = 0,
    shared: RunOptions = DEFAULTS,
) -> None:
    """Train networks on real data, and write a small table that ddbench nas rank --truth reads, here or elsewhere.

    Its header says what the accuracies depend on. Every network is kept as soon as it is trained: the same command goes
    on, and ddbench nas rank uses what is there.
    """
    from ddbench.data import load_dataset
    from ddbench.evaluate.nas import space as space_named
    from ddbench.evaluate.nas import true_accuracies, write_truth

    nas_options.require_ending(out, ".csv", ".json")
    by = shared.executors()
    context, of, protocol = (
        shared.context(by),
        space_named(space),
        nas_options.recipe_of(epochs, augmentation),
    )
    pieces = nas_options.part_of(part)
    real = load_dataset(
        dataset,
        preprocessing=preprocessing,
        validation=validation,
        seed=seed,
        home=context.home,
        data_root=shared.data_root,
        quiet=shared.quiet,
    )
    worth = nas_options.worth_sharing(real, protocol, of.networks[: networks or None], seeds)
    with by:
        accuracies = true_accuracies(
            real,
            folder=context.home,
            space=of,
            networks=networks,
            seeds=seeds,
            seed=seed,
            protocol=protocol,
            test=test,
            part=pieces,
            compute=context.shared_out(replace(context.compute, compile="off"), worth=worth),
        )
    write_truth(accuracies, out)
    typer.echo(f"{len(accuracies.accuracy)} networks of {of.name} on {real.name}: {out}")


def spaces(format: options.TableFormat = options.TableFormat.text) -> None:
    """List the spaces of networks, with their axes."""
    from ddbench.commands.listings import print_table
    from ddbench.evaluate.nas import SPACES

    table = [
        {"space": of.name, "networks": len(of), "what": of.title, "example": of.networks[-1]} for of in SPACES.values()
    ]
    print_table(table, format)
