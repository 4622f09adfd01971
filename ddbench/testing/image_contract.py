"""The part of the contract that methods of images keep. Each check raises an AssertionError that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ddbench.distillation.method import DirectMethod, OptimizedMethod
from ddbench.distillation.task import Task
from ddbench.errors import UserError
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.testing.tiny_task import NETWORK, outer_step, tiny_task

ImageMethod = OptimizedMethod | DirectMethod


def check(method: ImageMethod, device: str = "cpu") -> None:
    """Run every check.

    Args:
        method: With its settings.
        device: Where to distill.

    Raises:
        AssertionError: The method breaks the contract.
    """
    for ipc in (1, 3):
        check_shapes_and_facts(method, ipc, device)
    check_same_seed_same_bits(method)
    check_large_ipc_is_refused(method)
    check_global_randomness(method)
    if isinstance(method, OptimizedMethod):
        check_outer_loss(method, device)


def task_for(method: ImageMethod, device: str = "cpu") -> Task:
    """Make a tiny task whose experts are as long as a method needs, with a drawn teacher where it needs one.

    Args:
        method: With its settings.
        device: Of student and inputs.

    Returns:
        The task.
    """
    teachers = method.required_teachers() is not None
    return tiny_task(device=device, epochs=max(12, method.needed_epochs() or 0), teachers=teachers)


def first_set(method: ImageMethod, task: Task, ipc: int, seed: int = 0) -> SyntheticSet:
    """Make the set of a direct method, or that from which an optimized method starts.

    Args:
        method: With its settings.
        task: What to distill.
        ipc: Images per class.
        seed: Seed of the run.

    Returns:
        The set.
    """
    if isinstance(method, OptimizedMethod):
        return method.initialize(task, ipc, outer_step(0, seed))
    return method.distill(task, ipc, outer_step(0, seed))


def check_shapes_and_facts(method: ImageMethod, ipc: int, device: str = "cpu") -> None:
    """Test the set's images, labels and description on three classes of 1 x 8 x 8 images.

    Args:
        method: With its settings.
        ipc: Images per class.
        device: Where to distill.

    Raises:
        AssertionError: The method breaks the contract.
    """
    task = task_for(method, device)
    syn = first_set(method, task, ipc)
    shown = syn.decoded()
    assert shown.images.shape == (3 * syn.shown_ipc, 1, 8, 8), f"images of shape {tuple(shown.images.shape)}"
    assert syn.images.dtype in (torch.float32, torch.uint8), f"images of type {syn.images.dtype}, not float32"
    assert syn.images.isfinite().all(), "images that are not finite"
    assert syn.images.float().std() > 0, "images that are all one color"
    if syn.label_kind == "hard":
        expected = [label for label in range(3) for _ in range(shown.shown_ipc)]
        assert shown.labels.tolist() == expected, "labels that are not class by class (0, ..., 0, 1, ..., 1, 2, ...)"
    else:
        assert method.soft_labels(), "soft labels, of which soft_labels() says that there are none"
        assert shown.labels.shape == (len(shown), 3), f"soft labels of shape {tuple(syn.labels.shape)}"
        assert syn.labels.isfinite().all(), "labels that are not finite"
    facts = (syn.ipc, syn.dataset, syn.classes, syn.network)
    assert facts == (ipc, "tiny", 3, NETWORK), f"ipc, data set, classes and network {facts}: use task.synthetic(...)"
    assert syn.preprocessing["fingerprint"] == task.real.preprocessing.fingerprint, "another preprocessing"


def check_same_seed_same_bits(method: ImageMethod) -> None:
    """Test that the seed alone decides the set.

    Args:
        method: With its settings.

    Raises:
        AssertionError: Two calls with one seed differ.
    """
    task = task_for(method)
    one, two = (first_set(method, task, 2) for _ in range(2))
    assert torch.equal(one.images, two.images), (
        "images that differ between two calls with one seed: draw from step.stream"
    )
    assert torch.equal(one.labels, two.labels), (
        "labels that differ between two calls with one seed: draw from step.stream"
    )


def check_large_ipc_is_refused(method: ImageMethod) -> None:
    """Test that an ipc beyond the smallest class is a UserError.

    Args:
        method: With its settings.

    Raises:
        AssertionError: The ipc is accepted, or another error is raised.
    """
    try:
        first_set(method, task_for(method), 999)
    except UserError as error:
        assert "ipc 999 is larger than a class" in error.problem, f"another error than that of the ipc: {error.problem}"
        return
    raise AssertionError("an ipc of 999 where classes have 20 images is not refused: call task.real.require_ipc(ipc)")


def check_global_randomness(method: ImageMethod) -> None:
    """Test that torch's global random state stays as it is.

    Args:
        method: With its settings.

    Raises:
        AssertionError: The state changed.
    """
    before = torch.get_rng_state()
    task = task_for(method)
    syn = first_set(method, task, 1)
    if isinstance(method, OptimizedMethod):
        method.outer_loss(syn, task, replace(outer_step(), carried=method.carry(syn, task, outer_step())))
    assert torch.equal(before, torch.get_rng_state()), (
        "torch's global random state changed: draw from step.stream(name)"
    )


def check_outer_loss(method: OptimizedMethod, device: str = "cpu") -> None:
    """Test that the loss is a finite scalar that reaches all that is learned, and depends on the step.

    Args:
        method: With its settings.
        device: Where to distill.

    Raises:
        AssertionError: The method breaks the contract.
    """
    task = task_for(method, device)
    syn = method.initialize(task, 2, outer_step()).to(device)
    leaves = {name: syn.tensors()[name].clone().requires_grad_() for name in method.outer_rates()}
    learning = replace(syn, **leaves)
    step = replace(outer_step(1), carried=check_carry(method, syn, task))
    loss, facts = method.outer_loss(learning, task, step)
    assert loss.shape == (), f"an outer loss of shape {tuple(loss.shape)}, not a scalar"
    assert loss.isfinite(), "an outer loss that is not finite"
    assert all(isinstance(value, float | int) for value in facts.values()), f"facts that are no numbers: {facts}"
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    for name, gradient in zip(leaves, gradients, strict=True):
        assert gradient is not None and gradient.abs().max() > 0, f"an outer loss that does not reach {name}"
        assert gradient.isfinite().all(), f"a gradient of {name} that is not finite"
    if method.soft_labels():
        assert syn.label_kind != "hard", "hard labels, of which soft_labels() says that they are soft"
    again, _ = method.outer_loss(learning, task, step)
    assert _same(loss, again), "an outer loss that differs between two calls at one step: draw from step.stream"


def check_carry(method: OptimizedMethod, syn: SyntheticSet, task: Task) -> Mapping[str, Tensor]:
    """Test that what steps hand on is finite, without history, and depends on nothing but the arguments.

    Args:
        method: With its settings.
        syn: The set of step 0.
        task: What it is distilled from.

    Returns:
        What step 1 gets, by way of step 0.
    """
    first = method.carry(syn, task, outer_step())
    one, two = (method.carry(syn, task, replace(outer_step(1), carried=first)) for _ in range(2))
    assert one.keys() == two.keys(), "carry() that returns other names at a second call"
    for name, tensor in one.items():
        assert not tensor.requires_grad, f"a carried tensor {name} with history: detach it"
        assert tensor.isfinite().all(), f"a carried tensor {name} that is not finite"
        assert _same(tensor, two[name]), (
            f"a carried tensor {name} that differs between two calls at one step: draw from step.stream"
        )
    return one


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two computations gave the same: to the bit on a CPU, up to rounding on a GPU, which adds in any order."""
    return torch.equal(one, other) if one.device.type == "cpu" else torch.allclose(one, other, rtol=1e-2, atol=1e-4)
