"""Outer gradients of trajectory matching in float64, to be compared to the last digits."""

from dataclasses import replace

import torch

from helpers.distillation_makers import DrawnExperts, at, tiny_task


def double_task():
    """A task in float64, so that gradients can be compared to the last digits."""
    task = tiny_task()
    experts = DrawnExperts(task.network.size)
    experts.rows = experts.rows.double()
    return replace(task, network=task.network.to(torch.float64), experts=experts)


def gradients(method, task, step=3):
    """The outer loss and its gradient by everything that is learned, in float64."""
    syn = method.initialize(tiny_task(), 2, at())
    leaves = {name: syn.tensors()[name].double().requires_grad_() for name in method.outer_rates()}
    soft = {} if syn.label_kind == "hard" else {"labels": syn.labels.double()}
    loss, _ = method.outer_loss(replace(syn, **{**soft, **leaves}), task, at(step))
    return loss.item(), dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


def worst(got, want):
    """The largest relative error of a gradient."""
    return max(((got[name] - want[name]).norm() / want[name].norm()).item() for name in want)
