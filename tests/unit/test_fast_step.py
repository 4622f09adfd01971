"""The compiled step equals plain autograd: values and gradients, in every unroll, and through a whole distillation."""

import sys

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from test_unroll import CASES, F64, Problem, relative

from ddbench.augmentation import DSAPolicy
from ddbench.errors import UserError
from ddbench.methods import METHODS
from ddbench.networks import FlatNetwork, build_network
from ddbench.runtime import compile as compiling
from ddbench.runtime.compile import missing_requirement
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.training.losses import classification_loss
from ddbench.unroll.compiled_step import FastStep, GradientKernel
from ddbench.unroll.sgd_step import BatchLoss, SGDStep, batch_order
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, TeslaUnroll, TruncatedUnroll

needs_compiler = pytest.mark.skipif(missing_requirement() is not None, reason=f"needs {missing_requirement()}")


class FastProblem(Problem):
    """The same problem, whose step pulls back by itself. backend: of the compiler; "eager" only captures the graph."""

    def __init__(self, seed=0, *, backend="eager", scale=1.0, fast=True, **case):
        super().__init__(seed, **case)
        g = torch.Generator().manual_seed(seed + 1)
        batches = batch_order(len(self.images), case.get("batch"), self.n, g)
        sizes = [len(self.images if rows is None else rows) for rows in batches]
        policy = DSAPolicy()
        draws = [policy.draw(size, 8, g) for size in sizes] if case.get("augment") else []

        def seen(outer, t):
            x, y = outer
            if batches[t] is not None:
                x, y = x[batches[t]], y[batches[t]]
            return (policy.apply(x, draws[t]) if draws else x), y

        def of(theta, images, labels):
            return classification_loss(self.network(theta, images), labels, self.kind)

        loss, momentum = BatchLoss(seen, of, scale), case.get("momentum", 0.0)
        kernel = GradientKernel(of, strict=True, backend=backend)
        self.step = FastStep(loss, momentum, kernel=kernel) if fast else SGDStep(loss, momentum)


UNROLLS = {
    "adjoint": AdjointUnroll(),
    "every 3": AdjointUnroll(3),
    "tesla": TeslaUnroll(),
    "truncated": TruncatedUnroll(2),
    "full": FullUnroll(),
}


@pytest.mark.parametrize("unroll", UNROLLS)
@pytest.mark.parametrize("case", CASES)
def test_a_fast_step_has_the_gradient_of_a_plain_one(case, unroll):
    fast, plain = (FastProblem(4, fast=fast, scale=0.7, **CASES[case]) for fast in (True, False))
    want = plain.gradient(UNROLLS[unroll], by_start=unroll != "truncated")
    assert relative(fast.gradient(UNROLLS[unroll], by_start=unroll != "truncated"), want) < 1e-10


@pytest.mark.parametrize("name", ["convnet-d2-w8", "convnet-d2-w8-bn-maxpool", "lenet", "mlp", "resnet10-bn"])
def test_students_of_every_kind_are_taken_whole(name):
    module = build_network(name, channels=3, size=32, classes=4, seed=0)
    network = FlatNetwork(module).to(dtype=F64)
    theta, way = network.flatten(), torch.linspace(-1, 1, network.size, dtype=F64)
    images, labels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(F64), torch.arange(4)

    def loss(theta, images, labels):
        return classification_loss(network(theta, images), labels)

    kernel = GradientKernel(loss, strict=True, backend="eager")
    g, (by_theta, by_images, _) = kernel.pull_back(theta, (images, labels), way, (True, True, False))
    leaves = [theta.requires_grad_(), images.requires_grad_()]
    (want,) = torch.autograd.grad(loss(*leaves, labels), theta, create_graph=True)
    assert relative(g, want.detach()) < 1e-10
    assert relative((by_theta, by_images), torch.autograd.grad(want, leaves, way)) < 1e-10


def test_what_is_not_asked_is_not_computed():
    problem = FastProblem(1, soft=False)
    x, y, lr = problem.images, problem.labels, problem.lr
    state = problem.start
    before, shares = problem.step.pull_back(state, (x, y, lr), 0, torch.ones_like(state), (False, False, False))
    assert shares == [None, None, None] and not torch.equal(before, torch.ones_like(state))
    _, shares = problem.step.pull_back(state, (x, y, lr), 0, torch.ones_like(state), (True, False, False))
    assert shares[0].shape == x.shape and shares[1:] == [None, None]


