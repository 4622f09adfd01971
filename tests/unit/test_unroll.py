"""Exact unrolls equal full autograd in float64, `higher` agrees, and the approximations differ where they should."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from ddbench.augmentation import DSAPolicy
from ddbench.networks import FlatNetwork, build_network
from ddbench.training.losses import classification_loss
from ddbench.unroll.sgd_step import SGDStep, batch_order
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, TeslaUnroll, TruncatedUnroll

F64 = torch.float64


class Problem:
    """A small student, drawn by seed: soft or hard labels, mini-batches, replayed augmentation, plain or momentum."""

    def __init__(self, seed=0, *, steps=6, momentum=0.0, soft=True, batch=None, augment=False, lr=0.1, images=8):
        g = torch.Generator().manual_seed(seed)
        module = build_network("convnet-d1-w4", channels=1, size=8, classes=3, seed=seed)
        self.network = FlatNetwork(module).to(dtype=F64)
        self.start = self.network.flatten().to(F64)
        self.target = self.start + 0.1 * torch.randn(self.start.shape, generator=g, dtype=F64)
        self.images = torch.randn(images, 1, 8, 8, generator=g, dtype=F64)
        hard = torch.arange(images) % 3
        self.labels = torch.randn(images, 3, generator=g, dtype=F64) if soft else hard
        self.kind = "logits" if soft else "hard"
        self.lr = torch.tensor(lr, dtype=F64)
        self.n = steps
        batches = batch_order(images, batch, steps, g)
        policy = DSAPolicy() if augment else None
        draws = [policy.draw(len(self.images if b is None else b), 8, g) for b in batches] if policy else []

        def loss(theta, outer, t):
            x, y = outer
            if batches[t] is not None:
                x, y = x[batches[t]], y[batches[t]]
            if policy is not None:
                x = policy.apply(x, draws[t])
            return classification_loss(self.network(theta, x), y, self.kind)

        self.step = SGDStep(loss, momentum)

    def outer(self):
        learned = self.labels.clone().requires_grad_() if self.kind == "logits" else self.labels
        return self.images.clone().requires_grad_(), learned, self.lr.clone().requires_grad_()

    def gradient(self, unroll, *, intermediate=True, by_start=True):
        """The outer gradients by images, labels (if soft), rate and (if asked) start."""
        outer, start = self.outer(), self.start.clone().requires_grad_()
        states = unroll.run(self.step, self.step.start(start), outer, self.n)
        theta = self.step.parameters(states)
        assert theta.shape == (self.n + 1, len(start))
        loss = (theta[-1] - self.target).square().sum() / (start - self.target).square().sum()
        if intermediate:
            loss = loss + 0.5 * (theta[self.n // 2] - self.target).square().sum()
        leaves = [leaf for leaf in (*outer, *([start] if by_start else [])) if leaf.requires_grad]
        return torch.autograd.grad(loss, leaves)


def relative(got, want):
    """The largest relative error among the inputs, each compared with its own norm."""
    if isinstance(want, torch.Tensor):
        got, want = (got,), (want,)
    assert len(got) == len(want) and all(w.norm() > 0 for w in want)
    return max(((g - w).norm() / w.norm()).item() for g, w in zip(got, want, strict=True))


CASES = {
    "hard": {"soft": False},
    "soft": {},
    "batches": {"batch": 3},
    "augmented": {"augment": True, "steps": 9},
    "momentum": {"momentum": 0.9},
    "everything": {"momentum": 0.9, "batch": 5, "augment": True, "steps": 10},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("every", [1, 2, 4, 100])
def test_adjoint_is_the_full_gradient(case, every):
    problem = Problem(3, **CASES[case])
    assert relative(problem.gradient(AdjointUnroll(every)), problem.gradient(FullUnroll())) < 1e-12


@given(
    seed=st.integers(0, 9999),
    steps=st.integers(1, 7),
    every=st.integers(1, 8),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    batch=st.sampled_from([None, 1, 3]),
    lr=st.floats(1e-3, 0.5),
)
@settings(max_examples=25, deadline=None)
def test_adjoint_is_the_full_gradient_of_drawn_problems(seed, steps, every, momentum, batch, lr):
    problem = Problem(seed, steps=steps, momentum=momentum, batch=batch, lr=lr, images=4)
    assert relative(problem.gradient(AdjointUnroll(every)), problem.gradient(FullUnroll())) < 1e-12


def test_full_unroll_passes_gradcheck():
    step = SGDStep(lambda theta, outer, t: (torch.tanh(outer[0] @ theta) - outer[1]).square().mean(), 0.5)
    g = torch.Generator().manual_seed(0)
    images, labels = (torch.randn(*shape, generator=g, dtype=F64, requires_grad=True) for shape in ((4, 3), (4,)))
    lr = torch.tensor(0.2, dtype=F64, requires_grad=True)
    start = torch.randn(3, generator=g, dtype=F64)

    def end(unroll):
        return lambda *outer: unroll.run(step, step.start(start), outer, 4)[-1]

    assert torch.autograd.gradcheck(end(FullUnroll()), (images, labels, lr))
    assert torch.autograd.gradcheck(end(AdjointUnroll()), (images, labels, lr))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_tesla_is_exact_for_one_step_and_only_then(momentum):
    def both(steps):
        problem = Problem(1, steps=steps, momentum=momentum)
        return [problem.gradient(u, intermediate=False, by_start=False) for u in (TeslaUnroll(), FullUnroll())]

    assert relative(*both(1)) < 1e-12
    got, want = both(20)
    assert relative(got, want) > 0.01
    assert functional.cosine_similarity(got[0].flatten(), want[0].flatten(), dim=0) > 0.5


def test_tesla_is_its_papers_formula():
    """dL/dx_i = (2 / D) d/dx_i [v . g_i] with v = lr (target - theta_0) + lr^2 G held constant (spec, equation 2)."""
    problem = Problem(2, steps=5, soft=False)
    outer = problem.outer()
    states = TeslaUnroll().run(problem.step, problem.start, outer, problem.n)
    distance = (problem.start - problem.target).square().sum()
    (got,) = torch.autograd.grad((states[-1] - problem.target).square().sum() / distance, outer[0])

    x = problem.images.clone().requires_grad_()
    thetas = states.detach()
    gradients = []
    for t in range(problem.n):
        theta = thetas[t].clone().requires_grad_()
        inner = problem.step.loss(theta, (x, problem.labels), t)
        gradients += torch.autograd.grad(inner, theta, create_graph=True)
    total = sum(g.detach() for g in gradients)
    v = problem.lr * (problem.target - problem.start) + problem.lr**2 * total
    want = sum(torch.autograd.grad(2 / distance * (v @ g), x, retain_graph=True)[0] for g in gradients)
    assert relative(got, want) < 1e-12


def test_tesla_takes_any_step_for_one_with_the_identity_as_jacobian():
    problem = Problem(4, steps=3, soft=False)
    outer = problem.outer()
    opaque = TeslaUnroll().run(lambda s, o, t: problem.step(s, o, t), problem.start, outer, 3)[-1].square().sum()
    student = TeslaUnroll().run(problem.step, problem.start, outer, 3)[-1].square().sum()
    got, want = (torch.autograd.grad(loss, outer[0])[0] for loss in (opaque, student))
    assert relative(got, want) < 1e-12


def test_truncated_is_exact_exactly_where_it_covers_the_unroll():
    problem = Problem(5, steps=6)
    want = problem.gradient(FullUnroll())
    assert relative(problem.gradient(TruncatedUnroll(6)), want) < 1e-12
    assert relative(problem.gradient(TruncatedUnroll(60)), want) < 1e-12
    assert relative(problem.gradient(TruncatedUnroll(2)), want) > 0.05


def test_truncated_is_the_gradient_from_a_constant_middle():
    problem = Problem(6, steps=7, soft=False)
    outer = problem.outer()
    states = TruncatedUnroll(3).run(problem.step, problem.start, outer, 7)
    (got,) = torch.autograd.grad(states[-1].square().sum(), outer[0])
    middle = FullUnroll().run(problem.step, problem.start, outer, 4)[-1].detach()
    shifted = SGDStep(lambda theta, o, t: problem.step.loss(theta, o, t + 4))
    (want,) = torch.autograd.grad(FullUnroll().run(shifted, middle, outer, 3)[-1].square().sum(), outer[0])
    assert relative(got, want) < 1e-12


@given(moments=st.sets(st.integers(0, 6), min_size=1), every=st.integers(1, 7), momentum=st.sampled_from([0.0, 0.9]))
@settings(max_examples=25, deadline=None)
def test_states_that_are_asked_for_are_those_of_the_whole_path(moments, every, momentum):
    problem, at = Problem(7, steps=6, soft=False, momentum=momentum), sorted(moments)
    found = {}
    for unroll, asked in ((FullUnroll(), None), (FullUnroll(), at), (AdjointUnroll(every), at), (TeslaUnroll(), at)):
        outer, start = problem.outer(), problem.start.clone().requires_grad_()
        path = unroll.run(problem.step, problem.step.start(start), outer, 6, asked)
        path = path[at] if asked is None else path
        weights = torch.arange(1.0, len(at) + 1, dtype=F64).view(-1, *[1] * (path.dim() - 1))
        gradient = torch.autograd.grad((weights * path.sin()).sum(), (outer[0], start), allow_unused=True)
        found[type(unroll), asked is None] = path.detach(), gradient
    want, gradient = found[FullUnroll, True]
    for path, _ in found.values():
        torch.testing.assert_close(path, want, rtol=1e-12, atol=1e-14)
    for kind in (FullUnroll, AdjointUnroll):
        for got, asked in zip(found[kind, False][1], gradient, strict=True):
            got, asked = (torch.zeros(1) if g is None else g for g in (got, asked))
            assert (got - asked).norm() <= 1e-12 * max(asked.norm(), 1)


@pytest.mark.parametrize("at", [(), (2, 1), (1, 1), (0, 7), (-1, 3)])
@pytest.mark.parametrize("unroll", [FullUnroll(), AdjointUnroll()])
def test_moments_that_do_not_rise_or_lie_outside_are_refused(unroll, at):
    problem = Problem(0, steps=6)
    with pytest.raises(ValueError, match="rising"):
        unroll.run(problem.step, problem.start, problem.outer(), 6, at)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_higher_agrees(momentum):
    """`higher` (facebookresearch) differentiates torch.optim.SGD itself: an oracle that shares no line with ours."""
    import higher

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Softplus(), nn.Flatten(), nn.Linear(3 * 16, 2)).double()
    flat = FlatNetwork(net).to(dtype=F64)
    x, y = torch.randn(4, 1, 6, 6, dtype=F64), torch.tensor([0, 1, 1, 0])
    step = SGDStep(lambda theta, outer, t: functional.cross_entropy(flat(theta, outer[0]), y), momentum)
    lr = torch.tensor(0.3, dtype=F64)

    ours = {}
    for unroll in (FullUnroll(), AdjointUnroll()):
        images, rate = x.clone().requires_grad_(), lr.clone().requires_grad_()
        states = unroll.run(step, step.start(flat.flatten()), (images, rate), 5)
        ours[unroll] = torch.autograd.grad(step.parameters(states)[-1].square().sum(), (images, rate))

    images, rate = x.clone().requires_grad_(), lr.clone().requires_grad_()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3, momentum=momentum)
    learned = {"lr": [rate]}
    with higher.innerloop_ctx(net, optimizer, copy_initial_weights=False, override=learned) as (student, inner):
        for _ in range(5):
            inner.step(functional.cross_entropy(student(images), y))
        end = torch.cat([p.flatten() for p in student.parameters()])
        want = torch.autograd.grad(end.square().sum(), (images, rate))
    for got in ours.values():
        assert relative(got, want) < 1e-12


def test_path_is_that_of_torch_optim():
    problem = Problem(7, steps=5, momentum=0.9, soft=False)
    got = problem.step.parameters(
        AdjointUnroll().run(problem.step, problem.step.start(problem.start), problem.outer(), 5)
    )
    theta = problem.start.clone().requires_grad_()
    optimizer = torch.optim.SGD([theta], lr=problem.lr.item(), momentum=0.9)
    want = [theta.detach().clone()]
    for t in range(5):
        optimizer.zero_grad()
        problem.step.loss(theta, (problem.images, problem.labels), t).backward()
        optimizer.step()
        want.append(theta.detach().clone())
    torch.testing.assert_close(got, torch.stack(want), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("asked", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_any_part_of_the_inputs_may_be_asked_for(asked):
    problem = Problem(8)

    def gradients(unroll):
        outer = [
            v.clone().requires_grad_(i in asked) for i, v in enumerate((problem.images, problem.labels, problem.lr))
        ]
        states = unroll.run(problem.step, problem.start, outer, 4)
        return torch.autograd.grad(states[-1].square().sum(), [outer[i] for i in asked])

    assert relative(gradients(AdjointUnroll()), gradients(FullUnroll())) < 1e-12


def test_nothing_is_recorded_where_nothing_is_asked():
    problem = Problem(8)
    outer = (problem.images, problem.labels, problem.lr)
    for unroll in (FullUnroll(), AdjointUnroll()):
        assert not unroll.run(problem.step, problem.start, outer, 2).requires_grad


def test_a_second_derivative_is_refused_and_not_silently_wrong():
    problem = Problem(8)
    outer = problem.outer()
    loss = AdjointUnroll().run(problem.step, problem.start, outer, 2)[-1].square().sum()
    (gradient,) = torch.autograd.grad(loss, outer[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("wrong", [lambda: AdjointUnroll(0), lambda: TruncatedUnroll(0)])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        wrong()


@given(
    images=st.integers(1, 12), batch=st.integers(1, 12) | st.none(), steps=st.integers(1, 20), seed=st.integers(0, 99)
)
@settings(deadline=None)
def test_batches_use_every_image_once_a_pass(images, batch, steps, seed):
    order = batch_order(images, batch, steps, torch.Generator().manual_seed(seed))
    assert len(order) == steps
    if batch is None or batch >= images:
        assert order == [None] * steps
        return
    passes = -(-images // batch)
    for start in range(0, steps - passes + 1, passes):
        seen = torch.cat([rows for rows in order[start : start + passes] if rows is not None])
        assert sorted(seen.tolist()) == list(range(images))
    assert len(order[0]) == (images % batch or batch)  # the short remainder first, as in MTT's released code
