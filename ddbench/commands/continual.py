"""``ddbench continual``: classes come step by step, and synthetic sets are all that is kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options
from ddbench.commands.run_options import CONTEXT, DEFAULTS, RunOptions, takes
from ddbench.errors import UserError
from ddbench.pipeline.open_recipe import open_image_recipe


@takes(*CONTEXT, "seed", "plugin", "checkpoint_seconds")
def continual(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|SET|FILES",
            help="A recipe, of which each step's classes are distilled by themselves; or a synthetic set of all "
            "classes (.safetensors, or the folder of its run), which is parted by class; or DatasetCondensation's "
            "cl_*_seed*.pt, one a class order, with --dataset.",
        ),
    ],
    steps: Annotated[
        int, typer.Option(min=1, metavar="N", help="In how many steps the classes come; files say it themselves.")
    ] = 5,
    orders: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many orders of the classes, from number 0; published are 5.")
    ] = 1,
    networks: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many fresh networks are trained at every step.")
    ] = 3,
    protocol: Annotated[str, typer.Option(metavar="NAME", help="How they are trained (ddbench protocols).")] = "dsa-v1",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="For so many epochs, instead of the protocol's.", show_default=False),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Which network is trained.  [default: the one distilled with]", show_default=False
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL", help="Only this method of the recipe. May be repeated.  [default: all]", show_default=False
        ),
    ] = None,
    bound: Annotated[
        bool, typer.Option("--bound", help="Also train on all real images of the classes seen (real-v1).")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the curves to a PNG file.", show_default=False)
    ] = None,
    dataset: options.Dataset = None,
    override: options.Overrides = None,
    shared: RunOptions = DEFAULTS,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Learn classes step by step, with synthetic sets for memory, and print the accuracy after every step.

    At every step networks are trained from scratch on the sets of all classes seen so far, and tested on these classes.
    What is done is kept under HOME/continual, so the same command goes on where it was stopped.
    """
    from ddbench.evaluate.continual.curve import curves_of
    from ddbench.evaluate.continual.plot import plot as draw
    from ddbench.evaluate.continual.table import caption, render
    from ddbench.evaluate.protocols.builtin import protocol as protocol_named
    from ddbench.pipeline.continual import ContinualOptions, bounds, file_points, recipe_points, set_points

    context = shared.context()
    by, bound_by = protocol_named(protocol, "--protocol"), protocol_named("real-v1")
    by, bound_by = by.with_epochs(epochs), bound_by.with_epochs(epochs)
    settings = ContinualOptions(steps=steps, orders=orders, networks=networks, network=network, protocol=by)
    target = targets[0]
    files = [Path(name) if name.endswith(".pt") else options.set_file(Path(name)) for name in targets]
    if any(file.suffix in (".safetensors", ".pt") for file in files) and (override or shared.plugin or method):
        raise UserError(
            f"-o, --plugin and --method are about a recipe, and {target} is a file of images",
            fix="leave them out, or give a recipe",
        )
    if all(file.suffix == ".pt" for file in files):
        evaluator, points = file_points(files, settings, context, dataset, shared.seed)
    elif len(targets) > 1:
        raise UserError(f"{targets[1]} is one target too many", fix="give one recipe, one set, or .pt files alone")
    elif files[0].suffix == ".safetensors":
        evaluator, points = set_points(files[0], settings, context, dataset, shared.seed)
    else:
        extra = [] if dataset is None else [f"dataset={dataset}"]
        pipeline = open_image_recipe(target, [*(override or []), *extra], shared.seed, shared.plugin, context)
        evaluator, points = recipe_points(pipeline, settings, method or [])
    answers = list(points)
    if bound:
        answers += bounds(evaluator, answers, bound_by)
    curves = curves_of(answers)
    documents = [curve.save(context.home) for curve in curves]
    if plot is not None:
        draw(curves, plot)
    typer.echo(render(curves, format.value))
    if format is options.TableFormat.text and not shared.quiet:
        typer.echo("\n".join(["", caption(curves), "", "curves:", *(f"  {document}" for document in documents)]))
