"""Evaluation of sets of graphs."""

from __future__ import annotations

from dataclasses import dataclass

from ddbench.evaluate.graphs.make_row import graph_versions, make_graph_row, scores_of
from ddbench.evaluate.graphs.protocols import GraphProtocol
from ddbench.evaluate.graphs.score import GraphScores, score_graphs
from ddbench.evaluate.leaderboard.row import Row, RowSelection
from ddbench.evaluate.leaderboard.test_split import EvalSplit, graph_test_split
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.pipeline.evaluator import Evaluator


@dataclass(kw_only=True)
class GraphEvaluator(Evaluator):
    """Scores sets of graphs."""

    real: GraphSet
    """Real graphs."""
    protocol: GraphProtocol
    """How networks are trained."""

    def test_split(self) -> EvalSplit:
        return graph_test_split(self.real)

    def evaluate(self, syn: SyntheticGraphs, request: NetworkRequest, selection: RowSelection, note: str = "") -> Row:
        del note
        scores = self._at_another_ipc(syn, request, selection) or score_graphs(
            syn,
            self.real,
            protocol=self.protocol,
            network=request.network,
            seeds=self.seeds,
            compute=self.compute,
        )
        return make_graph_row(syn, self.real, scores, device=self.compute.device)

    def _at_another_ipc(
        self, syn: SyntheticGraphs, request: NetworkRequest, selection: RowSelection
    ) -> GraphScores | None:
        """What this very set scored at another ipc, as the whole training split does: not trained again."""
        facts = self.facts(syn, request, selection)
        for row in (row for ipc in self.ipcs for row in self.known_rows(ipc, **facts, versions=graph_versions())):
            if row.recipe.get("evaluation", {}).get("seeds") == len(self.seeds):
                return scores_of(row, syn)
        return None
