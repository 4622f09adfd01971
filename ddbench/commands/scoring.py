"""Scoring and verifying sets that lie in files, apart from a recipe's stages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddbench.artefact import describe
from ddbench.commands.place import Place
from ddbench.data import RealSet, load_dataset
from ddbench.errors import UserError
from ddbench.evaluate.make_row import make_row
from ddbench.evaluate.protocols import protocol as protocol_named
from ddbench.evaluate.rows import Row, load_row, load_rows
from ddbench.evaluate.score import score
from ddbench.evaluate.verify import Verification, verify
from ddbench.execution import choose_device
from ddbench.networks import canonical_network_name
from ddbench.synthetic import SyntheticSet, load_synthetic

_REAL = ("preprocessing", "validation", "seed", "size")
"""What a recipe says of the real data beside its name."""


def score_set(
    path: Path, place: Place, *, protocol: str | None, networks: list[str], seeds: int | None
) -> list[tuple[Row, Path]]:
    """Score the synthetic set in a file. What is not said follows the recipe that made it.

    Errors: UserError for a set that is damaged or does not say what data it was made from, and as in ``score``.
    """
    device, syn = choose_device(place.device), load_synthetic(path)
    recipe = syn.provenance.get("recipe") or {}
    asked = recipe.get("evaluation", {})
    by = protocol_named(protocol or asked.get("protocol", "mtt-v1"))
    names = [canonical_network_name(name) for name in networks or asked.get("networks") or [syn.network]]
    count, seed = seeds or asked.get("seeds", 5), recipe.get("seed", 0)
    real = real_set_of(syn.dataset, recipe, syn.preprocessing["kind"], place).to(device)
    rows = []
    for name in names:
        scores = score(
            syn,
            real,
            protocol=by,
            network=name,
            seeds=[seed * count + i for i in range(count)],
            device=device,
            progress=place.progress(),
        )
        row = make_row(
            syn,
            real,
            scores,
            selection=syn.provenance.get("selection", "last"),
            device=device,
            label=syn.provenance.get("label"),
            student=syn.network,
        )
        rows.append((row, row.save(place.home / "results")))
    return rows


def real_set_of(dataset: str, recipe: dict[str, Any], preprocessing: str, place: Place) -> RealSet:
    """The real data that a set or row was made from, as its recipe says."""
    asked = {"preprocessing": preprocessing, **{key: recipe[key] for key in _REAL if key in recipe}}
    name = recipe.get("dataset", dataset)
    return load_dataset(name, home=place.home, data_root=place.data_root, quiet=place.quiet, **asked)


def verify_rows(target: Path, set_path: Path | None, place: Place) -> Iterator[tuple[Row, Verification]]:
    """Verify a row, or every row that HOME/results has of a synthetic set.

    Errors: UserError when the row's set, or any row of the set, can not be found.
    """
    device = choose_device(place.device)
    if target.suffix == ".json":
        rows = [load_row(target)]
        file = set_path or find_set(rows[0], place.home)
    else:
        file, digest = target, describe(target)["sha256"]
        known = load_rows([place.home / "results"]) if (place.home / "results").exists() else []
        rows = [row for row in known if row.synthetic_sha256 == digest]
        if not rows:
            raise UserError(f"there is no row of {target} under {place.home / 'results'}", fix="ddbench evaluate SET")
    syn: SyntheticSet = load_synthetic(file)
    for row in rows:
        real = real_set_of(row.dataset, row.recipe, syn.preprocessing["kind"], place).to(device)
        yield row, verify(row, syn, real, device=device, progress=place.progress())


def find_set(row: Row, home: Path) -> Path:
    """The file under HOME/runs that holds the row's synthetic set. Errors: UserError when there is none."""
    for path in sorted((home / "runs").glob("*/synthetic.safetensors")):
        if describe(path)["sha256"] == row.synthetic_sha256:
            return path
    raise UserError(
        f"the synthetic set of this row is not under {home / 'runs'}",
        f"hash  {row.synthetic_sha256[:16]}",
        fix="say where it is with --set, or distil it again from the row's recipe",
    )
