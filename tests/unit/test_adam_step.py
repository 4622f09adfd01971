"""Adam as an inner step: `higher` and torch.optim agree, windows go on with the averages, dead units stay finite."""

import pytest
import torch
from test_unroll import F64, Problem, relative
from torch import nn
from torch.nn import functional

from ddbench.networks import FlatNetwork
from ddbench.training.losses import classification_loss
from ddbench.unroll.adam_step import AdamStep
from ddbench.unroll.compiled_adam_step import FastAdamStep
from ddbench.unroll.compiled_step import GradientKernel
from ddbench.unroll.sgd_step import BatchLoss
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, TeslaUnroll, TruncatedUnroll


class AdamProblem(Problem):
    """A smooth student who steps by Adam.

    Nothing in it has a gradient of zero but for rounding, as a bias before a norm has, which Adam would enlarge.
    """

    def __init__(self, seed=0, **case):
        super().__init__(seed, **{"lr": 0.02, **case})
        torch.manual_seed(seed)
        layers = nn.Flatten(), nn.Linear(64, 5), nn.Softplus(), nn.Linear(5, 3)
        self.network = FlatNetwork(nn.Sequential(*layers)).to(dtype=F64)
        self.start = self.network.flatten().to(F64)
        self.target = self.start + 0.1 * torch.randn(self.start.shape, dtype=F64)
        self.step = AdamStep(self.step.loss)


def test_the_window_of_a_linear_step_is_the_closed_form():
    """theta <- theta - 0.1 (theta - s), five steps from 0 to s = 2, of which three count, and a loss about 1."""
    source = torch.tensor(2.0, dtype=F64, requires_grad=True)
    found = {}
    for unroll in (TruncatedUnroll(3), TruncatedUnroll(5), AdjointUnroll()):
        path = unroll.run(lambda s, outer, t: s - 0.1 * (s - outer[0]), torch.zeros(1, dtype=F64), (source,), 5)
        loss = 0.5 * (path[-1] - 1).square().sum()
        assert path[-1].item() == pytest.approx(0.81902, abs=1e-12)
        (found[unroll],) = torch.autograd.grad(loss, source)
    window, *whole = (gradient.item() for gradient in found.values())
    assert window == pytest.approx(-0.04904558, abs=1e-12)
    assert whole == pytest.approx([-0.0741131198] * 2, abs=1e-12)


def test_path_is_that_of_torch_optim():
    problem = AdamProblem(7, steps=5, soft=False)
    states = AdjointUnroll().run(problem.step, problem.step.start(problem.start), problem.outer(), 5)
    theta = problem.start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theta], lr=problem.lr.item())
    want = [theta.detach().clone()]
    for t in range(5):
        optimizer.zero_grad()
        problem.step.loss(theta, (problem.images, problem.labels), t).backward()
        optimizer.step()
        want.append(theta.detach().clone())
    torch.testing.assert_close(problem.step.parameters(states), torch.stack(want), rtol=1e-12, atol=1e-14)
    averages = [optimizer.state[theta][name] for name in ("exp_avg", "exp_avg_sq")]
    torch.testing.assert_close(states[-1, 1:], torch.stack(averages), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("case", [{"soft": False}, {"batch": 3}, {"augment": True}])
def test_adjoint_is_the_full_gradient(case):
    problem = AdamProblem(3, **case)
    want = problem.gradient(FullUnroll())
    assert relative(problem.gradient(AdjointUnroll()), want) < 1e-10
    assert relative(problem.gradient(AdjointUnroll(4)), want) < 1e-10
    assert relative(problem.gradient(TruncatedUnroll(6)), want) < 1e-10
    assert relative(problem.gradient(TeslaUnroll()), want) > 1e-3


def window(problem, start, steps, state):
    """The gradient by images and labels of a loss of the end, through steps start, ..., steps - 1 from a constant."""
    outer = problem.outer()
    for t in range(start, steps):
        state = problem.step(state, outer, t)
    return torch.autograd.grad((state[0] - problem.target).square().sum(), outer[:2])


def test_a_window_goes_on_with_averages_and_step_number_from_constants():
    problem, start, steps = AdamProblem(5, steps=7), 4, 7
    outer = problem.outer()
    path = TruncatedUnroll(steps - start).run(problem.step, problem.step.start(problem.start), outer, steps)
    got = torch.autograd.grad((path[-1, 0] - problem.target).square().sum(), outer[:2])
    middle = path[start].detach()
    assert relative(got, window(problem, start, steps, middle)) < 1e-10
    anew = problem.step.start(middle[0])
    assert relative(window(problem, start, steps, anew), got) > 0.05
    earlier = AdamStep(lambda theta, o, t: problem.step.loss(theta, o, t + start))
    counted_anew = middle
    for t in range(steps - start):
        counted_anew = earlier(counted_anew, outer, t)
    other = torch.autograd.grad((counted_anew[0] - problem.target).square().sum(), outer[:2])
    assert relative(other, got) > 0.05


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("start", "steps"), [(0, 4), (3, 4)])
def test_higher_agrees(start, steps):
    """The released code: torch.optim.Adam for the first steps, then `higher` on a copy of network and optimizer.

    `higher` adds eps to the root before that is corrected for the step number, so eps is next to nothing here.
    """
    import higher

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Softplus(), nn.Flatten(), nn.Linear(3 * 16, 2)).double()
    flat = FlatNetwork(net).to(dtype=F64)
    x, y = torch.randn(4, 1, 6, 6, dtype=F64), torch.tensor([0, 1, 1, 0])
    step = AdamStep(lambda theta, outer, t: functional.cross_entropy(flat(theta, outer[0]), y), eps=1e-30)
    images = x.clone().requires_grad_()
    path = TruncatedUnroll(steps).run(
        step, step.start(flat.flatten()), (images, torch.tensor(0.05, dtype=F64)), start + steps
    )
    (got,) = torch.autograd.grad(path[-1, 0].square().sum(), images)

    optimizer = torch.optim.Adam(net.parameters(), lr=0.05, eps=1e-30)
    for _ in range(start):
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    for state in optimizer.state.values():
        state["step"] = int(state["step"])  # of which `higher` takes powers, in float32 where it is a tensor
    images = x.clone().requires_grad_()
    with higher.innerloop_ctx(net, optimizer) as (student, inner):
        for _ in range(steps):
            inner.step(functional.cross_entropy(student(images), y))
        end = torch.cat([parameter.flatten() for parameter in student.parameters()])
        (want,) = torch.autograd.grad(end.square().sum(), images)
    torch.testing.assert_close(path[-1, 0], end, rtol=1e-10, atol=1e-12)
    assert relative(got, want) < 1e-10


