"""Mirage: frequent sets of computation trees. Gupta et al., ICLR 2024, https://arxiv.org/abs/2310.09486."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, final

from pydantic import Field

from ddbench.distillation.task import OuterStep
from ddbench.graphs.forests import build_forests
from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.graphs.refine import MOST_HOPS
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.methods.mirage.mining import mining_of
from ddbench.methods.mirage.selection import Selection, select
from ddbench.methods.mirage.shared_sets import Sharing
from ddbench.methods.mirage.thresholds import AnyThreshold, ItemsThreshold
from ddbench.recipe.settings import Count

if TYPE_CHECKING:
    from ddbench.graphs.graphset import GraphSet


@final
class Mirage(GraphMethod):
    """Each class becomes the sets of computation trees that many of its graphs have in common, each set one item.

    A graph counts as the set of its nodes' trees; no network is trained, and nothing is drawn. Sets are found exactly,
    and trees by integer ids that are refined level by level, never built. Differs from the released code: its miner
    loses sets (``miner: compat`` replays that), its labels of trees can collide, and it knows two classes.
    """

    hops: Annotated[Count, Field(le=MOST_HOPS)] = 2
    """Depth of the trees: as many layers as the networks that will be trained on them have."""
    threshold: AnyThreshold = ItemsThreshold()
    """How frequent a set must be: as frequent as the ipc most frequent of its class; found from a budget of bytes; or
    given, in graphs or as a share of the class."""
    shared: Sharing = "drop"
    """What becomes of a set that is frequent in several classes: it is dropped from all, or kept once, labeled by how
    its graphs are divided among the classes."""
    miner: Literal["exact", "compat"] = "exact"
    """Every frequent set; or without those that the released miner, pyfpgrowth 1.0, does not find."""
    most_patterns: Count = 2_000_000
    """Frequent sets of a class at which mining gives up: below some threshold their number explodes."""

    def select(self, real: GraphSet, ipc: int) -> Selection:
        """Choose the sets that are kept of each class, before they are put together.

        Args:
            real: The data set.
            ipc: Items of a class, at most.

        Returns:
            The chosen sets.

        Raises:
            UserError: A class keeps none, or more than ``ipc``, or mining finds too many.
        """
        real.require_ipc(1)
        mining = mining_of(real.train, real.class_names, hops=self.hops, miner=self.miner, most=self.most_patterns)
        return select(mining, self.threshold, self.shared, ipc)

    def distill(self, task: GraphTask, ipc: int, step: OuterStep) -> SyntheticGraphs:
        del step
        chosen = self.select(task.real, ipc)
        forests = build_forests(task.real.train, chosen.mining.refinement, chosen.items)
        labels, frequency = chosen.labels()
        made = task.synthetic(
            forests,
            labels,
            ipc=ipc,
            notes=chosen.notes(),
            charged={"trees": forests.unfolded_bytes},
            frequency=frequency,
            label_kind="probabilities" if self.shared == "soft" else "hard",
        )
        return replace(made, provenance={**made.provenance, "mining": chosen.facts()})
