"""The part of the contract that methods of graphs keep. Each check raises an AssertionError that says what is wrong."""

from __future__ import annotations

import torch

from ddbench.graphs.method import GraphMethod, GraphTask
from ddbench.testing.tiny_task import outer_step, tiny_graph_task


def check(method: GraphMethod) -> None:
    """Run every check.

    Args:
        method: With its settings.

    Raises:
        AssertionError: The method breaks the contract.
    """
    task = tiny_graph_task()
    for ipc in (1, 3):
        check_shapes_and_facts(method, task, ipc)
    check_same_seed_same_bits(method, task)


def check_shapes_and_facts(method: GraphMethod, task: GraphTask, ipc: int, *, at_most_ipc: bool = True) -> None:
    """Test the set's labels, frequencies and description.

    Args:
        method: With its settings.
        task: What to distill.
        ipc: Items per class.
        at_most_ipc: Whether classes have ``ipc`` items at most.

    Raises:
        AssertionError: The method breaks the contract.
    """
    syn = method.distill(task, ipc, outer_step())
    counts = torch.bincount(syn.hard_labels(), minlength=2)
    assert counts.min() >= 1, f"a class without an item: {counts.tolist()}"
    if at_most_ipc:
        assert counts.max() <= ipc, f"more than {ipc} items in a class: {counts.tolist()}"
    assert len(syn.frequency) == len(syn) and syn.frequency.min() >= 1, "frequencies below 1"
    facts = (syn.ipc, syn.dataset, syn.classes, syn.method)
    assert facts == (ipc, task.real.name, task.real.classes, task.method), f"{facts}: use task.synthetic(...)"


def check_same_seed_same_bits(method: GraphMethod, task: GraphTask) -> None:
    """Test that the seed alone decides the set, and that torch's global random state stays as it is.

    Args:
        method: With its settings.
        task: What to distill.

    Raises:
        AssertionError: The method breaks the contract.
    """
    before = torch.get_rng_state()
    one, two = (method.distill(task, 2, outer_step()).tensors() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state()), (
        "torch's global random state changed: draw from step.stream(name)"
    )
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one), (
        "sets that differ between two calls with one seed: draw from step.stream(name)"
    )
