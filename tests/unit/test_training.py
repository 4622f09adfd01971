"""Losses and epochs against four-line versions, in float64."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.augmentation import Draw
from ddbench.errors import UserError
from ddbench.randomness import stream
from ddbench.training.epoch import RunningMeans, consecutive_batches, joined_last, shuffled_batches, top1_accuracy
from ddbench.training.loop import Batch, ScheduledOptimizer, train_epochs
from ddbench.training.losses import classification_loss, hard_labels
from ddbench.training.model_stack import SingleModel


def drawn_batch(seed: int, batch: int, classes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = stream(seed, "batch")
    logits = 3 * torch.randn(batch, classes, dtype=torch.float64, generator=generator)
    soft = torch.randn(batch, classes, dtype=torch.float64, generator=generator)
    return logits, soft, torch.randint(0, classes, (batch,), generator=generator)


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(1, 9), st.integers(2, 7))
def test_losses_equal_their_definition(seed, batch, classes):
    logits, soft, hard = drawn_batch(seed, batch, classes)
    log_shares = logits - logits.exp().sum(1, keepdim=True).log()
    probabilities = soft.exp() / soft.exp().sum(1, keepdim=True)
    for kind, labels, weights in (
        ("hard", hard, torch.eye(classes, dtype=torch.float64)[hard]),
        ("probabilities", probabilities, probabilities),
        ("logits", soft, probabilities),
    ):
        want = -(weights * log_shares).sum(1).mean()
        assert want > 0
        torch.testing.assert_close(classification_loss(logits, labels, kind), want, rtol=1e-12, atol=1e-14)
    assert torch.equal(hard_labels(hard), hard)
    assert torch.equal(hard_labels(soft), soft.argmax(1))


def test_an_unknown_kind_of_label_offers_the_known_ones():
    logits, soft, _ = drawn_batch(0, 3, 4)
    with pytest.raises(UserError, match="did you mean 'logits'"):
        classification_loss(logits, soft, "logit")


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(0, 50), st.integers(1, 60))
def test_batches_visit_every_image_once(seed, n, batch):
    shuffled = list(shuffled_batches(n, batch, stream(seed, "order")))
    assert sorted(torch.cat(shuffled).tolist() if shuffled else []) == list(range(n))
    assert [i for piece in consecutive_batches(n, batch) for i in range(n)[piece]] == list(range(n))
    assert all(len(piece) == batch for piece in shuffled[:-1]) and all(len(piece) for piece in shuffled)
    assert all(map(torch.equal, shuffled, shuffled_batches(n, batch, stream(seed, "order"))))


class Brightening:
    """A stand-in augmentation whose effect can be computed by hand."""

    def draw(self, batch, size, generator):
        return Draw("brighten", (torch.rand(batch, 1, 1, 1, generator=generator, dtype=torch.float64),))

    def apply(self, images, draw):
        return images * (1 + draw.parameters[0])


@settings(deadline=None)
@given(st.integers(0, 9999), st.booleans(), st.sampled_from(["hard", "logits"]))
def test_an_epoch_equals_the_loop_written_out(seed, augmented, kind):
    generator = stream(seed, "data")
    images = torch.randn(11, 1, 2, 2, dtype=torch.float64, generator=generator)
    labels = torch.randn(11, 3, dtype=torch.float64, generator=generator)
    labels = labels.argmax(1) if kind == "hard" else labels
    weight = torch.randn(3, 4, dtype=torch.float64, generator=generator)
    linear = torch.nn.Linear(4, 3, bias=False, dtype=torch.float64)
    network = torch.nn.Sequential(torch.nn.Flatten(), linear)
    with torch.no_grad():
        linear.weight.copy_(weight)
    orders = list(shuffled_batches(11, 4, stream(seed, "order")))
    optimizer = ScheduledOptimizer(
        SingleModel(network), torch.optim.SGD(network.parameters(), lr=9.0), lambda epoch: 0.1 / (epoch + 1)
    )
    brightening, draws, means, seen = Brightening(), stream(seed, "augmentation"), RunningMeans(), []

    def batches(epoch):
        for rows in orders:
            x = images[rows]
            if augmented:
                x = brightening.apply(x, brightening.draw(len(rows), 2, draws))
            seen.append(hard_labels(labels[rows]))
            yield Batch(x, partial(classification_loss, labels=labels[rows], kind=kind))

    def observe(batch, loss, logits):
        assert not (loss.requires_grad or logits.requires_grad)
        means.add(seen[-1], loss, logits)

    found = [(epoch, *means.take()) for epoch in train_epochs(optimizer, batches, range(2), observe=observe)]

    draws = stream(seed, "augmentation")
    for epoch, (number, (loss, accuracy)) in enumerate(found):
        total = hits = 0.0
        for rows in orders:
            x = images[rows]
            if augmented:
                x = x * (1 + torch.rand(len(rows), 1, 1, 1, generator=draws, dtype=torch.float64))
            weight = weight.detach().requires_grad_()
            logits = x.flatten(1) @ weight.T
            batch_loss = classification_loss(logits, labels[rows], kind)
            (gradient,) = torch.autograd.grad(batch_loss, weight)
            total += batch_loss.item() * len(rows)
            hits += (logits.argmax(1) == hard_labels(labels[rows])).sum().item()
            weight = weight - 0.1 / (epoch + 1) * gradient
        assert number == epoch and loss == pytest.approx(total / 11, rel=1e-12) and accuracy == hits / 11 and loss > 0
    torch.testing.assert_close(linear.weight.detach(), weight.detach(), rtol=1e-12, atol=1e-14)

    test_pieces = [(images[rows], labels[rows]) for rows in consecutive_batches(11, 5)]
    want = ((images.flatten(1) @ weight.T).argmax(1) == hard_labels(labels)).double().mean().item()
    assert top1_accuracy(network, test_pieces) == pytest.approx(want, abs=1e-15)


def test_nothing_to_see_is_said():
    with pytest.raises(ValueError, match="at least one image"):
        top1_accuracy(lambda x: x, [])
    with pytest.raises(ValueError, match="at least one batch"):
        RunningMeans().take()


class Counting(torch.nn.Module):
    """A network of one weight."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(5.0))

    def forward(self, inputs):
        return self.weight * inputs


