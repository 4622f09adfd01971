"""``ddbench teach``: train teachers, who label images while sets are evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options


def teach(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="What they are to learn (ddbench datasets).")],
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A network (ddbench networks); may be repeated, and teachers are averaged.  [default: resnet18-bn]",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="How long each is trained.")] = 200,
    preprocessing: Annotated[
        str, typer.Option(metavar="KIND", help="identity, meanstd or zca; that of the sets they are to label.")
    ] = "meanstd",
    validation: Annotated[
        float, typer.Option(min=0.0, max=0.9, metavar="SHARE", help="Share of training images they never see.")
    ] = 0.1,
    size: Annotated[
        int | None,
        typer.Option(min=1, metavar="PIXELS", help="Side that images are resized to.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where they go.  [default: under HOME/teachers]", show_default=False),
    ] = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    seed: options.Seed = None,
    quiet: options.Quiet = False,
) -> None:
    """Train networks on the whole training split, to label what fresh networks see (ddbench evaluate --teachers FILE).

    Each goes into a file of its own, so a command that is repeated trains only what is missing.
    """
    from ddbench.data import load_dataset
    from ddbench.errors import UserError
    from ddbench.evaluate.teaching import train_teachers
    from ddbench.execution import choose_device

    where = options.place(home, data_root, device, quiet)
    if out is not None and out.suffix != ".safetensors":
        raise UserError(
            f"teachers are kept in a .safetensors file, not in {out.name}", fix=f"--out {out.stem}.safetensors"
        )
    real = load_dataset(
        dataset,
        preprocessing=preprocessing,
        validation=validation,
        seed=seed or 0,
        home=where.home,
        data_root=where.data_root,
        size=size,
        quiet=quiet,
    )
    chosen, folder = choose_device(device), where.home / "teachers"
    names = network or ["resnet18-bn"]
    found = train_teachers(
        real.to(chosen), names, folder, epochs=epochs, seed=seed or 0, device=chosen, progress=where.progress
    )
    file = out or folder / f"{real.name.replace(':', '-')}-{found.fingerprint}.safetensors"
    found.save(file)
    for name, accuracy in zip(found.networks, found.accuracy, strict=True):
        typer.echo(f"{name}: {100 * accuracy:.1f} % on the test split")
    typer.echo(f"teachers:  {file}")
