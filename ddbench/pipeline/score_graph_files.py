"""Scoring and verifying sets of graphs that lie in files, apart from a recipe's stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ddbench.artifact import describe
from ddbench.errors import UserError
from ddbench.evaluate.graphs.make_row import graphs_sha256, make_graph_row
from ddbench.evaluate.graphs.protocols import graph_protocol
from ddbench.evaluate.graphs.score import score_graphs
from ddbench.evaluate.graphs.statistics_baselines import NO_LEARNING
from ddbench.evaluate.graphs.verify import GraphVerification, verify_graph_row
from ddbench.evaluate.leaderboard.row import Row, load_row
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.load import load_graphs
from ddbench.graphs.networks import canonical_graph_network
from ddbench.graphs.synthetic_graphs import KIND, load_synthetic_graphs
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.graph_pipeline import USUAL_PROTOCOL
from ddbench.pipeline.score_files import require_recorded_training, say_what_is_not_covered
from ddbench.runtime.device import choose_device
from ddbench.synthetic.recorded import RecordedRecipe, recorded_dataset, recorded_recipe


def holds_graphs(file: Path) -> bool:
    """Whether a file is a set of graphs.

    Raises:
        UserError: It is no artifact at all.
    """
    return describe(file).get("kind") == KIND


def score_graph_set(
    path: Path,
    context: RunContext,
    *,
    protocol: str | None = None,
    networks: Sequence[str] = (),
    seeds: int | None = None,
    seed: int | None = None,
    dataset: str | None = None,
) -> list[tuple[Row, Path]]:
    """Score the set of graphs in a file.

    What is not said follows the recipe that made it.

    Args:
        seeds: How many fresh networks.
        seed: From which theirs follow.
        dataset: Where the real graphs are to be had now.

    Raises:
        UserError: A set that is damaged or does not say what data it was made from, and as in ``score_graphs``.
    """
    device, syn = choose_device(context.device), load_synthetic_graphs(path)
    say_what_is_not_covered(path)
    recipe = recorded_recipe(syn.provenance.get("recipe"), path, "set of synthetic graphs")
    asked = recipe.evaluation
    told = asked.protocol if "protocol" in asked.model_fields_set else USUAL_PROTOCOL
    by = graph_protocol(protocol or told)
    names = [canonical_graph_network(name) for name in networks or asked.networks or ["gin-sum"]]
    count, first = seeds or asked.seeds, recipe.seed if seed is None else seed
    real, made = graphs_of(syn.dataset, recipe, context, dataset, where=path), []
    for name in names:
        scores = score_graphs(
            syn,
            real,
            protocol=by,
            network=name,
            seeds=[first * count + i for i in range(count)],
            device=device,
            progress=context.progress(),
        )
        row = make_graph_row(syn, real, scores, device=device)
        made.append((row, row.save(context.home / "results")))
    return made


def graphs_of(
    short: str, recipe: RecordedRecipe, context: RunContext, given: str | None = None, *, where: Path | str = "the set"
) -> GraphSet:
    """The real graphs that a set or row was made from, split as its recipe says.

    Args:
        short: Their name in rows, for errors.
        recipe: The one inside the file.
        place: Where the command works.
        given: The name of the data as the user gives it; a name that would run code is taken from the user alone.
        where: The file, for errors.

    Returns:
        The graphs.

    Raises:
        UserError: Nothing says which graphs they are, or the file's name is none that may be followed; as in
            ``load_graphs``.
    """
    if given is None and recipe.dataset is None:
        raise UserError(f"nothing says where the graphs of {short} are", fix="give their name with --dataset NAME")
    return load_graphs(
        given or recorded_dataset(recipe.dataset or "", where),
        validation=recipe.validation,
        seed=recipe.seed,
        home=context.home,
        data_root=context.data_root,
        quiet=context.quiet,
    )


def verify_graph_rows(
    target: Path, set_path: Path | None, context: RunContext, dataset: str | None = None
) -> Iterator[tuple[Path, Row, GraphVerification]]:
    """Verify a row on graphs, or every row that HOME/results has of a set: its file, itself, and what was found.

    Raises:
        UserError: The row's set, or any row of the set, can not be found.
    """
    device = choose_device(context.device)
    if target.suffix == ".json":
        rows = {target: load_row(target)}
    else:
        digest = graphs_sha256(load_synthetic_graphs(target))
        say_what_is_not_covered(target)
        paths = sorted((context.home / "results").rglob("*.json"))
        rows = {path: row for path in paths if (row := load_row(path)).synthetic_sha256 == digest}
        set_path = target
        if not rows:
            raise UserError(
                f"there is no row of {target} under {context.home / 'results'}", fix=f"ddbench evaluate {target}"
            )
    for file, row in rows.items():
        of_set = row.method not in NO_LEARNING
        syn = load_synthetic_graphs(set_path or _find(row, context.home)) if of_set else None
        require_recorded_training(row, file)
        real = graphs_of(row.dataset, recorded_recipe(row.recipe, file), context, dataset, where=file)
        yield file, row, verify_graph_row(row, syn, real, device=device, progress=context.progress())


def _find(row: Row, home: Path) -> Path:
    for path in sorted((home / "runs").glob("*/synthetic*.safetensors")):
        with suppress(UserError):  # a damaged file of another run is no reason to look no further
            if describe(path).get("sha256") == row.synthetic_sha256:
                return path
    raise UserError(
        f"the synthetic set of this row is not under {home / 'runs'}",
        f"hash  {row.synthetic_sha256[:16]}",
        fix="say where it is with --set, or distill it again from the row's recipe",
    )
