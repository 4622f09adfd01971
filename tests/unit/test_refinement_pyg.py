"""``computation_tree_ids`` for graphs of PyG, however they write their labels."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.command_line import ENVIRONMENT
from helpers.tree_makers import in_bijection, labeled_graphs, written_out
from hypothesis import given, settings
from torch.nn.functional import one_hot
from torch_geometric.data import Data

from ddbench.errors import UserError
from ddbench.methods.mirage import computation_tree_ids


@settings(max_examples=50, deadline=None)
@given(labeled_graphs(columns=1, edge_columns=1))
def test_one_hot_and_integers_give_the_ids_of_trees_written_out(graphs):
    integers = graphs.to_pyg()
    ones = [
        Data(
            x=one_hot(data.x[:, 0], 3).float(),
            edge_index=data.edge_index,
            edge_attr=one_hot(data.edge_attr[:, 0], 3).float(),
        )
        for data in integers
    ]
    wanted = written_out(graphs, 2)
    for given_graphs in (graphs, integers, ones):
        found = computation_tree_ids(given_graphs, 2)
        assert [len(ids) for ids in found] == graphs.node_counts.tolist()
        assert in_bijection(np.concatenate(found).tolist(), wanted)


@settings(max_examples=50, deadline=None)
@given(labeled_graphs(columns=1, edge_columns=0))
def test_without_labels_the_degree_is_the_label(graphs):
    bare = [Data(edge_index=data.edge_index, num_nodes=data.num_nodes) for data in graphs.to_pyg()]
    graphs.node_features[:, 0] = graphs.degree
    found = np.concatenate(computation_tree_ids(bare, 2))
    assert in_bijection(found.tolist(), written_out(graphs, 2))


def test_isolated_nodes_have_ids_and_continuous_labels_are_refused():
    empty = torch.zeros(2, 0, dtype=torch.int64)
    (ids,) = computation_tree_ids([Data(x=torch.tensor([[3], [3], [4]]), edge_index=empty)], 2)
    assert ids.tolist() == [0, 0, 1]
    with pytest.raises(UserError, match="continuous"):
        computation_tree_ids([Data(x=torch.rand(4, 2), edge_index=empty)], 2)


def test_importing_it_is_cheap():
    code = (
        "import sys\n"
        "from ddbench.methods.mirage import computation_tree_ids\n"
        "heavy = {'torch', 'torch_geometric', 'sklearn', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
