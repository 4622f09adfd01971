"""Computations of tests: one value from a few words."""

from dataclasses import replace

import torch

from ddbench.runtime.compute import Compute


def computing(device="cpu", **fields):
    """On a device, which may be named; a field of None is left out."""
    return Compute(device=torch.device(device), **_given(fields))


def under(task, **fields):
    """The task, carried out otherwise; a field of None stays."""
    return replace(task, compute=replace(task.compute, **_given(fields)))


def _given(fields):
    return {name: value for name, value in fields.items() if value is not None}