@pytest.mark.parametrize("unroll", [FullUnroll(), AdjointUnroll(), TruncatedUnroll(2)])
def test_a_unit_that_never_fires_leaves_the_gradient_finite(unroll):
    images = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=F64).requires_grad_()

    def loss(theta, outer, t):
        hidden = (outer[0] @ theta[:6].view(3, 2) - torch.tensor([-3.0, 1e3], dtype=F64)).relu()
        return (hidden @ theta[6:] - 1).square().mean()

    step = AdamStep(loss)
    start = torch.linspace(0.1, 0.8, 8, dtype=F64)
    path = unroll.run(step, step.start(start), (images, torch.tensor(0.01, dtype=F64)), 4)
    assert (path[-1, 2] == 0).any() and (path[-1, 2] > 0).any()
    (gradient,) = torch.autograd.grad(path[-1, 0].square().sum(), images)
    assert gradient.isfinite().all() and gradient.abs().max() > 0


class Kept:
    """A tensor that a graph keeps, counted for as long as it does."""

    alive = most = 0

    def __init__(self, tensor):
        self.tensor = tensor
        Kept.alive += 1
        Kept.most = max(Kept.most, Kept.alive)

    def __del__(self):
        Kept.alive -= 1


def most_kept(unroll, steps):
    problem, outer, Kept.most = AdamProblem(1, steps=steps, soft=False), None, 0
    outer = problem.outer()
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        path = unroll.run(problem.step, problem.step.start(problem.start), outer, steps, [steps])
        torch.autograd.grad(path[-1, 0].square().sum(), outer[0])
    return Kept.most


def test_the_walk_back_keeps_the_graph_of_one_step_however_long_the_run():
    adjoint = {most_kept(AdjointUnroll(), steps) for steps in (2, 4, 8)}
    assert len(adjoint) == 1 and adjoint == {most_kept(TruncatedUnroll(2), 6)}
    assert most_kept(FullUnroll(), 8) > 3 * most_kept(FullUnroll(), 2) > 3 * adjoint.pop()


class FastAdamProblem(AdamProblem):
    """The same, whose step pulls back by itself; the compiler only captures the graph."""

    def __init__(self, seed=0, *, scale=1.0, fast=True, **case):
        super().__init__(seed, soft=True, **case)

        def of(theta, images, labels):
            return classification_loss(self.network(theta, images), labels, self.kind)

        loss = BatchLoss(lambda outer, t: ((1 + 0.1 * t) * outer[0], outer[1]), of, scale)
        kernel = GradientKernel(of, strict=True, backend="eager")
        self.step = FastAdamStep(loss, kernel=kernel) if fast else AdamStep(loss)


@pytest.mark.parametrize(
    "unroll", [AdjointUnroll(), AdjointUnroll(3), TruncatedUnroll(2), TeslaUnroll(), FullUnroll()], ids=str
)
def test_a_fast_step_has_the_gradient_of_a_plain_one(unroll):
    fast, plain = (FastAdamProblem(4, fast=fast, scale=0.7) for fast in (True, False))
    by_start = not isinstance(unroll, TruncatedUnroll)
    assert relative(fast.gradient(unroll, by_start=by_start), plain.gradient(unroll, by_start=by_start)) < 1e-10


def test_what_is_not_asked_of_a_fast_step_is_not_computed():
    problem = FastAdamProblem(1)
    state, outer = problem.step.start(problem.start), (problem.images, problem.labels, problem.lr)
    before, shares = problem.step.pull_back(state, outer, 0, torch.ones_like(state), (False, False, False))
    assert shares == [None, None, None] and before.shape == state.shape
    _, shares = problem.step.pull_back(state, outer, 0, torch.ones_like(state), (True, False, True))
    assert shares[0].shape == problem.images.shape and shares[1] is None and shares[2].shape == ()
