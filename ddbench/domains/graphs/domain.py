"""The domain of graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ddbench.domains.graphs.baselines import graph_baselines
from ddbench.domains.graphs.evaluator import GraphEvaluator
from ddbench.errors import UserError
from ddbench.evaluate.graphs.make_row import make_reference_row
from ddbench.evaluate.graphs.protocols import GRAPH_PROTOCOLS, GraphProtocol, graph_protocol
from ddbench.evaluate.graphs.score import GraphScores, score_graphs
from ddbench.evaluate.graphs.statistics_baselines import NO_LEARNING, score_no_learning
from ddbench.evaluate.graphs.verify import GraphVerification, verify_graph_row
from ddbench.evaluate.leaderboard.row import Row
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.load import NotHereError, load_graphs
from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.graphs.networks import GRAPH_NETWORKS, canonical_graph_network
from ddbench.graphs.synthetic_graphs import KIND, SyntheticGraphs, load_synthetic_graphs
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.domain import Domain
from ddbench.pipeline.expand_recipe import JobSpec
from ddbench.pipeline.pipeline import Pipeline
from ddbench.recipe.recipe import LoadedRecipe
from ddbench.runtime.compute import Compute


class GraphDomain(Domain):
    """Graphs, whose methods make a set at once, and beside which statistics without a network stand."""

    name = "graphs"
    set_kind = KIND
    set_type = SyntheticGraphs
    method_kinds = (GraphMethod,)
    usual_network = "gin-sum"

    def network(self, name: str, where: str = "") -> str:
        return canonical_graph_network(name, where)

    def protocol(self, name: str | None, where: str = "") -> GraphProtocol:
        return graph_protocol(name or "graphs-v1", where)

    def network_rows(self) -> list[dict[str, Any]]:
        return [{"name": name, "parameters": None, "note": f"graphs: {note}"} for name, note in GRAPH_NETWORKS.items()]

    def protocol_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "protocol": protocol.key,
                "what": f"graphs: {protocol.title}",
                "epochs": None,
                "labels": "the set's",
                "fingerprint": protocol.fingerprint,
                "source": protocol.source,
            }
            for protocol in GRAPH_PROTOCOLS.values()
        ]

    def load(self, name: str, *, context: RunContext, **options: Any) -> GraphSet:
        folders = {"home": context.home, "data_root": context.data_root}
        return load_graphs(name, **folders, quiet=context.quiet, **options)

    def load_set(self, file: Path) -> SyntheticGraphs:
        return load_synthetic_graphs(file)

    def task(self, real: GraphSet, method: str, provenance: Mapping[str, Any]) -> GraphTask:
        return GraphTask(real=real, method=method, provenance=provenance)

    def baselines(self, loaded: LoadedRecipe, specs: Sequence[JobSpec]) -> Iterable[JobSpec]:
        return graph_baselines(specs)

    def evaluator(self, **common: Any) -> GraphEvaluator:
        return GraphEvaluator(**common)

    def score(
        self,
        syn: SyntheticGraphs,
        real: GraphSet,
        *,
        protocol: str | None,
        network: str | None,
        seeds: Sequence[int],
        compute: Compute,
        **options: Any,
    ) -> GraphScores:
        if extra := [name for name, value in options.items() if value is not None]:
            raise UserError(f"{extra[0]} does not apply to graphs", fix=f"remove {extra[0]}")
        asked = {"protocol": protocol or "graphs-v1", "network": network or self.usual_network}
        return score_graphs(syn, real, **asked, seeds=seeds, compute=compute)

    def references(self, pipeline: Pipeline) -> Iterator[tuple[Row, Path]]:
        """Score the statistics that need no network, and save a row of each for every network and ipc.

        Args:
            pipeline: The recipe.

        Yields:
            Each row and its file.
        """
        recipe, real, device = pipeline.recipe, pipeline.real, pipeline.compute.device
        data = {"name": pipeline.loaded.name, "dataset": recipe.dataset}
        how = {"validation": recipe.validation, "seed": recipe.seed, "evaluation": pipeline.evaluation_facts}
        for name in NO_LEARNING:
            for network in pipeline.networks:
                scores = score_no_learning(name, real, protocol=pipeline.protocol.key, network=network)
                for ipc in recipe.ipc:
                    facts = {**data, "ipc": [ipc], **how}
                    row = make_reference_row(name, ipc, real, scores, recipe=facts, device=device)
                    yield row, row.save(pipeline.results)

    def has_set(self, row: Row) -> bool:
        return row.method not in NO_LEARNING

    def verify(self, row: Row, syn: Any, real: Any, *, context: RunContext, teachers: Path | None) -> GraphVerification:
        if teachers is not None:
            raise UserError("--teachers is about images, and this is about graphs", fix="leave --teachers out")
        return verify_graph_row(row, syn, real, compute=context.compute)

    def draw(self, syn: SyntheticGraphs, target: Path, home: Path) -> None:
        from ddbench.figures.graph_grid import draw_graphs

        draw_graphs(syn, target)

    def thumbnail(self, syn: SyntheticGraphs, home: Path, limit: int) -> bytes:
        from ddbench.figures.thumbnails import graph_thumbnail

        return graph_thumbnail(syn, limit)

    def describe(self, syn: SyntheticGraphs) -> dict[str, Any]:
        return {"items": len(syn), "bytes": syn.bytes, "charged bytes": syn.charged_bytes}

    def plan(self, pipeline: Pipeline, *, timed: bool = False) -> dict[str, Any]:
        plan = super().plan(pipeline, timed=timed)
        beside = "node count, edge count and label histogram beside them, without any network"
        return {**plan, "evaluation": f"{plan['evaluation']}; {beside}"}

    def describe_data(self, pipeline: Pipeline) -> Sequence[str]:
        """Describe the splits where the set lies on this machine already; nothing is downloaded or run.

        Args:
            pipeline: The recipe.

        Returns:
            Sentences on the splits, or one that says why they are not known yet.

        Raises:
            UserError: A class has fewer items than an ipc.
        """
        name = pipeline.recipe.dataset
        if name.startswith("pyg:"):
            return [f"{name} is a function, which is called when the recipe runs"]
        try:
            real: GraphSet = pipeline.load(download=False)
        except NotHereError:
            return [f"{name} is not on this machine, and is downloaded when the recipe runs"]
        for ipc in pipeline.recipe.ipc:
            real.require_ipc(ipc, pipeline.loaded.where("ipc"))
        return real.in_words()
