"""Training experts: the published loop, resumed to the bit, never trained twice."""

import re

import pytest
import torch
from helpers.expert_data import (
    EVERY_KIND,
    NETWORK,
    SEED,
    Watching,
    content,
    drawn_buffer,
    tiny_real,
    tiny_recipe,
    train,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from ddbench.augmentation import DSAPolicy
from ddbench.data.loader import ImageLoader
from ddbench.errors import UserError
from ddbench.expert_buffers import buffer_bytes, train_experts
from ddbench.expert_buffers.buffer import DESCRIPTION
from ddbench.expert_buffers.expert_training import expert_path
from ddbench.networks import build_network, flatten_parameters
from ddbench.randomness import derive, stream


@settings(deadline=None, max_examples=5)
@given(
    st.sampled_from([0.0, 0.9]),
    st.sampled_from([0.0, 0.01]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from(["dsa", "none"]),
)
def test_rows_are_those_of_the_loop_written_out(tmp_path_factory, momentum, weight_decay, drop, augmented):
    real = tiny_real()
    recipe = tiny_recipe(momentum=momentum, weight_decay=weight_decay, lr_drop_epoch=drop, augmentation=augmented)
    buffer = train(tmp_path_factory.mktemp("buffer"), recipe, real=real)
    dsa = DSAPolicy().without("flip")
    for expert in range(2):
        network = build_network(NETWORK, channels=1, size=8, classes=3, seed=derive(SEED, "expert", expert, "init"))
        theta = list(network.parameters())
        velocity = [torch.zeros_like(p) for p in theta]
        torch.testing.assert_close(buffer[expert, 0], flatten_parameters(network), rtol=0, atol=0)
        for epoch in range(3):
            lr = 0.05 * (0.1 if drop is not None and epoch >= drop else 1)
            if epoch == drop:
                velocity = [torch.zeros_like(p) for p in theta]
            order = stream(SEED, "expert", expert, "epoch", epoch, "order")
            draws = stream(SEED, "expert", expert, "epoch", epoch, "augmentation")
            losses, hits = [], 0
            for rows in torch.randperm(30, generator=order).split(8):
                x, y = real.inputs(real.train, rows), real.train.labels[rows]
                if augmented == "dsa":
                    x = dsa.apply(x, dsa.draw(len(x), 8, draws))
                logits = network(x)
                loss = cross_entropy(logits, y)
                gradients = torch.autograd.grad(loss, theta)
                with torch.no_grad():
                    for p, v, g in zip(theta, velocity, gradients, strict=True):
                        v.mul_(momentum).add_(g + weight_decay * p)
                        p.sub_(lr * v)
                losses.append(len(x) * loss.item())
                hits += int((logits.argmax(1) == y).sum())
            torch.testing.assert_close(buffer[expert, epoch + 1], flatten_parameters(network), rtol=1e-4, atol=1e-6)
            assert not torch.equal(buffer[expert, epoch + 1], buffer[expert, epoch]), "a snapshot is a copy"
            logits = network(real.inputs(real.validation))
            curves = {name: float(values[epoch]) for name, values in buffer.curves(expert).items()}
            validation = (logits.argmax(1) == real.validation.labels).float().mean().item()
            assert curves["learning_rate"] == pytest.approx(lr)
            assert curves["train_loss"] == pytest.approx(sum(losses) / 30, rel=1e-4)
            assert curves["train_accuracy"] == pytest.approx(hits / 30, abs=0.035)
            assert curves["validation_accuracy"] == pytest.approx(validation, abs=0.12)


def test_experts_follow_from_the_seed_and_leave_global_randomness_alone(tmp_path):
    before = torch.get_rng_state()
    first = train(tmp_path / "a", tiny_recipe())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    second = train(tmp_path / "b", tiny_recipe())
    assert first.fingerprint == second.fingerprint
    assert not torch.equal(first[0, 0], first[1, 0])
    other = train_experts(tmp_path / "c", tiny_real(), NETWORK, tiny_recipe(), epochs=3, seed=SEED + 1)
    assert not torch.equal(first[0, 0], other[0, 0])


@EVERY_KIND
@pytest.mark.parametrize(("network", "dtype"), [(NETWORK, "float32"), (NETWORK + "-bn", "bfloat16")])
@pytest.mark.parametrize("stop_at", [1, 4, 7])
def test_an_interrupted_training_continues_to_the_same_bits(tmp_path, kind, network, dtype, stop_at):
    recipe = tiny_recipe(optimizer=kind, momentum=0.9, lr_drop_epoch=3, dtype=dtype)
    train(tmp_path / "whole", recipe, epochs=4, network=network)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", recipe, epochs=4, network=network, progress=Watching(stop_at))
    watching = Watching()
    train(tmp_path / "cut", recipe, epochs=4, network=network, progress=watching)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert watching.total == (8 if stop_at <= 4 else 4)
    assert watching.steps[0] == (stop_at if stop_at <= 4 else stop_at - 4), (
        "the epochs that were done are not done again"
    )


class Killed(Exception):
    """Stands for a kill: nothing is written on the way out."""


@pytest.mark.parametrize(("seconds", "lost"), [(0.0, 0), (3600.0, 3)])
def test_a_killed_training_loses_no_more_than_the_time_between_checkpoints(tmp_path, seconds, lost):
    whole = train(tmp_path / "whole", tiny_recipe(momentum=0.9), epochs=5)
    with pytest.raises(Killed):
        train(
            tmp_path / "cut",
            tiny_recipe(momentum=0.9),
            epochs=5,
            progress=Watching(3, Killed),
            checkpoint_seconds=seconds,
        )
    watching = Watching()
    again = train(tmp_path / "cut", tiny_recipe(momentum=0.9), epochs=5, progress=watching)
    assert watching.steps[0] == 3 - lost
    assert again.fingerprint == whole.fingerprint


def test_a_damaged_checkpoint_or_one_of_another_training_counts_for_nothing(tmp_path):
    whole = train(tmp_path / "whole", tiny_recipe())
    for damage in (lambda b: b[:-3], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""):
        folder = tmp_path / f"cut{len(list(tmp_path.iterdir()))}"
        with pytest.raises(KeyboardInterrupt):
            train(folder, tiny_recipe(), progress=Watching(2))
        (unfinished,) = folder.glob(".*.unfinished")
        unfinished.write_bytes(damage(unfinished.read_bytes()))
        watching = Watching()
        assert train(folder, tiny_recipe(), progress=watching).fingerprint == whole.fingerprint
        assert watching.steps[0] == 0


def test_only_what_is_missing_is_trained(tmp_path):
    train(tmp_path, tiny_recipe(count=2))
    first = content(tmp_path)
    watching = Watching()
    buffer = train(tmp_path, tiny_recipe(count=3), progress=watching)
    assert (watching.total, len(buffer)) == (3, 3)
    assert {name: content(tmp_path)[name] for name in first} == first
    watching = Watching()
    assert len(train(tmp_path, tiny_recipe(count=1), progress=watching)) == 1
    assert watching.steps == [], "a larger buffer serves as it is, and says nothing"


def test_a_damaged_expert_is_trained_again_and_said(tmp_path):
    train(tmp_path, tiny_recipe(count=3))
    before = content(tmp_path)
    path = expert_path(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:-1])
    watching = Watching()
    train(tmp_path, tiny_recipe(count=3), progress=watching)
    assert content(tmp_path) == before
    assert watching.total == 3
    assert "expert-0001.safetensors again" in watching.what


@pytest.mark.parametrize("damage", [None, "{"])
def test_a_lost_description_is_written_anew(tmp_path, damage):
    train(tmp_path, tiny_recipe())
    before = content(tmp_path)
    (tmp_path / DESCRIPTION).unlink() if damage is None else (tmp_path / DESCRIPTION).write_text(damage)
    watching = Watching()
    train(tmp_path, tiny_recipe(), progress=watching)
    assert (content(tmp_path), watching.steps) == (before, [])


def test_experts_of_another_buffer_are_never_written_over(tmp_path):
    train(tmp_path, tiny_recipe())
    (tmp_path / DESCRIPTION).unlink()
    before = content(tmp_path)
    with pytest.raises(UserError, match="experts of another buffer") as caught:
        train(tmp_path, tiny_recipe(lr=0.5))
    assert "expert-0000.safetensors, expert-0001.safetensors" in str(caught.value)
    assert content(tmp_path) == before


def test_a_folder_of_other_experts_is_refused(tmp_path):
    train(tmp_path, tiny_recipe())
    for recipe, real, said in (
        (tiny_recipe(lr=0.5), tiny_real(), "another experts.lr"),
        (tiny_recipe(), tiny_real(name="others"), "another dataset"),
    ):
        with pytest.raises(UserError, match=said):
            train(tmp_path, recipe, real=real)


def test_an_expert_that_diverges_says_what_to_change(tmp_path):
    with pytest.raises(UserError, match=r"expert 0 diverged in epoch \d") as caught:
        train(tmp_path, tiny_recipe(lr=1e30), epochs=5)
    assert "sgd at lr 1e+30" in str(caught.value)
    assert re.search(r"fix: lower experts.lr, say to 1e\+29", str(caught.value))
    assert list(tmp_path.glob("*expert*")) == []


def test_what_can_not_be_trained_is_refused_before_it_begins(tmp_path):
    with pytest.raises(UserError, match="at least 1 epoch"):
        train(tmp_path, tiny_recipe(), epochs=0)
    with pytest.raises(UserError, match="no network"):
        train(tmp_path, tiny_recipe(), network="convnetd3")
    assert list(tmp_path.iterdir()) == []


def test_without_a_validation_split_there_is_no_validation_accuracy(tmp_path):
    buffer = train(tmp_path, tiny_recipe(count=1), real=tiny_real(validation=0))
    assert sorted(buffer.curves(0)) == ["learning_rate", "train_accuracy", "train_loss"]


def test_the_bar_hears_of_every_epoch(tmp_path):
    watching = Watching()
    train(tmp_path, tiny_recipe(), progress=watching)
    assert (watching.total, watching.steps) == (6, [0, 1, 2, 3, 3, 4, 5, 6])
    assert set(watching.facts) == {"expert", "train_loss", "train_accuracy", "validation_accuracy"}


@EVERY_KIND
def test_experts_train_on_every_device(tmp_path, device, kind):
    buffer = train(tmp_path, tiny_recipe(optimizer=kind), device=device)
    assert buffer[1, 3].device.type == "cpu"
    assert (buffer[1, 3] - buffer[1, 0]).norm() > 0


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.sampled_from([0, 2**30]), st.booleans())
def test_a_feed_gives_what_the_set_gives(seed, float_limit, sliced):
    real = tiny_real(seed)
    rows = slice(4, 11) if sliced else torch.randperm(30, generator=stream(seed, "rows"))[:7]
    loader = ImageLoader(real, real.train, "cpu", float_limit)
    inputs, labels = loader[rows]
    torch.testing.assert_close(inputs, real.inputs(real.train, rows))
    assert torch.equal(labels, real.train.labels[rows])
    assert len(loader) == 30


def test_plan_figures_are_those_of_the_files(tmp_path):
    description, _ = drawn_buffer(tmp_path, experts=2, epochs=50)
    rows = buffer_bytes(description.parameter_count, 50, 2)
    on_disk = sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    assert rows < on_disk < rows + 20_000
    assert buffer_bytes(320_010, 50, 100) == 6_528_204_000
    assert buffer_bytes(320_010, 50, 100, "bfloat16") == 3_264_102_000 + 128_004_000
