"""Baselines without learning: sizes and counts of labels, by hand and on real data."""

from dataclasses import replace

import pytest
import torch
from conftest import SHARED_DATA
from helpers.gnn_makers import random_graphs
from helpers.graph_score_makers import sized_set
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ddbench.errors import UserError
from ddbench.evaluate.graphs.statistics_baselines import (
    NO_LEARNING,
    edge_count,
    label_histogram,
    node_count,
    score_no_learning,
)

BESIDE = {"protocol": "graphs-v1", "network": "gcn-sum"}


def by_size(real, grows):
    """Class 1 has the larger graphs, or the smaller ones."""

    def ordered(graphs):
        return replace(graphs, y=((graphs.node_counts > 7) == grows).long())

    return replace(real, train=ordered(real.train), validation=ordered(real.validation), test=ordered(real.test))


@pytest.mark.parametrize("grows", [True, False])
def test_sign_and_threshold_of_sizes_are_learned(grows):
    scores = score_no_learning("node-count", by_size(sized_set(), grows), **BESIDE)
    assert scores.roc_auc == scores.validation == scores.accuracy == (1.0,)
    assert scores.seeds == (0,) and scores.bytes == {"coefficients": 8}
    assert (scores.protocol, scores.network) == ("graphs-v1", "gcn-sum") and "no network" in scores.notes[0]


@pytest.mark.parametrize("classes", [2, 3])
def test_label_histogram_is_a_regression_on_counts(classes):
    real = sized_set(classes)

    def counted(graphs):
        return [
            [int((graphs.node_features[graphs.nodes_of(g), 0] == code).sum()) for code in range(classes + 1)]
            for g in range(len(graphs))
        ]

    model = LogisticRegression(max_iter=10_000).fit(counted(real.train), real.train.y)
    chances = model.predict_proba(counted(real.test))
    area = roc_auc_score(real.test.y, chances[:, 1] if classes == 2 else chances, multi_class="ovr")
    scores = score_no_learning("label-histogram", real, **BESIDE)
    assert scores.roc_auc[0] == pytest.approx(area, abs=1e-9) and scores.roc_auc[0] > 0.9
    assert scores.accuracy[0] == pytest.approx(model.score(counted(real.test), real.test.y))
    assert scores.bytes == {"coefficients": 4 * (model.coef_.size + model.intercept_.size)}


def test_numbers_of_graphs():
    graphs = random_graphs(0, 5)
    histogram = label_histogram(graphs, (3, 2))
    assert histogram.shape == (5, 5)
    assert torch.equal(histogram[:, :3].sum(1), graphs.node_counts) and torch.equal(
        histogram[:, 3:].sum(1), graphs.node_counts
    )
    assert histogram[2, 1] == (graphs.node_features[graphs.nodes_of(2), 0] == 1).sum()
    assert torch.equal(node_count(graphs, ())[:, 0], graphs.node_counts)
    assert edge_count(graphs, ()).sum() == graphs.edge_index.shape[1]


def test_class_without_training_graphs_is_never_chosen():
    real = sized_set(3)
    less = replace(real, train=real.train.subset((real.train.y != 1).nonzero()[:, 0]))
    scores = score_no_learning("label-histogram", less, **BESIDE)
    assert 0.2 < scores.accuracy[0] < 0.7 and scores.roc_auc[0] > 0.6


def test_two_runs_are_the_same_bits():
    first, again = (score_no_learning("edge-count", sized_set(), **BESIDE) for _ in range(2))
    assert replace(first, seconds=0.0) == replace(again, seconds=0.0)


def test_unknown_names_and_splits_of_one_class():
    real = sized_set()
    with pytest.raises(UserError, match="did you mean 'node-count'"):
        score_no_learning("nodes-count", real, **BESIDE)
    with pytest.raises(UserError, match="there is no graph network"):
        score_no_learning("node-count", real, protocol="graphs-v1", network="convnet")
    one = replace(real, train=real.train.subset((real.train.y == 0).nonzero()[:, 0]))
    with pytest.raises(UserError, match="training split of tiny has graphs of one class only"):
        score_no_learning("node-count", one, **BESIDE)
    assert set(NO_LEARNING) == {"node-count", "edge-count", "label-histogram"}


def test_number_of_nodes_of_nci1(tmp_path):
    """On the published split (seed 0) the number of nodes ranks as well as networks on Mirage's published set."""
    if not (SHARED_DATA / "tu" / "NCI1").exists():
        pytest.skip("NCI1 is not beside this checkout")
    from ddbench.graphs.load import load_graphs

    real = load_graphs("tu:NCI1", home=tmp_path, data_root=SHARED_DATA / "tu")
    scores = score_no_learning("node-count", real, **BESIDE)
    assert scores.roc_auc[0] == pytest.approx(0.6814, abs=5e-5)
    assert scores.validation[0] == pytest.approx(0.6900, abs=5e-5)
    counts = score_no_learning("label-histogram", real, **BESIDE)
    assert counts.roc_auc[0] == pytest.approx(0.70, abs=0.01) and counts.bytes == {"coefficients": 4 * 38}
