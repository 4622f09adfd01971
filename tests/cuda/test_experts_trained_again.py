"""A GPU trains an expert again to other bits: runs on its buffer go on, and say so; on a CPU they would be refused."""

from dataclasses import replace

import pytest
import torch
from helpers.computing import computing, under
from helpers.distillation_makers import StopAt
from helpers.expert_data import NETWORK, tiny_real, tiny_recipe, train

from ddbench.distillation.outer_loop import optimize
from ddbench.domains.images.task import make_task
from ddbench.errors import UserError
from ddbench.expert_buffers import ExpertBuffer
from ddbench.expert_buffers.buffer import DESCRIPTION, expert_path
from ddbench.methods.mtt import MTT
from ddbench.networks import FlatNetwork, build_network
from ddbench.synthetic.synthetic_set import load_synthetic

METHOD = MTT(inner_steps=3, expert_epochs=1, max_start_epoch=2, image_lr=5.0, iterations=4, keep_every=2)


def task_of(folder, device):
    real = tiny_real().to(device)
    student = FlatNetwork(build_network(NETWORK, real.shape, seed=0)).to(device)
    experts = ExpertBuffer.open(folder, range(2))
    return make_task(METHOD, "mtt", real, student, NETWORK, compute=computing(device), experts=experts)


@pytest.fixture
def trained(device, tmp_path):
    train(tmp_path / "buffer", tiny_recipe(), device=device)
    return tmp_path / "buffer"


def interrupted(folder, trained, device):
    with pytest.raises(KeyboardInterrupt):
        optimize(METHOD, under(task_of(trained, device), progress=StopAt(2)), 1, folder, seed=1)
    before = task_of(trained, device).provenance["buffer_fingerprint"]
    expert_path(trained, 0).unlink()
    train(trained, tiny_recipe(), device=device)
    return before


def test_a_run_goes_on_with_an_expert_that_was_trained_again(device, trained, tmp_path, capsys, monkeypatch):
    assert ('"trained_on"' in (trained / DESCRIPTION).read_text()) == (device.type == "cuda")
    before = interrupted(tmp_path / "run", trained, device)
    digest = ExpertBuffer.digest
    monkeypatch.setattr(ExpertBuffer, "digest", lambda self, epochs: "other bits than " + digest(self, epochs)[:8])
    task = task_of(trained, device)
    capsys.readouterr()
    if device.type == "cpu":
        with pytest.raises(UserError, match="made with another experts"):
            optimize(METHOD, task, 1, tmp_path / "run", seed=1)
        return
    candidates = optimize(METHOD, task, 1, tmp_path / "run", seed=1)
    assert "some experts were trained again" in capsys.readouterr().err
    assert load_synthetic(candidates[-1]).provenance["buffer_fingerprint"] == before


def test_experts_of_another_description_are_refused_on_a_gpu_too(device, trained, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        optimize(METHOD, under(task_of(trained, device), progress=StopAt(2)), 1, tmp_path / "run", seed=1)
    train(tmp_path / "other", tiny_recipe(lr=0.01), device=device)
    with pytest.raises(UserError, match="made with another experts"):
        optimize(METHOD, task_of(tmp_path / "other", device), 1, tmp_path / "run", seed=1)


def test_the_precision_of_a_gpu_is_written_down(device, trained):
    buffer = ExpertBuffer.open(trained, range(2))
    if device.type == "cpu":
        assert buffer.description.trained_on is None and buffer.identity(2) == buffer.digest(2)
        return
    wanted = {"device": torch.cuda.get_device_name(device), "precision": "float32"}
    assert buffer.description.trained_on is not None and set(buffer.description.trained_on) == set(wanted)
    assert buffer.description.trained_on["device"] == wanted["device"]
    assert replace(buffer.description, trained_on=None).fingerprint == buffer.description.fingerprint
