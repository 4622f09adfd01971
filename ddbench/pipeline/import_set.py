"""A synthetic set of another project, from its files to one of ours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from ddbench.artifact import fingerprint, tensors_sha256
from ddbench.data import RealSet, load_dataset
from ddbench.data.sources import check_dataset_name
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import without_paths
from ddbench.formats.assemble import assemble
from ddbench.formats.fkd import require_labels_used
from ddbench.formats.reader import READERS, Facts
from ddbench.formats.recognize import looks_like
from ddbench.networks import canonical_network_name
from ddbench.pipeline.context import RunContext
from ddbench.runtime.home import home_folder
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic


def import_set(
    path: Path,
    format: str,
    dataset: str,
    facts: Facts,
    context: RunContext,
    *,
    size: int | None = None,
    out: Path | None,
) -> Path:
    """Read the files of another project, write one synthetic set, and print its description and the next commands.

    Args:
        path: File or folder of the project.
        format: Name of the project's format, as ``ddbench formats`` lists it.
        dataset: Name of the real data that it was distilled from.
        facts: Facts that the files do not have, such as the network and the learning rate.
        context: Home and data root.
        size: Size in which the real data is loaded, in pixels; None is its own.
        out: The file to write; None for one below HOME/imported named after what is in it.

    Returns:
        File of the set.

    Raises:
        UserError: As in the layout and ``assemble``, and when another file lies at ``out``.
    """
    layout = READERS.get(format)
    check_dataset_name(dataset)
    if facts.network is not None:
        canonical_network_name(facts.network)
    if out is not None and (out.suffix != ".safetensors" or out.is_dir()):
        raise UserError(f"{out} is no name for a synthetic set", fix=f"--out {out.with_suffix('.safetensors')}")
    facts = replace(facts, class_folders=dataset.startswith("folder:"))
    real = _real_data(dataset, facts, context, size)
    read = layout.read(path, facts, real)
    require_labels_used(facts, read)
    recipe = {"dataset": without_paths(dataset), "seed": 0, "validation": 0.0}
    recipe |= {} if size is None else {"size": size}
    syn = assemble(read, facts, real, format=format, recipe=recipe)
    target = _target(syn, context.home) if out is None else out
    _require_free(target, syn)
    syn.save(target)
    typer.echo(_about(syn))
    for note in syn.provenance["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(str(target))
    repeated = _options(dataset, context)
    typer.echo(f"next: ddbench evaluate {shlex.quote(str(target))}{repeated}")
    typer.echo(f"      ddbench verify {shlex.quote(str(target))} --published{repeated}")
    return target


def parse_facts(
    others: Sequence[Path], *, lr: str | None, mean: str | None, std: str | None, space: Any, labels: Any, **plain: Any
) -> Facts:
    """Read the options of the command line as facts.

    Args:
        others: Further files of the set.
        lr: A number, or ``none`` for a set without a learned rate; None leaves it to the file.
        mean: Numbers by channel with commas between; None leaves them to the format.
        std: As ``mean``.
        space: Preprocessing that the images are in.
        labels: Kind of labels.
        **plain: Fields of ``Facts`` that need no reading.

    Returns:
        The facts.

    Raises:
        UserError: Text that is not a number.
    """
    rate = "none" if lr == "none" else None if lr is None else _number(lr, "--lr")
    return Facts(
        others=tuple(others),
        lr=rate,
        mean=_numbers(mean, "--mean"),
        std=_numbers(std, "--std"),
        space=space,
        labels=labels,
        **plain,
    )


def missing_requirement(path: Path, format: str | None, dataset: str | None) -> UserError:
    """Make the error for a call that lacks the format of the files or the name of their data.

    Args:
        path: The files, whose name may hint at the format.
        format: The format, where it is given.
        dataset: The data set, where it is given.

    Returns:
        The error, to be raised.
    """
    formats = looks_like(path) if format is None else ()
    hint = f"hint  by its name it could be {' or '.join(formats)}" if formats else ""
    if format is None and dataset is None:
        return UserError(
            f"what is in {path}?",
            "set      --format NAME --dataset NAME, for a synthetic set of another project",
            "experts  --recipe RECIPE, for replay_buffer_*.pt",
            hint,
            fix="say one of the two; ddbench import --help says how, ddbench formats which",
        )
    if format is None:
        return UserError(
            f"of which format is {path}?",
            hint,
            fix=f"say it with --format{f' {formats[0]}' if formats else ''}; ddbench formats lists what there is",
        )
    return UserError(
        f"from which data was {path} distilled?",
        fix="say it with --dataset, such as --dataset cifar10; ddbench datasets lists what there is",
    )


def _real_data(dataset: str, facts: Facts, context: RunContext, size: int | None) -> RealSet:
    return load_dataset(
        dataset,
        preprocessing=facts.space if facts.space in ("zca", "kip") else "meanstd",
        validation=0.0,
        home=context.home,
        data_root=context.data_root,
        size=size,
        quiet=context.quiet,
    )


def _target(syn: SyntheticSet, home: Path) -> Path:
    name = f"{syn.dataset}-{syn.method}-ipc{syn.ipc}-{fingerprint(_identity(syn))[:8]}"
    return home / "imported" / f"{re.sub(r'[^A-Za-z0-9._+-]+', '-', name)}.safetensors"


def _require_free(path: Path, syn: SyntheticSet) -> None:
    """Errors: UserError when something else lies there; the same set may be imported again."""
    if path.exists() and _identity(load_synthetic(path)) != _identity(syn):
        raise UserError(f"another file lies at {path}", fix="give another one with --out, or delete that one")


def _identity(syn: SyntheticSet) -> list[Any]:
    """All that tells one imported set from another."""
    return [tensors_sha256(syn.tensors()), syn.preprocessing, syn.network, syn.method, syn.provenance]


def _about(syn: SyntheticSet) -> str:
    shape = "x".join(str(side) for side in syn.images.shape[1:])
    mosaic = f", each of {syn.formation} x {syn.formation} small ones" if syn.formation > 1 else ""
    rate = "no learned rate" if syn.student_lr is None else f"learned rate {syn.student_lr.item():.6g}"
    return (
        f"{syn.method} on {syn.dataset}, ipc {syn.ipc}: {len(syn)} images {shape}{mosaic}, {syn.label_kind} labels, "
        f"{rate}, {syn.preprocessing['kind']}"
    )


def _options(dataset: str, context: RunContext) -> str:
    """What the next commands must be told again."""
    words = []
    if ":" in dataset and not dataset.startswith("hub:"):
        words += ["--dataset", dataset]
    if context.home != home_folder():
        words += ["--home", str(context.home)]
    if context.data_root is not None:
        words += ["--data-root", str(context.data_root)]
    return "".join(f" {shlex.quote(word)}" for word in words)


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        more = ", or none" if option == "--lr" else ""
        raise UserError(f"{text!r} is no number", f"from  {option}", fix=f"give a number such as 0.02{more}") from None


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    return None if text is None else tuple(_number(part.strip(), option) for part in text.split(","))