def test_a_loss_that_does_not_compile_is_told_of_once_and_runs_as_it_is(capsys):
    def loss(theta, images, labels):
        print(end="", file=sys.stdout)  # which no graph holds
        return (theta * images.sum()).square().sum() + labels.sum()

    theta, batch = torch.arange(3.0), (torch.ones(2), torch.ones(2))
    kernel = GradientKernel(loss, backend="eager")
    assert torch.allclose(kernel(theta, batch), 2 * theta * 4)
    g, (by_theta, by_images, by_labels) = kernel.pull_back(theta, batch, torch.ones(3), (True, True, False))
    assert torch.allclose(g, 2 * theta * 4) and torch.allclose(by_theta, torch.full((3,), 8.0)) and by_labels is None
    assert by_images.shape == (2,)
    assert capsys.readouterr().err.count("does not compile") == 1
    with pytest.raises(UserError, match="does not compile"):
        GradientKernel(loss, strict=True, backend="eager")(theta, batch)


@needs_compiler
@pytest.mark.slow
def test_compiled_for_this_machine_it_is_the_same_in_float64():
    fast, plain = (FastProblem(2, fast=fast, backend="inductor", **CASES["everything"]) for fast in (True, False))
    assert relative(fast.gradient(AdjointUnroll()), plain.gradient(FullUnroll())) < 1e-10


@needs_compiler
@pytest.mark.slow
def test_in_float32_it_is_as_near_to_float64_as_plain_autograd(device):
    module = build_network("convnet-d3-w16", channels=3, size=32, classes=10, seed=0)
    images = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.arange(6, device=device)

    def pulled(dtype, kernel):
        network = FlatNetwork(module).to(device, dtype)
        theta = network.flatten()
        way = torch.randn(theta.shape, generator=torch.Generator().manual_seed(1)).to(device, dtype)

        def loss(theta, images, labels):
            return classification_loss(network(theta, images), labels)

        g, shares = kernel(loss).pull_back(theta, (images.to(dtype), labels), way, (True, True, False))
        return [tensor.clone() for tensor in (g, *shares[:2])]

    truth = pulled(torch.float64, lambda loss: GradientKernel(loss, backend="eager"))
    plain = pulled(torch.float32, lambda loss: GradientKernel(loss, backend="eager"))
    fast = pulled(torch.float32, lambda loss: GradientKernel(loss, device.type, strict=True))
    for got, as_plain, want in zip(fast, plain, truth, strict=True):
        allowed = max(5 * (as_plain.double() - want).norm(), 1e-5 * want.norm())
        assert (got.double() - want).norm() < allowed


class TestChoice:
    def test_auto_compiles_what_is_long_and_off_nothing(self, monkeypatch):
        monkeypatch.setattr(compiling, "missing_requirement", lambda device="cpu": None)
        assert compiling.should_compile("auto", seconds=3600) and not compiling.should_compile("auto", seconds=10)
        assert compiling.should_compile("on", seconds=0) and not compiling.should_compile("off", seconds=3600)

    def test_without_a_compiler_auto_goes_on_and_on_says_what_is_missing(self, monkeypatch):
        monkeypatch.setenv("PATH", "")
        monkeypatch.delenv("CXX", raising=False)
        assert not compiling.should_compile("auto", seconds=3600)
        with pytest.raises(UserError, match=r"C\+\+ compiler"):
            compiling.should_compile("on", seconds=3600)

    def test_a_task_decides_once_by_the_whole_run(self):
        assert tiny_task().compiled_gradient("hard", batch=10, steps=10**9) is None
        task = tiny_task(compile="on")
        kernel = task.compiled_gradient("hard", batch=10, steps=1)
        assert kernel is not None and task.compiled_gradient("hard", batch=10, steps=1) is kernel
        assert task.compiled_gradient("logits", batch=10, steps=1) is not kernel


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("method", ["mtt", "ast"])
def test_an_outer_step_is_the_same_compiled_and_not(method):
    losses, gradients = [], []
    for compile in ("off", "on"):
        task = tiny_task(compile=compile, dtype=torch.float64)
        chosen = METHODS.get(method, "test")(
            inner_steps=4, expert_epochs=2, max_start_epoch=4, image_lr=1.0, batch_syn=4
        )
        syn = chosen.initialize(task, 2, at())
        images = syn.images.double().requires_grad_()
        student_lr = syn.student_lr.double().requires_grad_()
        loss, _ = chosen.outer_loss(type(syn)(**{**vars(syn), "images": images, "student_lr": student_lr}), task, at(3))
        losses.append(loss.item())
        gradients.append(torch.autograd.grad(loss, (images, student_lr)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
    assert relative(gradients[1], gradients[0]) < 1e-10


@needs_compiler
@pytest.mark.slow
def test_a_run_is_the_same_compiled_and_not(ddbench, recipe, tmp_path):
    def images(home, name):
        (path,) = home.glob(f"runs/*-mtt-*/{name}.safetensors")
        return load_synthetic(path).images

    whole, other = tmp_path / "whole", tmp_path / "other"
    ddbench.done("distill", recipe, "--home", whole, "--compile", "off")
    ddbench.done("distill", recipe, "--home", other, "--compile", "on")
    start = images(whole, "start")
    ways = [images(home, "synthetic") - start for home in (whole, other)]
    assert ways[0].norm() > 0 and relative(ways[1], ways[0]) < 1e-3