@given(steps=st.none() | st.integers(0, 14), batches=st.integers(1, 4), begin=st.integers(0, 3))
def test_it_stops_after_so_many_steps_and_yields_whole_epochs(steps, batches, begin):
    network = Counting()
    optimizer = ScheduledOptimizer(SingleModel(network), torch.optim.SGD(network.parameters(), lr=1.0), lambda _: 0.125)
    one = Batch(torch.ones(1), lambda logits: logits.sum())
    epochs = list(train_epochs(optimizer, lambda epoch: [one] * batches, range(begin, 4), steps=steps))
    whole = batches * (4 - begin)
    taken = whole if steps is None else min(steps, whole)
    assert network.weight.item() == 5 - taken / 8
    assert epochs == [begin + number for number in range(taken // batches)]


def test_an_optimizer_that_restarts_forgets_its_velocity():
    weights, one = {}, Batch(torch.ones(1), lambda logits: logits.sum())
    for restart in (None, 2):
        network = Counting()
        sgd = torch.optim.SGD(network.parameters(), lr=1.0, momentum=0.5)
        optimizer = ScheduledOptimizer(SingleModel(network), sgd, lambda epoch: 1 / 2**epoch, restart=restart)
        weights[restart] = [network.weight.item() for _ in train_epochs(optimizer, lambda epoch: [one], range(4))]
    assert weights[None] == [4.0, 3.25, 2.8125, 2.578125]
    assert weights[2] == [4.0, 3.25, 3.0, 2.8125]


@given(n=st.integers(0, 30), batch=st.integers(2, 9))
def test_a_last_piece_of_one_is_joined(n, batch):
    pieces = list(torch.arange(n).split(batch)) if n else []
    join_ranks = joined_last(pieces)
    assert [int(item) for piece in join_ranks for item in piece] == list(range(n))
    assert all(len(piece) > 1 for piece in join_ranks) or n == 1
    assert len(join_ranks) == len(pieces) - (n > 1 and n % batch == 1)
