"""``ddbench teach``: train teachers, who label images, and whom some methods distill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands.run_options import CONTEXT, DEFAULTS, RunOptions, takes


@takes(*CONTEXT, "seed", "checkpoint_seconds", "compile")
def teach(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="What they are to learn (ddbench datasets).")],
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A network to train (ddbench networks), or published weights to fetch, such as "
            "torchvision:resnet18@IMAGENET1K_V1; may be repeated, and teachers are averaged.  [default: resnet18-bn]",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[
        str, typer.Option(metavar="NAME", help="How they are trained: real-v1, or squeeze-v1, as decoupled methods do.")
    ] = "real-v1",
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="How long each is trained.  [default: the protocol's 200]", show_default=False
        ),
    ] = None,
    preprocessing: Annotated[
        str, typer.Option(metavar="KIND", help="identity, meanstd, zca or kip; that of the sets they are to label.")
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
    shared: RunOptions = DEFAULTS,
) -> None:
    """Train networks on the whole training split, to label what fresh networks see (ddbench evaluate --teachers FILE).

    Each goes into a file of its own, so a command that is repeated trains only what is missing; one that was killed
    goes on where it was.
    """
    from ddbench.data import load_dataset
    from ddbench.errors import UserError
    from ddbench.evaluate.protocols.builtin import teaching_protocol
    from ddbench.evaluate.train_teachers import train_teachers
    from ddbench.training.pretrained import canonical_teacher

    context = shared.context()
    teaching_protocol(protocol, "--protocol")
    names = [canonical_teacher(name, "--network") for name in network or ["resnet18-bn"]]
    if out is not None and out.suffix != ".safetensors":
        raise UserError(
            f"teachers are kept in a .safetensors file, not in {out.name}", fix=f"--out {out.stem}.safetensors"
        )
    real = load_dataset(
        dataset,
        preprocessing=preprocessing,
        validation=validation,
        seed=shared.seed or 0,
        home=context.home,
        data_root=context.data_root,
        size=size,
        quiet=shared.quiet,
    )
    folder = context.home / "teachers"
    teachers = train_teachers(
        real.to(context.compute.device),
        names,
        folder,
        protocol=protocol,
        epochs=epochs,
        seed=shared.seed or 0,
        compute=context.compute,
    )
    file = out or folder / f"{real.name.replace(':', '-')}-{teachers.fingerprint}.safetensors"
    teachers.save(file)
    for name, accuracy in zip(teachers.names, teachers.accuracy, strict=True):
        typer.echo(f"{name}: {100 * accuracy:.1f} % on the test split")
    typer.echo(f"checksum:  {teachers.fingerprint}")
    typer.echo(f"teachers:  {file}")
