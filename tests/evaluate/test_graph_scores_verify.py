"""Rows about graphs are reproduced, or not."""

import json
from dataclasses import replace

import pytest
import torch
from helpers.graph_score_makers import as_set, sized_set

from ddbench.errors import UserError
from ddbench.evaluate.graphs.make_row import make_graph_row, make_reference_row
from ddbench.evaluate.graphs.protocols import GRAPH_PROTOCOLS
from ddbench.evaluate.graphs.score import score_graphs
from ddbench.evaluate.graphs.statistics_baselines import score_no_learning
from ddbench.evaluate.graphs.verify import verify_graph_row

REAL, CPU = sized_set(), torch.device("cpu")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """graphs-v1 and mirage-compat-v1 of few steps."""
    known = {
        name: replace(found, setting=replace(found.setting, steps=20, hidden=8))
        for name, found in GRAPH_PROTOCOLS.items()
    }
    monkeypatch.setattr("ddbench.evaluate.graphs.protocols.GRAPH_PROTOCOLS", known)


def made(protocol="graphs-v1", seeds=(0, 1)):
    syn = as_set(REAL, REAL.train.subset(torch.arange(8)))
    scores = score_graphs(syn, REAL, protocol=protocol, network="gin-sum", seeds=seeds)
    return make_graph_row(syn, REAL, scores, device=CPU), syn


def test_row_verifies_to_the_bit():
    row, syn = made()
    found = verify_graph_row(row, syn, REAL)
    assert found.passed and found.identical and found.accuracy.exact and found.roc_auc.exact
    assert found.roc_auc.measured == row.roc_auc and found.accuracy.measured == row.accuracy
    assert "ROC-AUC" in found.text() and "NOT" not in found.text()
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["roc_auc"]["passed"]


@pytest.mark.parametrize("measure", ["accuracy", "roc_auc"])
def test_row_that_claims_more_of_either_does_not_verify(measure):
    row, syn = made()
    boast = replace(row, **{measure: tuple(max(0.0, value - 0.3) for value in getattr(row, measure))})
    assert not verify_graph_row(boast, syn, REAL).passed
    elsewhere = verify_graph_row(replace(boast, device="NVIDIA H200"), syn, REAL)
    assert not elsewhere.accuracy.exact and not elsewhere.passed and "NOT verified" in elsewhere.text()


def test_reported_seeds_of_more_are_trained_again():
    row, syn = made("mirage-compat-v1", range(7))
    assert len(row.seeds) == 5
    assert verify_graph_row(row, syn, REAL).identical


def test_row_of_another_set_or_other_data():
    row, syn = made()
    other = as_set(REAL, REAL.train.subset(torch.arange(8) + 8))
    with pytest.raises(UserError, match="another synthetic set"):
        verify_graph_row(row, other, REAL)
    with pytest.raises(UserError, match="another real data"):
        verify_graph_row(row, syn, sized_set(3))
    with pytest.raises(UserError, match="about images, not about graphs"):
        verify_graph_row(replace(row, domain="images", roc_auc=()), syn, REAL)


def test_row_without_learning():
    scores = score_no_learning("node-count", REAL, protocol="graphs-v1", network="gcn-sum")
    row = make_reference_row("node-count", 1, REAL, scores, recipe={}, device=CPU)
    assert verify_graph_row(row, None, REAL).identical
    with pytest.raises(UserError, match="another synthetic set"):
        verify_graph_row(row, made()[1], REAL)
    with pytest.raises(UserError, match="another synthetic set"):
        verify_graph_row(made()[0], None, REAL)
