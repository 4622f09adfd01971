"""Optimizers of the outer loop: torch's numbers, a clip computed by hand, bounds, and states that survive a resume."""

import json
from pathlib import Path

import pytest
import torch
from helpers.computing import under
from helpers.distillation_makers import StopAt, at, tiny_task
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ddbench import artifact
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_loop import optimize
from ddbench.distillation.outer_optimizer import SGD, Adam, AdamW, Clamp, EmaClip
from ddbench.distillation.run_dir import Run
from ddbench.synthetic.synthetic_set import load_synthetic

PAIRS = {
    "sgd": (SGD(lr=0.1, momentum=0.5), lambda x: torch.optim.SGD([x], lr=0.1, momentum=0.5)),
    "sgd-plain": (SGD(lr=0.1, momentum=0.0), lambda x: torch.optim.SGD([x], lr=0.1)),
    "adam": (Adam(lr=0.1), lambda x: torch.optim.Adam([x], lr=0.1)),
    "adam-slow": (
        Adam(lr=0.1, betas=(0.5, 0.9), eps=1e-3),
        lambda x: torch.optim.Adam([x], lr=0.1, betas=(0.5, 0.9), eps=1e-3),
    ),
    "adamw": (AdamW(lr=0.1, weight_decay=0.1), lambda x: torch.optim.AdamW([x], lr=0.1, weight_decay=0.1)),
}


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_steps_are_those_of_torch_to_the_bit(name, seed):
    optimizer, make = PAIRS[name]
    generator = torch.Generator().manual_seed(seed)
    values, state = torch.randn(3, 2, 4, 4, generator=generator), {}
    leaf = values.clone().requires_grad_()
    oracle = make(leaf)
    for _ in range(6):
        gradient = torch.randn(values.shape, generator=generator)
        leaf.grad = gradient.clone()
        oracle.step()
        before = {key: tensor.clone() for key, tensor in state.items()}
        values, moved = optimizer.step(values, gradient, state)
        assert all(torch.equal(before[key], state[key]) for key in before)  # a state is never written into
        state = moved
        assert tuple(state) == tuple(name for name in optimizer.state_names if name in state)
    assert torch.equal(values, leaf.detach())


def test_the_clip_follows_the_norms():
    """Norms 1, 10, 10: the average is 1, 1.9, 2.71, and the gradient is scaled by 1, 0.38, 0.542."""
    clip, average, scales, averages = EmaClip(factor=2.0, decay=0.9), None, [], []
    for norm in (1.0, 10.0, 10.0):
        gradient = torch.tensor([[0.6, 0.8]], dtype=torch.float64) * norm
        clipped, average = clip.clipped(gradient, average)
        scales.append((clipped / gradient).mean().item())
        averages.append(average.item())
    assert averages == pytest.approx([1, 1.9, 2.71]) and scales == pytest.approx([1, 0.38, 0.542], rel=1e-6)


def test_a_clipped_part_steps_along_the_clipped_gradient():
    plain, clipped = SGD(lr=1.0, momentum=0.0), SGD(lr=1.0, momentum=0.0, clip=EmaClip())
    gradients = [torch.full((4,), 0.5), torch.full((4,), 5.0)]
    values, state = torch.zeros(4), None
    for gradient in gradients:
        values, state = clipped.step(values, gradient, state or {})
    assert list(state or {}) == ["clip_norm"]
    want = plain.step(plain.step(torch.zeros(4), gradients[0], {})[0], gradients[1] * 0.38, {})[0]
    torch.testing.assert_close(values, want, rtol=1e-5, atol=0)


def test_bounds_hold_after_every_step():
    labels, _ = SGD(lr=1.0, project=Clamp(low=0)).step(torch.full((2, 3), 0.2), torch.ones(2, 3), {})
    assert labels.tolist() == [[0, 0, 0], [0, 0, 0]]
    images = torch.tensor([-9.0, 9.0]).view(1, 2, 1, 1).expand(3, 2, 4, 4)
    clamp = Clamp(low=(-1.0, -2.0), high=(1.0, 2.0))
    assert clamp(images)[:, :, 0, 0].tolist() == [[-1, 2]] * 3
    assert Clamp()(images).equal(images)


def test_settings_are_frozen_and_checked():
    with pytest.raises(ValueError, match="greater than 0"):
        SGD(lr=0)
    with pytest.raises(ValueError, match="frozen"):
        Adam(lr=1).lr = 2


