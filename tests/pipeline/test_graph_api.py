"""Graphs, and methods with teachers, from Python."""

import pytest
import torch
from helpers.evaluation_makers import tiny_real

import ddbench
from ddbench.errors import UserError


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return ddbench.load_graphs("motifs", home=tmp_path_factory.mktemp("home"))


def test_the_whole_way(real, tmp_path):
    syn = ddbench.distill_graphs("mirage", real, 2, hops=1)
    syn.save(tmp_path / "a.safetensors")
    back = ddbench.load_synthetic_graphs(tmp_path / "a.safetensors")
    assert torch.equal(back.labels, syn.labels) and len(back.to_pyg()) == len(syn)
    again = ddbench.distill_graphs("mirage", real, 2, hops=1)
    assert all(torch.equal(again.tensors()[name], tensor) for name, tensor in syn.tensors().items())


def test_what_is_wrong_is_said(real):
    with pytest.raises(UserError, match="mtt distills images"):
        ddbench.distill_graphs("mtt", real, 2)
    with pytest.raises(UserError, match="there is no recipe key 'hop'"):
        ddbench.distill_graphs("mirage", real, 2, hop=1)
    with pytest.raises(UserError, match="mirage distills graphs"):
        ddbench.distill("mirage", tiny_real(), "convnet-d1-w4", 2)
    with pytest.raises(UserError, match="infer needs teachers"):
        ddbench.distill("infer", tiny_real(), "convnet-d1-w4", 2)
    with pytest.raises(UserError, match="motifs is a set of graphs, which have no preprocessing"):
        ddbench.load_dataset("motifs", preprocessing="zca")


def test_infer_with_teachers_of_ones_own(tmp_path):
    real = tiny_real()
    teachers = ddbench.train_teachers(real, ["convnet-d1-w4-bn"], tmp_path, epochs=1, device="cpu")
    syn = ddbench.distill(
        "infer", real, "convnet-d1-w4", 4, teachers=teachers, iterations=2, device="cpu", folder=tmp_path / "run"
    )
    assert syn.compensation is not None and syn.compensation.teachers == 1
    assert ddbench.evaluate(syn, real, protocol="infer-static-v1", seeds=(0,), device="cpu").accuracy
