"""Experts trained side by side are those trained alone: in float64 to 1e-10, in float32 to rounding."""

import copy
from functools import partial

import pytest
import torch
from helpers.expert_data import EVERY_KIND, NETWORK, Watching, tiny_real, tiny_recipe, train
from hypothesis import given, settings
from hypothesis import strategies as st
from test_expert_optimizers import drawn_batches, small_network, updated

from ddbench.augmentation import AUGMENTATIONS, DSAPolicy, augmentation
from ddbench.augmentation.stacked_dsa import apply_each, apply_packed, packed
from ddbench.data.loader import ImageLoader
from ddbench.errors import UserError
from ddbench.expert_buffers.batches import batches_alone, batches_together
from ddbench.expert_buffers.checkpoint import ExpertCheckpoint
from ddbench.expert_buffers.optimizers import ExpertState, expert_optimizer
from ddbench.randomness import stream
from ddbench.runtime.compile import Compiler
from ddbench.training.epoch import RunningMeans
from ddbench.training.forward_pass import ForwardPass
from ddbench.training.loop import train_epochs
from ddbench.training.model_stack import SingleModel, StackedModels

exactly = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)


@EVERY_KIND
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("fast", ["plain", "captured"])
def test_updates_are_those_of_each_network_alone(kind, batch_norm, fast):
    recipe = tiny_recipe(optimizer=kind, momentum=0.9, weight_decay=0.01, lr_drop_epoch=1)
    starts = [small_network(seed, batch_norm) for seed in range(3)]
    batches = [drawn_batches(seed, 4) for seed in range(3)]
    alone, losses = copy.deepcopy(starts), []
    for network, own in zip(alone, batches, strict=True):
        optimizer = expert_optimizer(network, recipe)
        losses.append([])
        for epoch in range(2):
            optimizer.begin_epoch(epoch)
            losses[-1] += [updated(optimizer, batch) for batch in own[2 * epoch : 2 * epoch + 2]]
    together = copy.deepcopy(starts)
    forward = ForwardPass(starts[0], stacked=True, compile=fast == "captured", backend="eager")
    optimizer = expert_optimizer(StackedModels(together, forward), recipe)
    for number in range(4):
        if number % 2 == 0:
            optimizer.begin_epoch(number // 2)
        join_ranks = [torch.stack(parts) for parts in zip(*(own[number] for own in batches), strict=True)]
        found, logits = updated(optimizer, join_ranks)
        for member in range(3):
            exactly(found[member], losses[member][number][0])
            exactly(logits[member], losses[member][number][1])
    for got, want, start in zip(together, alone, starts, strict=True):
        for name, tensor in want.state_dict().items():
            exactly(got.state_dict()[name], tensor)
            assert not torch.equal(tensor, start.state_dict()[name])
    for member, want in enumerate(alone):
        again, own = ExpertState(expert_optimizer(copy.deepcopy(want), recipe)), ExpertState(optimizer, member)
        again.restore(own.state())
        exactly(again.state()["velocity"], own.state()["velocity"])


@EVERY_KIND
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_captured_pass_updates_a_network_as_the_plain_one(kind, batch_norm):
    recipe = tiny_recipe(optimizer=kind, momentum=0.9, weight_decay=0.01)
    start = small_network(0, batch_norm)
    plain, fast = copy.deepcopy(start), copy.deepcopy(start)
    forward = ForwardPass(start, compile=True, backend="aot_eager")
    trained = expert_optimizer(plain, recipe), expert_optimizer(SingleModel(fast, forward), recipe)
    for batch in drawn_batches(0, 4):
        for got, want in zip(*(updated(optimizer, batch) for optimizer in trained), strict=True):
            exactly(got, want)
    for name, tensor in plain.state_dict().items():
        exactly(fast.state_dict()[name], tensor)
        assert not torch.equal(tensor, start.state_dict()[name])


def test_one_that_diverges_leaves_the_others_alone():
    recipe, batches = tiny_recipe(lr=0.1), [drawn_batches(seed, 3) for seed in range(2)]
    alone, together = small_network(1), [small_network(0), small_network(1)]
    batches[0][0][0].fill_(torch.inf)
    optimizer = expert_optimizer(alone, recipe)
    both = expert_optimizer(StackedModels(together, ForwardPass(alone, stacked=True)), recipe)
    for first, second in zip(*batches, strict=True):
        updated(optimizer, second)
        updated(both, [torch.stack(parts) for parts in zip(first, second, strict=True)])
    assert not any(parameter.isfinite().all() for parameter in together[0].parameters())
    for got, want in zip(together[1].parameters(), alone.parameters(), strict=True):
        exactly(got, want)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([name for name in AUGMENTATIONS if name != "none"]), st.integers(0, 9999))
def test_every_augmentation_of_many_is_that_of_each(name, seed):
    chosen, images = AUGMENTATIONS[name](), torch.randn(5, 4, 3, 8, 8, generator=stream(seed, "images"))
    assert chosen is not None
    draws = [chosen.draw(4, 8, stream(seed, number)) for number in range(5)]
    alone = torch.stack([chosen.apply(own, draw) for own, draw in zip(images, draws, strict=True)])
    torch.testing.assert_close(apply_each(chosen, images, draws), alone, rtol=1e-6, atol=1e-6)
    assert not torch.equal(alone, images)


