"""Training by every protocol is what its numbers say: step by step, against plain loops in float64."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.evaluation_makers import train_by
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ddbench.evaluate.protocols.builtin import PROTOCOLS, EvaluationContext
from ddbench.evaluate.training.augment import augment_by
from ddbench.evaluate.training.batches import AugmentedBatches, StoredBatches
from ddbench.evaluate.training.mixing import Mixer, Mixture, cut_box
from ddbench.evaluate.training.training_sets import TensorTrainingSet, classes_of
from ddbench.networks import build_network
from ddbench.synthetic.epoch_labels import EpochLabels
from ddbench.training.class_rows import class_rows

CPU = torch.device("cpu")
SIDE = 8


def problem(seed, count, kind):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 1, SIDE, SIDE, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (count,), generator=generator)
    if kind != "hard":
        labels = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    network = build_network("convnet-d1-w4", channels=1, size=SIDE, classes=3, seed=seed).double()
    return network, images, labels.softmax(1) if kind == "probabilities" else labels


def teacher(images):
    """Fixed, and different for every view: three means of an image."""
    return torch.stack([images.mean((1, 2, 3)), images[:, :, :4].mean((1, 2, 3)), images[..., 0, 0].mean(1)], 1) * 9


def training_config_of(name, epochs, batch, **changes):
    about = EvaluationContext(dataset="x", network="convnet-d1-w4", batch_norm=False, ipc=3, classes=3, size=SIDE)
    config = PROTOCOLS[name].resolve(about, lr=0.05)
    more = config.trained_epochs - config.epochs
    return replace(config, epochs=epochs, trained_epochs=epochs + more, batch=batch, **changes)


def flat(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def trained(name, seed, count, kind, epochs, batch, **changes):
    """The parameters after every epoch, as ddbench trains."""
    network, images, labels = problem(seed, count, kind)
    config = training_config_of(name, epochs, batch, **changes)
    training_set = TensorTrainingSet(images=images, labels=labels, label_kind=kind)
    views = AugmentedBatches(
        training_set=training_set,
        config=config,
        classes=classes_of(training_set) if config.batches == "by-class" else None,
        augment=augment_by(config.augmentation, mirror=True, seed=seed, device=CPU),
        mixer=Mixer(config, seed, CPU),
        generator=torch.Generator().manual_seed(seed),
        label=teacher if config.targets == "teacher" else None,
    )
    history = [flat(network) for _ in train_by(config, views.epoch, network)]
    assert len(history) == config.trained_epochs
    return history


def rate_by_hand(name, epoch, epochs):
    if name in ("sre2l-v1", "infer-static-v1", "infer-dynamic-v1", "nas-v1", "real-v1", "squeeze-v1"):
        return 0.05 * math.cos(math.pi * epoch / (2 * epochs)) ** 2
    if name == "rat-v1":
        return 0.05
    if name == "sre2l-tiny-v1":
        if epoch < 5:
            return 0.05 * (0.01, 0.208, 0.406, 0.604, 0.802)[epoch]
        return 0.05 * math.cos(math.pi * (epoch - 5) / (2 * (epochs - 5))) ** 2
    if name == "rded-v1":
        return 0.05 * math.cos(math.pi * epoch / (4 * epochs)) ** 2
    if name == "idc-v1":
        return 0.05 if epoch < epochs * 2 // 3 else 0.01 if epoch < epochs * 5 // 6 else 0.002
    return 0.05 if epoch <= epochs // 2 + 1 else 0.005


def loss_by_hand(name, logits, labels, kind, mixture, seen, temperature):
    if PROTOCOLS[name].loss == "kl":
        if PROTOCOLS[name].targets == "teacher":
            said = teacher(seen)
        else:
            said = labels if kind == "logits" else labels.log()
            said = mixture.share * said + (1 - mixture.share) * said[mixture.partners]
        p = (said / temperature).exp() / (said / temperature).exp().sum(1, keepdim=True)
        q = (logits / temperature).exp() / (logits / temperature).exp().sum(1, keepdim=True)
        return (p * (p.log() - q.log())).sum() / len(logits) * (400 if name == "sre2l-tiny-v1" else 1)
    target = functional.one_hot(labels, 3).double() if kind == "hard" else labels
    target = target.softmax(1) if kind == "logits" else target
    if mixture is not None:
        target = mixture.share * target + (1 - mixture.share) * target[mixture.partners]
    return -(target * logits.log_softmax(1)).sum(1).mean()


def mixed_by_hand(images, mixture):
    if mixture is None:
        return images
    result = images.clone()
    for number in range(len(images)):
        partner = images[mixture.partners[number]]
        if mixture.box is None:
            result[number] = mixture.share * images[number] + (1 - mixture.share) * partner
        else:
            for column in range(mixture.box[0], mixture.box[2]):
                for row in range(mixture.box[1], mixture.box[3]):
                    result[number, :, row, column] = partner[:, row, column]
    return result


def batches_by_hand(name, generator, count, batch, labels):
    """Of an epoch: all images in random order; under rat-v1 one batch, of three of each class, for there are as many
    images of each where labels are soft, so far as that goes."""
    if name != "rat-v1":
        return torch.randperm(count, generator=generator).split(batch)
    classes = labels
    if labels.ndim == 2:
        classes = torch.arange(count) // (count // 3) if count % 3 == 0 else labels.argmax(1)
    rows = class_rows(classes, int(classes.max()) + 1, generator, of_each=3)
    return [torch.arange(count) if rows is None else rows]


def by_hand(name, seed, count, kind, epochs, batch, **changes):
    """The same in plain arithmetic: own optimizers, schedules, mixing and losses; only the draws are shared."""
    network, images, labels = problem(seed, count, kind)
    config = training_config_of(name, epochs, batch, **changes)
    generator = torch.Generator().manual_seed(seed)
    augment, mixer = augment_by(config.augmentation, mirror=True, seed=seed, device=CPU), Mixer(config, seed, CPU)
    named = list(network.named_parameters())
    first = [torch.zeros_like(parameter) for _, parameter in named]
    second = [torch.zeros_like(parameter) for _, parameter in named]
    adam = name in ("sre2l-v1", "rded-v1", "infer-static-v1", "infer-dynamic-v1", "rat-v1")
    exclusive = adam or name in ("idc-v1", "nas-v1", "real-v1", "squeeze-v1", "sre2l-tiny-v1")
    history, step = [], 0
    for epoch in range(epochs if exclusive else epochs + 1):
        lr = rate_by_hand(name, epoch, epochs)
        for rows in batches_by_hand(name, generator, count, batch, labels):
            seen = images[rows] if augment is None else augment(images[rows])
            mixture = mixer.draw(len(rows), SIDE)
            seen = mixed_by_hand(seen, mixture)
            loss = loss_by_hand(name, network(seen), labels[rows], kind, mixture, seen, config.temperature)
            gradients = torch.autograd.grad(loss, [parameter for _, parameter in named])
            step += 1
            with torch.no_grad():
                for number, ((title, parameter), gradient) in enumerate(zip(named, gradients, strict=True)):
                    if adam:
                        kernel = title.endswith("weight") and parameter.ndim > 1
                        decay = 0.0 if name == "rat-v1" or (name == "rded-v1" and not kernel) else 0.01
                        parameter -= lr * decay * parameter
                        first[number] = 0.9 * first[number] + 0.1 * gradient
                        second[number] = 0.999 * second[number] + 0.001 * gradient**2
                        size = (second[number] / (1 - 0.999**step)).sqrt() + 1e-8
                        parameter -= lr * first[number] / (1 - 0.9**step) / size
                    else:
                        decay = 1e-4 if name == "sre2l-tiny-v1" else 5e-4
                        first[number] = 0.9 * first[number] + gradient + decay * parameter
                        parameter -= lr * first[number]
        if not exclusive and epoch == epochs // 2 + 1:
            first = [torch.zeros_like(parameter) for _, parameter in named]
        history.append(flat(network))
    return history


def kinds_of(name):
    if PROTOCOLS[name].targets == "teacher":
        return ["hard"]
    return ["probabilities", "logits"] if PROTOCOLS[name].loss == "kl" else ["hard", "probabilities", "logits"]


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in PROTOCOLS for kind in kinds_of(name)])
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(5, 9), batch=st.integers(2, 10), epochs=st.integers(3, 7))
def test_training_is_the_published_loop(name, kind, seed, count, batch, epochs):
    wanted = by_hand(name, seed, count, kind, epochs, batch)
    got = trained(name, seed, count, kind, epochs, batch)
    assert len(got) == len(wanted) and (wanted[-1] - wanted[0]).abs().max() > 0
    for mine, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if PROTOCOLS[name].schedule == "drop"])
def test_momentum_is_forgotten_at_the_drop(name):
    """A loop that went on with its momentum would end elsewhere."""
    got = trained(name, 1, 6, "hard", 4, 3, augmentation="none")
    short = trained(name, 1, 6, "hard", 4, 3, augmentation="none", momentum=0.0)
    wanted = by_hand(name, 1, 6, "hard", 4, 3, augmentation="none")
    torch.testing.assert_close(got[4], wanted[4], rtol=1e-9, atol=1e-11)
    assert (got[3] - short[3]).abs().max() > 1e-6


@given(share=st.floats(0, 1), side=st.integers(4, 64), x=st.integers(0, 63), y=st.integers(0, 63))
def test_boxes_lie_in_the_image_and_are_no_larger_than_their_share(share, side, x, y):
    left, top, right, bottom = cut_box(share, side, x % side, y % side)
    assert 0 <= left <= right <= side and 0 <= top <= bottom <= side
    assert (right - left) * (bottom - top) <= (1 - share) * side**2 + 1e-9


def test_shares_of_cutmix_are_of_the_box_as_it_was_cut():
    mixer = Mixer(training_config_of("rded-v1", 3, 4), 0, CPU)
    for _ in range(50):
        mixture = mixer.draw(4, SIDE)
        assert mixture is not None and mixture.box is not None
        left, top, right, bottom = mixture.box
        assert mixture.share == pytest.approx(1 - (right - left) * (bottom - top) / SIDE**2)


def test_a_batch_is_mixed_as_often_as_is_said():
    mixer = Mixer(training_config_of("idc-v1", 3, 4), 0, CPU)
    assert 400 < sum(mixer.draw(4, SIDE) is not None for _ in range(1000)) < 600


class TestStoredViews:
    """Replaying what a teacher saw is training on it again."""

    def stored(self, mixing):
        generator = torch.Generator().manual_seed(3)
        order = torch.stack([torch.randperm(5, generator=generator) for _ in range(2)])
        partners = torch.tensor([[1, 0, 2, 4, 3], [2, 1, 0, 3, 4]])
        return EpochLabels(
            order=order,
            coords=torch.tensor([0.25, 0.0, 0.5, 0.75]).expand(2, 5, 4).clone(),
            flips=torch.tensor([[True, False, True, False, True]] * 2),
            partners=partners,
            lam=torch.tensor([[0.7, 0.4], [0.2, 0.9]]),
            boxes=torch.tensor([[[1, 2, 5, 4], [0, 0, 3, 3]], [[2, 2, 8, 8], [4, 0, 8, 2]]]),
            logits=torch.randn(2, 5, 3, generator=generator).half(),
            batch=3,
            mixing=mixing,
        )

    @pytest.mark.parametrize("mixing", ["none", "mixup", "cutmix"])
    def test_views_and_losses_by_hand(self, mixing):
        images = torch.randn(5, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        stored, config = self.stored(mixing), training_config_of("sre2l-v1", 4, 3)
        logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        views = StoredBatches(images=images, stored=stored, config=config)
        for epoch in (0, 1, 2):
            for number, drawn in enumerate(views.epoch(epoch)):
                seen, criterion = drawn.inputs, drawn.criterion
                begin = number * 3
                which = stored.order[epoch % 2, begin : begin + 3]
                crops = functional.interpolate(images[which][:, :, 2:6, 0:6], (SIDE, SIDE), mode="bilinear")
                flips = stored.flips[epoch % 2, begin : begin + 3]
                crops = torch.stack([c.flip(-1) if f else c for c, f in zip(crops, flips, strict=True)])
                partners = stored.partners[epoch % 2, begin : begin + 3] - begin
                share = float(stored.lam[epoch % 2, number])
                box = tuple(stored.boxes[epoch % 2, number].tolist()) if mixing == "cutmix" else None
                mixture = None if mixing == "none" else Mixture(partners, share, box)
                torch.testing.assert_close(seen, mixed_by_hand(crops, mixture), rtol=1e-9, atol=1e-9)
                said = stored.logits[epoch % 2, begin : begin + 3].double() / config.temperature
                p = said.softmax(1)
                q = (logits[: len(seen)] / config.temperature).log_softmax(1)
                wanted = (p * (p.log() - q)).sum() / len(seen)
                torch.testing.assert_close(criterion(logits[: len(seen)]), wanted)

    def test_a_last_view_is_shown_with_the_batch_before_it(self):
        images = torch.randn(5, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        stored = replace(self.stored("mixup"), batch=4, partners=torch.tensor([[1, 0, 2, 3, 4], [2, 1, 0, 3, 4]]))
        logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        for epoch in (0, 1):
            apart, join_ranks = (
                list(StoredBatches(images=images, stored=stored, config=config).epoch(epoch))
                for config in (
                    training_config_of("sre2l-v1", 4, 4),
                    training_config_of("sre2l-v1", 4, 4, joins_last=True),
                )
            )
            assert [len(one.inputs) for one in apart] == [4, 1] and len(join_ranks) == 1
            assert torch.equal(torch.cat([one.inputs for one in apart]), join_ranks[0].inputs)
            wanted = (4 * apart[0].criterion(logits[:4]) + apart[1].criterion(logits[4:])) / 5
            torch.testing.assert_close(join_ranks[0].criterion(logits), wanted)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), count=st.integers(1, 12), batch=st.integers(2, 5))
def test_with_batch_norm_no_batch_has_one_image_and_all_are_seen(seed, count, batch):
    sizes = {}
    for joins in (False, True):
        config = training_config_of("dsa-v1", 3, batch, joins_last=joins, augmentation="none")
        _, images, labels = problem(seed, count, "hard")
        views = AugmentedBatches(
            training_set=TensorTrainingSet(images=images, labels=labels, label_kind="hard"),
            config=config,
            augment=None,
            mixer=Mixer(config, seed, CPU),
            generator=torch.Generator().manual_seed(seed),
        )
        sizes[joins] = [drawn.inputs for drawn in views.epoch(0)]
    assert torch.equal(torch.cat(sizes[False]), torch.cat(sizes[True]))
    assert [len(seen) for seen in sizes[False]] == [len(piece) for piece in torch.arange(count).split(batch)]
    assert count == 1 or min(len(seen) for seen in sizes[True]) > 1


def test_views_refuse_labels_they_can_not_use():
    lesson = TensorTrainingSet(images=torch.zeros(2, 1, SIDE, SIDE), labels=torch.zeros(2, dtype=torch.int64))
    given = {"training_set": lesson, "augment": None, "generator": torch.Generator()}
    for name in ("rded-v1", "infer-static-v1"):
        config = training_config_of(name, 3, 2)
        with pytest.raises(ValueError, match="teacher|soft"):
            AugmentedBatches(config=config, mixer=Mixer(config, 0, CPU), **given)
