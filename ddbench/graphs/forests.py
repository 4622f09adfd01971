"""Sets of computation trees in the place of graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ddbench.errors import UserError
from ddbench.graphs.extract_trees import with_true_degrees
from ddbench.graphs.integer_packing import packed, stored_bytes, unpacked
from ddbench.graphs.levels import Level, completed
from ddbench.graphs.refine import Refinement
from ddbench.graphs.shared_trees import MOST_NODES, SharedTrees
from ddbench.graphs.stored_trees import pack_trees, unpack_trees

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from ddbench.graphs.graphs import Graphs

__all__ = ["Forests", "Level", "build_forests", "forests_from"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Forests:
    """S items, each a set of computation trees of ``hops`` hops.

    Equal subtrees of all items are held once.

    Raises:
        ValueError: An item has no tree, or a root is none of the trees.
    """

    trees: SharedTrees
    """The different trees, with the true degree of every node."""
    roots: Tensor
    """(T,), int64, the trees of all items, item by item, as entries of the last level of ``trees``, from 0."""
    item_of_root: Tensor
    """(T,), int64, the item each belongs to."""

    def __post_init__(self) -> None:
        if self.roots.shape != self.item_of_root.shape or (self.item_of_root.diff() < 0).any():
            raise ValueError("roots are not sorted by item")
        if len(self.roots) and not 0 <= int(self.roots.min()) <= int(self.roots.max()) < int(self.trees.sizes[-1]):
            raise ValueError(f"a root is not one of {int(self.trees.sizes[-1])} trees")
        if (torch.bincount(self.item_of_root, minlength=1) == 0).any():
            raise ValueError("an item has no tree")

    def __len__(self) -> int:
        return int(self.item_of_root[-1]) + 1

    @property
    def hops(self) -> int:
        """Depth of the trees."""
        return self.trees.hops

    @property
    def columns(self) -> int:
        """How many codes a node has, F."""
        return self.trees.node_labels.shape[1]

    @property
    def unfolded_nodes(self) -> Tensor:
        """Nodes of each item when it is written out, (S,), int64."""
        nodes = torch.from_numpy(self.trees.unfolded_nodes[self.trees.starts[-1] :])[self.roots]
        return torch.zeros(len(self), dtype=torch.int64).index_add(0, self.item_of_root, nodes)

    @property
    def unfolded_edges(self) -> Tensor:
        """Edges of each item when it is written out, from child to parent, (S,), int64."""
        return self.unfolded_nodes - torch.bincount(self.item_of_root)

    @property
    def unfolded_bytes(self) -> int:
        """Bytes of all items written out, as the paper counts: two for each code of a node and each end of an edge.

        Source: inferred from the 318 bytes that Gupta et al. 2024 give for NCI1; codes of edges are not counted.
        """
        return 2 * (int(self.unfolded_nodes.sum()) * self.columns + 2 * int(self.unfolded_edges.sum()))

    @property
    def bytes(self) -> dict[str, int]:
        """What :meth:`tensors` take in a file, by part; "degrees" is all that would be less without true degrees.

        Without them, trees that differ in the degrees of their leaves only would be one.
        """
        stored, plain = pack_trees(self.trees), pack_trees(self.trees.without_degrees())
        features = {"node_labels", "edge_labels"}
        total = stored_bytes({name: tensor for name, tensor in stored.items() if name not in features})
        trees = stored_bytes({name: tensor for name, tensor in plain.items() if name not in {*features, "degrees"}})
        return {
            "trees": trees,
            "items": stored_bytes(self._items()),
            "features": stored_bytes({name: tensor for name, tensor in stored.items() if name in features}),
            "degrees": total - trees,
        }

    def tensors(self) -> dict[str, Tensor]:
        """List everything in the smallest unsigned integers, by name, for a file.

        Returns:
            Tensors that :func:`forests_from` reads.
        """
        return {**pack_trees(self.trees), **self._items()}

    def _items(self) -> dict[str, Tensor]:
        return {"item_sizes": packed(torch.bincount(self.item_of_root)), "item_trees": packed(self.roots)}

    def completed(self) -> tuple[Level, ...]:
        """Complete the trees to levels, for networks that see each different tree once.

        Returns:
            Levels 0 to ``hops``; ``roots`` are entries of the last.
        """
        return completed(self.trees)

    def to_pyg(self) -> list[Data]:
        """Write the trees out, for any model of PyG.

        Returns:
            One ``Data`` an item, with x (nodes, F), int64; edge_index (2, edges), from child to parent; edge_attr
            (edges, R), where R > 0; root_mask (nodes,), bool, for the nodes whose embeddings stand for those of a
            graph's nodes; and degree (nodes,), the true degree, which leaves do not show.

        Raises:
            UserError: The trees would be too large.
        """
        from torch_geometric.data import Data

        nodes = int(self.unfolded_nodes.sum())
        if nodes > MOST_NODES:
            raise UserError(
                f"these computation trees have {nodes} nodes when they are written out",
                f"limit {MOST_NODES}",
                fix="train on the shared trees, as ddbench evaluate does, or distill with fewer hops",
            )
        made = []
        for roots in self.roots.split(torch.bincount(self.item_of_root).tolist()):
            entries, parents, edges = self.trees.unfold(roots.numpy() + self.trees.starts[-1])
            children = np.arange(len(roots), len(entries))
            mask = torch.zeros(len(entries), dtype=torch.bool)
            mask[: len(roots)] = True
            arrays: dict[str, Any] = {
                "x": self.trees.node_labels[self.trees.labels[entries]],
                "edge_index": np.stack([children, parents]),
                "degree": self.trees.degrees[entries],
            }
            if self.trees.edge_labels.shape[1]:
                arrays["edge_attr"] = self.trees.edge_labels[edges]
            made.append(Data(root_mask=mask, **{name: torch.from_numpy(array) for name, array in arrays.items()}))
        return made


def forests_from(tensors: Mapping[str, Tensor]) -> Forests:
    """Rebuild forests from a file.

    Args:
        tensors: What :meth:`Forests.tensors` wrote.

    Returns:
        The forests.

    Raises:
        ValueError: The tensors can be no forests.
    """
    trees, sizes, roots = unpack_trees(tensors), unpacked(tensors, "item_sizes"), unpacked(tensors, "item_trees")
    if int(sizes.sum()) != len(roots) or not len(sizes) or bool((sizes == 0).any()):
        raise ValueError(f"{len(sizes)} items of {int(sizes.sum())} trees, but {len(roots)} are there")
    return Forests(trees=trees, roots=roots, item_of_root=torch.repeat_interleave(sizes))


def build_forests(graphs: Graphs, refinement: Refinement, items: Sequence[Sequence[int]]) -> Forests:
    """Build items of trees that occur in graphs.

    Degrees of leaves, which GCN reads and a tree does not show, are those of each tree's most frequent variant among
    the graphs' nodes; the first one where several are equally frequent.

    Args:
        graphs: The graphs.
        refinement: Refinement of these graphs.
        items: For each item the ids of its trees, of the last level.

    Returns:
        The forests.

    Raises:
        ValueError: There is no item, an item has no tree, an id is none, or the refinement is of other graphs.
    """
    members = [np.asarray(item, np.int64) for item in items]
    if not members or min(map(len, members)) == 0:
        raise ValueError("every item needs a tree, and a set an item")
    ids, roots = np.unique(np.concatenate(members), return_inverse=True)
    if ids[0] < 0 or ids[-1] >= refinement.counts[-1]:
        raise ValueError(f"ids {ids[0]} to {ids[-1]}, but there are {refinement.counts[-1]} trees")
    if len(refinement.ids[-1]) != len(graphs.node_features):
        raise ValueError("the refinement is of other graphs")
    return Forests(
        trees=with_true_degrees(graphs, refinement, ids),
        roots=torch.from_numpy(roots),
        item_of_root=torch.repeat_interleave(torch.tensor([len(item) for item in members])),
    )
