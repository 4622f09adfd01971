"""The Python API: the commands as functions, and a synthetic set in one's own training loop."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import ddbench
from ddbench.errors import UserError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    real = ddbench.load_dataset("digits", home=home)
    experts = ddbench.train_experts(
        real,
        "convnet-d1-w4",
        home / "experts",
        epochs=3,
        device="cpu",
        count=2,
        batch=256,
        lr=0.05,
        augmentation="none",
    )
    syn = ddbench.distill(
        "mtt",
        real,
        "convnet-d1-w4",
        1,
        experts=experts,
        device="cpu",
        iterations=3,
        inner_steps=2,
        max_start_epoch=1,
        image_lr=10.0,
    )
    return home, real, experts, syn


def test_the_whole_way(made):
    home, real, experts, syn = made
    assert (len(experts), experts.epochs) == (2, 3)
    assert torch.equal(ddbench.open_buffer(home / "experts")[1, 2], experts[1, 2])
    assert (syn.method, syn.ipc, len(syn)) == ("mtt", 1, 10)
    scores = ddbench.evaluate(syn, real, protocol="dc-v1", seeds=2, device="cpu")
    assert scores.seeds == (0, 1) and len(scores.accuracy) == 2 and all(0 <= a <= 1 for a in scores.accuracy)
    again = ddbench.evaluate(syn, real, protocol="dc-v1", seeds=(1,), device="cpu")
    assert again.accuracy == scores.accuracy[1:]


def test_a_set_survives_its_file(made, tmp_path):
    syn = made[3]
    syn.save(tmp_path / "set.safetensors")
    again = ddbench.load_synthetic(tmp_path / "set.safetensors")
    assert torch.equal(again.images, syn.images) and torch.equal(again.student_lr, syn.student_lr)
    assert again.preprocessing == syn.preprocessing and again.bytes == {"images": 2560, "labels": 80, "student_lr": 4}


def test_a_set_in_a_training_loop_of_ones_own(made):
    syn = made[3]
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        for images, labels in DataLoader(syn.to_dataset(), batch_size=5):
            loss = nn.functional.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_baselines_need_no_experts(made):
    syn = ddbench.distill("random", made[1], "convnet-d1-w4", 2, device="cpu")
    assert len(syn) == 20 and syn.student_lr is None


def test_what_is_wrong_is_said(made):
    real = made[1]
    with pytest.raises(UserError, match="mtt needs experts"):
        ddbench.distill("mtt", real, "convnet-d1-w4", 1, inner_steps=2, max_start_epoch=1, image_lr=1.0)
    with pytest.raises(UserError, match="there is no recipe key 'iner_steps'"):
        ddbench.distill("mtt", real, "convnet-d1-w4", 1, iner_steps=2)
    with pytest.raises(UserError, match="the experts are too short"):
        ddbench.distill(
            "mtt", real, "convnet-d1-w4", 1, experts=made[2], inner_steps=2, max_start_epoch=9, image_lr=1.0
        )
    with pytest.raises(AttributeError, match="no attribute 'distil'"):
        _ = ddbench.distil


def test_importing_ddbench_imports_no_torch():
    code = (
        "import sys, ddbench; dir(ddbench); assert 'torch' not in sys.modules; ddbench.evaluate; ddbench.load_dataset"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
