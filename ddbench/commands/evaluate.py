"""``ddbench evaluate``: score synthetic sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddbench.commands import options


def evaluate(
    target: Annotated[str, typer.Argument(metavar="SET|RECIPE", help="A synthetic set (.safetensors), or a recipe.")],
    protocol: Annotated[
        str | None, typer.Option(help="How fresh networks are trained (ddbench protocols).", show_default=False)
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(help="Which fresh networks; may be repeated.  [default: the set's own]", show_default=False),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many fresh networks of each kind.", show_default=False)
    ] = None,
    override: options.Overrides = None,
    home: options.Home = None,
    data_root: options.DataRoot = None,
    device: options.Device = "auto",
    seed: options.Seed = None,
    plugin: options.Plugin = None,
    quiet: options.Quiet = False,
    format: options.Format = options.TableFormat.text,
) -> None:
    """Train fresh networks on synthetic sets, score them on the real test set, and keep the rows."""
    from ddbench.evaluate.table import render

    where = options.place(home, data_root, device, quiet)
    if target.endswith(".safetensors"):
        from ddbench.commands.scoring import score_set

        scored = score_set(Path(target), where, protocol=protocol, networks=network or [], seeds=seeds)
    else:
        chosen = {"evaluation.protocol": protocol, "evaluation.seeds": seeds}
        extra = [f"{key}={value}" for key, value in chosen.items() if value is not None]
        extra += [f"evaluation.networks=[{', '.join(network)}]"] if network else []
        pipeline = options.open_recipe(target, [*(override or []), *extra], seed, plugin, where)
        scored = [entry for job in pipeline.jobs for entry in pipeline.evaluate(job)]
    typer.echo(render([row for row, _ in scored], format.value))