def test_plugins_still_find_the_former_name():
    from ddbench.method import SGD as now
    from ddbench.method import OuterRate

    assert OuterRate is now is SGD and OuterRate(lr=2.0).momentum == 0.5


class Moved(OptimizedMethod):
    """A bowl around noise that each step draws anew, whose images and labels move by optimizers of choice."""

    images: str = "adamw"
    steps_a_center: int = 3

    def initialize(self, task, ipc, at):
        classes = task.real.classes
        images = torch.ones(classes * ipc, 1, 8, 8)
        labels = torch.full((classes * ipc, classes), 0.1)
        return task.synthetic(images, labels, ipc=ipc, label_kind="probabilities", student_lr=torch.tensor(0.1))

    def soft_labels(self):
        return True

    def outer_rates(self):
        clip, clamp = EmaClip(factor=0.5), Clamp(low=0)
        kinds = {"adamw": AdamW(lr=0.1, clip=clip), "sgd": SGD(lr=0.1, clip=clip, momentum=0.9)}
        return {"images": kinds[self.images], "labels": Adam(lr=0.3, project=clamp), "student_lr": SGD(lr=1e-3)}

    def carry(self, syn, task, at) -> dict[str, Tensor]:
        """A center that several steps share, and that follows the images."""
        if at.number % self.steps_a_center == 0:
            center = torch.randn(syn.images.shape, generator=at.stream("center"))
            return {"center": center, "drawn": torch.tensor(at.number)}
        return {**at.carried, "center": at.carried["center"] + 0.1 * syn.images}

    def outer_loss(self, syn, task, at):
        center = at.carried["center"]
        assert int(at.carried["drawn"]) == at.number - at.number % self.steps_a_center
        assert syn.student_lr is not None and not center.requires_grad
        noise = torch.randn(syn.labels.shape, generator=at.stream("labels"))
        loss = (syn.images - center).square().sum() + (syn.labels - noise).square().sum() + syn.student_lr
        return (loss * torch.nan if at.number in (4, 5) else loss), {}


def run(method, folder: Path, **more):
    return optimize(method, under(tiny_task(), **more), 1, folder, seed=3)


@pytest.mark.parametrize("images", ["adamw", "sgd"])
@pytest.mark.parametrize("stop", [1, 2, 5, 6, 8])
def test_optimizer_states_and_what_is_carried_survive_an_interruption_to_the_bit(tmp_path, images, stop):
    method = Moved(iterations=9, keep_every=3, images=images)
    whole = run(method, tmp_path / "whole")
    for stops in (stop, min(stop + 2, 9)):
        with pytest.raises(KeyboardInterrupt):
            run(method, tmp_path / "parts", progress=StopAt(stops), checkpoint_seconds=0.0)
    parts = run(method, tmp_path / "parts")
    assert [artifact.describe(path)["sha256"] for path in parts] == [
        artifact.describe(path)["sha256"] for path in whole
    ]
    last = load_synthetic(parts[-1])
    assert last.provenance["guard"] == {"non-finite": 2} and last.labels.min() == 0 < last.labels.max()
    refused = [json.loads(line)["refused"] for line in (tmp_path / "parts/events.jsonl").read_text().splitlines()]
    assert [step for step, reason in enumerate(refused) if reason] == [4, 5]


def test_a_checkpoint_names_what_each_optimizer_remembers(tmp_path):
    run(Moved(iterations=2), tmp_path)
    tensors, _ = artifact.load(Run(tmp_path).state, "distillation state")
    learned = {"images", "labels", "student_lr"}
    states = {"velocity.student_lr", "clip_norm.images"}
    states |= {f"{key}.{part}" for key in ("steps", "exp_avg", "exp_avg_sq") for part in ("images", "labels")}
    good = {name for name in tensors if name.startswith("good.")}
    assert set(tensors) - good == learned | states | {"carried.center", "carried.drawn"}
    assert tensors["steps.images"].item() == 2 and good == {f"good.{name}" for name in learned | states}


def test_a_step_alone_carries_nothing():
    syn = Moved().initialize(tiny_task(), 1, at())
    assert at().carried == {} and at(0, 1) == at(0, 1)
    assert Moved().carry(syn, tiny_task(), at())["drawn"] == 0
