"""Experts, evaluations, INFER and graphs on CUDA: the CPU's numbers up to rounding, graphs recorded once."""

from dataclasses import replace

import pytest
import torch
from helpers import pretend_cuda
from helpers.computing import computing
from helpers.evaluation_makers import short, tiny_synthetic
from helpers.evaluation_makers import tiny_real as real_to_score
from helpers.expert_data import NETWORK, tiny_real, tiny_recipe, train
from helpers.infer_makers import taught_task
from torch import nn

from ddbench.distillation.run import run
from ddbench.evaluate.score import score
from ddbench.expert_buffers.batches import expert_batch
from ddbench.expert_buffers.optimizers import expert_optimizer
from ddbench.methods import METHODS
from ddbench.networks import build_network
from ddbench.randomness import stream
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.training.forward_pass import ForwardPass
from ddbench.training.model_stack import SingleModel, StackedModels

pytestmark = pytest.mark.cuda

KINDS = {"sgd": {"kind": "sgd"}, "gsam": {"kind": "gsam"}, "smooth": {"kind": "smooth", "clip": [0.5, 0.7, 0.9]}}


def updates(device, kind, network, stacked, compile):
    """Update one network, or two side by side, without end; yields the parameters after each update."""
    networks = [build_network(network, channels=1, size=8, classes=3, seed=seed).to(device) for seed in range(2)]
    forward = ForwardPass(networks[0], stacked=stacked, compile=compile, device=torch.device(device).type)
    trainable = StackedModels(networks, forward) if stacked else SingleModel(networks[0], forward)
    optimizer = expert_optimizer(trainable, tiny_recipe(optimizer=KINDS[kind], momentum=0.9))
    optimizer.begin_epoch(0)
    shape = (2, 6) if stacked else (6,)
    draws = stream(0, "batches")
    while True:
        images, originals = (torch.randn(*shape, 1, 8, 8, generator=draws).to(device) for _ in range(2))
        labels = torch.randint(0, 3, shape, generator=draws).to(device)
        optimizer.update(expert_batch(images, labels, originals))
        yield nn.utils.parameters_to_vector(networks[0].parameters()).detach().cpu().clone()


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(("network", "kind"), [*((f"{NETWORK}-bn", kind) for kind in KINDS), (NETWORK, "gsam")])
def test_compiled_updates_are_those_of_the_cpu_and_are_recorded_once(gpu, kind, network, stacked):
    fast, plain = updates(gpu, kind, network, stacked, True), updates("cpu", kind, network, stacked, False)
    for _ in range(2):
        got, want = next(fast), next(plain)
    before = dict(pretend_cuda.GRAPHS)
    for _ in range(3):
        got, want = next(fast), next(plain)
    after = pretend_cuda.GRAPHS
    assert after["recorded"] == before["recorded"] and after["skipped"] == before["skipped"]
    assert after["replayed"] > before["replayed"]
    torch.testing.assert_close(got, want, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("compile", ["off", "on"])
def test_experts_side_by_side_are_those_of_the_cpu(gpu, tmp_path, compile):
    """With DSA, which is one function where passes are compiled."""
    recipe = tiny_recipe(augmentation="dsa", momentum=0.9)
    want = train(tmp_path / "cpu", recipe, real=tiny_real(mirror=True))
    got = train(tmp_path / "gpu", recipe, real=tiny_real(mirror=True), device=gpu, compile=compile)
    for expert in range(2):
        torch.testing.assert_close(got[expert, 3], want[expert, 3], rtol=1e-2, atol=1e-3)
        assert not torch.equal(got[expert, 0], got[expert, 3])


@pytest.mark.parametrize("together", [1, 3])
def test_evaluations_have_the_accuracies_of_the_cpu(gpu, together):
    real = real_to_score()
    asked = {"protocol": short(), "seeds": (0, 1, 2)}
    want = score(tiny_synthetic(real), real, **asked)
    got = score(tiny_synthetic(real), real.to(gpu), **asked, compute=computing(gpu, together=together, compile="on"))
    assert got.accuracy == pytest.approx(want.accuracy, abs=0.07)  # one of 15 images


def test_infer_makes_the_set_of_the_cpu(gpu, tmp_path):
    found = []
    for device in ("cpu", str(gpu)):
        method = METHODS.get("infer", "")(iterations=4, jobs_at_once=1)
        task = taught_task(device=device)
        task = replace(task, teachers=task.teachers.to(device))
        (path,) = run(method, task, 4, tmp_path / device, seed=5)
        found.append(load_synthetic(path).compensation.compensators)
    assert found[0].abs().sum() > 0
    torch.testing.assert_close(found[1], found[0], rtol=1e-2, atol=1e-3)