@settings(deadline=None, max_examples=10)
@given(st.booleans(), st.integers(0, 9999))
def test_all_families_at_once_are_each_by_itself(mirror, seed):
    dsa = augmentation("dsa", mirror=mirror)
    assert isinstance(dsa, DSAPolicy)
    families = [*dsa.families, dsa.families[seed % len(dsa.families)]]
    images = torch.randn(len(families), 4, 3, 8, 8, generator=stream(seed, "images"))
    draws = [dsa.draw_family(name, 4, 8, stream(seed, name)) for name in families]
    alone = torch.stack([dsa.apply(own, draw) for own, draw in zip(images, draws, strict=True)])
    got = apply_packed(dsa, images, *packed(draws, dsa.families))
    torch.testing.assert_close(got, alone, rtol=1e-6, atol=1e-6)
    exact = apply_packed(dsa, images.double(), *packed(draws, dsa.families))
    double = torch.stack([dsa.apply(own, draw) for own, draw in zip(images.double(), draws, strict=True)])
    exactly(exact, double)


def test_all_families_at_once_are_one_graph(monkeypatch):
    quick = partial(Compiler, backend="aot_eager")
    monkeypatch.setattr("ddbench.augmentation.stacked_dsa.Compiler", quick)
    monkeypatch.setattr("ddbench.augmentation.stacked_dsa.missing_requirement", lambda device: None)
    dsa, images = DSAPolicy(brightness=0.9), torch.randn(6, 4, 3, 8, 8, generator=stream(0, "images"))
    draws = [dsa.draw_family(name, 4, 8, stream(0, name)) for name in dsa.families]
    plain = apply_each(dsa, images, draws)
    torch.testing.assert_close(apply_each(dsa, images, draws, fused=True), plain, rtol=1e-5, atol=1e-5)


def test_an_epoch_of_many_is_that_of_each():
    real = tiny_real()
    loader, recipe = ImageLoader(real, real.train), tiny_recipe(lr=0.05)
    starts = [small_like(seed) for seed in range(3)]
    want = []
    for number, network in enumerate(copied := copy.deepcopy(starts)):
        batches = batches_alone(loader, 8, DSAPolicy(), stream(number, "order"), stream(number, "draws"))
        want += epoch_of(expert_optimizer(network, recipe), batches)
    optimizer = expert_optimizer(StackedModels(starts, ForwardPass(starts[0], stacked=True)), recipe)
    orders, draws = ([stream(number, name) for number in range(3)] for name in ("order", "draws"))
    got = epoch_of(optimizer, batches_together(loader, 8, DSAPolicy(), orders, draws))
    assert got == [pytest.approx(one, rel=1e-5) for one in want]
    for network, alone in zip(starts, copied, strict=True):
        for a, b in zip(network.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="at least one batch"):
        epoch_of(optimizer, [])


def epoch_of(optimizer, batches):
    """Mean loss and accuracy of an epoch on these batches."""
    means = RunningMeans()
    observe = lambda batch, losses, logits: means.add(batch.labels, losses, logits)  # noqa: E731
    assert list(train_epochs(optimizer, lambda epoch: batches, [0], observe=observe)) == [0]
    return means.take()


def small_like(seed):
    from ddbench.networks import build_network

    return build_network(NETWORK, channels=1, size=8, classes=3, seed=seed)


@EVERY_KIND
@pytest.mark.parametrize("network", [NETWORK, "convnet-d1-w4-bn"])
def test_a_buffer_trained_together_is_that_of_one_after_the_other(tmp_path, kind, network):
    recipe = tiny_recipe(count=3, optimizer=kind, momentum=0.5, lr_drop_epoch=2)
    alone = train(tmp_path / "alone", recipe, network=network)
    watching = Watching()
    together = train(tmp_path / "together", recipe, network=network, together=2, progress=watching)
    assert watching.steps[-1] == 9 and watching.total == 9
    for expert in range(3):
        for epoch in range(4):
            torch.testing.assert_close(together[expert, epoch], alone[expert, epoch], rtol=1e-3, atol=1e-5)
        assert not torch.equal(alone[expert, 3], alone[expert, 0])
        for name, curve in alone.curves(expert).items():
            torch.testing.assert_close(together.curves(expert)[name], curve, rtol=1e-3, atol=0.12)


def test_experts_left_at_different_epochs_go_on_together(tmp_path):
    recipe = tiny_recipe(count=3, momentum=0.9)
    whole = train(tmp_path / "whole", recipe, epochs=4)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", recipe, epochs=4, progress=Watching(stop_at=6))
    train(tmp_path / "parts", recipe, epochs=4, together=3)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halves", recipe, epochs=4, together=3, progress=Watching(stop_at=6))
    assert sorted(path.name for path in (tmp_path / "halves").glob(".*")) == [
        f".expert-000{expert}.unfinished" for expert in range(3)
    ]
    train(tmp_path / "halves", recipe, epochs=4)
    for folder in ("parts", "halves"):
        found = train(tmp_path / folder, recipe, epochs=4)
        for expert in range(3):
            torch.testing.assert_close(found[expert, 4], whole[expert, 4], rtol=1e-3, atol=1e-5)


def test_the_others_are_written_when_one_diverges(tmp_path, monkeypatch):
    kept = []
    plain = ExpertCheckpoint.keep

    def keep(self, epochs, network, *rest):
        plain(self, epochs, network, *rest)
        if "0001" in self.path.name:
            next(network.parameters()).data.fill_(torch.nan)
        kept.append(self.together)

    monkeypatch.setattr(ExpertCheckpoint, "keep", keep)
    with pytest.raises(UserError, match="expert 1 diverged in epoch 2"):
        train(tmp_path, tiny_recipe(count=3), together=3)
    assert set(kept) == {3}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "buffer.json",
        "expert-0000.safetensors",
        "expert-0002.safetensors",
    ]


def test_less_than_one_at_once_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        train(tmp_path, tiny_recipe(), together=0)
