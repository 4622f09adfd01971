"""``ddbench import``: synthetic sets of other projects, and expert buffers for a recipe."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddbench.commands import options
from ddbench.commands.run_options import DEFAULTS, RunOptions, takes
from ddbench.pipeline.open_recipe import open_image_recipe

if TYPE_CHECKING:
    from ddbench.pipeline.context import RunContext


class SpaceName(StrEnum):
    pixels = "pixels"
    meanstd = "meanstd"
    zca = "zca"
    kip = "kip"


class NumberName(StrEnum):
    position = "position"
    folder_name = "name"


class LabelName(StrEnum):
    hard = "hard"
    probabilities = "probabilities"
    logits = "logits"


@takes("home", "data_root", "seed", "plugin", "quiet")
def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="The file or folder of a synthetic set, or all its parts; or, with --recipe, replay_buffer_*.pt files "
            "of MTT, FTD, TESLA, DATM or AST, or a folder of them.",
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="Whose synthetic set it is (ddbench formats).", show_default=False
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The real data that the set was distilled from (ddbench datasets).", show_default=False
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="Import experts, not a set, for this recipe: it says dataset, network, preprocessing.",
            show_default=False,
        ),
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help="The learned rate of the student, or none where none is learned.", show_default=False
        ),
    ] = None,
    space: Annotated[
        SpaceName | None,
        typer.Option(
            metavar="SPACE",
            help="What the numbers of the images are: pixels in [0, 1], meanstd (standardized), zca or kip (whitened).",
            show_default=False,
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(metavar="M,M,M", help="By which they were standardized, of pixels in [0, 1].", show_default=False),
    ] = None,
    std: Annotated[
        str | None, typer.Option(metavar="S,S,S", help="The deviations that go with --mean.", show_default=False)
    ] = None,
    labels: Annotated[
        LabelName | None,
        typer.Option(
            metavar="KIND", help="What rows of numbers are as labels: probabilities, logits, hard.", show_default=False
        ),
    ] = None,
    labels_are: Annotated[
        NumberName | None,
        typer.Option(
            metavar="KIND",
            help="Of class folders that are called by numbers: whether integers of labels are the position among them, "
            "sorted as text, or the name.",
            show_default=False,
        ),
    ] = None,
    ipc: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Images per class, to be checked.", show_default=False)
    ] = None,
    experiment: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Which of several sets in one file, from 0, or -1 for the last.  [default: the project's own habit]",
            show_default=False,
        ),
    ] = None,
    formation: Annotated[
        int | None,
        typer.Option(min=1, metavar="F", help="Each image holds F x F small ones (IDC's factor).", show_default=False),
    ] = None,
    labels_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Of sets of pictures: labels of each epoch that go with them, epoch_0/batch_0.tar, as SRe2L has.",
            show_default=False,
        ),
    ] = None,
    label_epochs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Only so many epochs of them.  [default: all]", show_default=False),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER",
            help="How images were shuffled for them: sampler:SEED, sampler-old:SEED, listed, a .pt or .npy file.  "
            "[default: SRe2L's sampler:42, where the labels confirm it]",
            show_default=False,
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The network it was distilled with.  [default: convnet-d3 at 32 pixels, -d4 at 64, -d5 at 128]",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What the method is called.  [default: the format's]", show_default=False),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=1, metavar="PIXELS", help="Load the real data in this size.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The .safetensors file to write.  [default: below HOME/imported]"),
    ] = None,
    unscored: Annotated[
        bool,
        typer.Option("--unscored", help="Of experts: take them without seeing that they know the training images."),
    ] = False,
    override: options.Overrides = None,
    shared: RunOptions = DEFAULTS,
) -> None:
    """Take in a synthetic set of another project, to be scored and compared like your own; or experts, with --recipe.

    Nothing in the files is run: those that need unpickling are refused. What a file does not say, such as its learned
    rate or the space of its images, is asked for by name. Say only what you know: it becomes part of every row.
    """
    from ddbench.errors import UserError
    from ddbench.pipeline.import_set import import_set, missing_requirement, parse_facts

    seed, plugin = shared.seed, shared.plugin
    context = replace(shared, device="cpu", quiet=shared.quiet or recipe is not None).context()
    of_set = {
        "--format": format,
        "--dataset": dataset,
        "--lr": lr,
        "--space": space,
        "--mean": mean,
        "--std": std,
        "--labels": labels,
        "--labels-are": labels_are,
        "--ipc": ipc,
        "--experiment": experiment,
        "--formation": formation,
        "--labels-from": labels_from,
        "--label-epochs": label_epochs,
        "--order": order,
        "--network": network,
        "--method": method,
        "--size": size,
        "--out": out,
    }
    if recipe is not None:
        if set_options := [option for option, value in of_set.items() if value is not None]:
            raise UserError(
                f"--recipe is for experts, and {' '.join(set_options)} for synthetic sets",
                fix="leave one side out",
            )
        return import_buffer(files, recipe, override, seed, plugin, context, scored=not unscored)
    if format is None or dataset is None:
        raise missing_requirement(files[0], format, dataset)
    if override or plugin or unscored or seed is not None:
        raise UserError(
            "-o, --plugin, --seed and --unscored are for experts, with --recipe", fix="leave them out for a set"
        )
    facts = parse_facts(
        files[1:],
        lr=lr,
        space=None if space is None else space.value,
        mean=mean,
        std=std,
        labels=None if labels is None else labels.value,
        labels_are=None if labels_are is None else labels_are.value,
        ipc=ipc,
        experiment=experiment,
        formation=formation,
        epoch_labels=labels_from,
        label_epochs=label_epochs,
        order=order,
        network=network,
        method=method,
    )
    import_set(files[0], format, dataset, facts, context, size=size, out=out)


def import_buffer(
    files: list[Path],
    recipe: str,
    override: list[str] | None,
    seed: int | None,
    plugin: list[Path] | None,
    context: RunContext,
    *,
    scored: bool = True,
) -> None:
    """Turn replay buffers of other projects into an expert buffer, where the recipe's runs will find it.

    Args:
        files: As they were given.
        recipe: Says data, network and preprocessing.
        override: Of keys of the recipe.
        seed: Of the recipe, where it is not its own.
        plugin: Files of plugins.
        context: The home, and where data lie.
        scored: Whether a few experts must know the training images.

    Raises:
        UserError: When the recipe needs several buffers, and as in ``import_experts``.
    """
    from ddbench.errors import UserError
    from ddbench.pipeline.dataset_sizes import dataset_facts
    from ddbench.pipeline.imported_experts import import_experts

    pipeline = open_image_recipe(recipe, override, seed, plugin, context)
    if len(pipeline.buffers) != 1:
        raise UserError(
            f"the recipe {pipeline.loaded.name} needs {len(pipeline.buffers)} expert buffers, and one can be imported",
            fix="give a recipe whose methods share one buffer",
        )
    (need,) = pipeline.buffers
    buffer = import_experts(
        files,
        need,
        pipeline.network,
        pipeline.recipe.preprocessing,
        dataset_facts(pipeline),
        lambda: pipeline.real,
        scored=scored,
    )
    typer.echo(f"{len(buffer)} experts of {buffer.epochs} epochs:  {buffer.folder}")
    about = buffer.description.imported or {}
    if about.get("accuracy") is not None:
        right = 100 * about["accuracy"]
        typer.echo(
            f"their last snapshots know {right:.1f} % of the training images, under {pipeline.recipe.preprocessing}"
        )
    for note in buffer.description.notes:
        typer.echo(f"note: {note}")
    if buffer.epochs < need.epochs:
        typer.echo(f"note: the recipe needs {need.epochs} epochs of each, and these have {buffer.epochs}")
    if len(buffer) < need.recipe.count:
        typer.echo(f"note: the recipe asks for {need.recipe.count} experts: -o experts.count={len(buffer)}")
