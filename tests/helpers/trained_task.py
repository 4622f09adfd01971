"""A task whose classes can be told apart, with experts that were trained to do so: for what experts see in images."""

from dataclasses import replace

import torch
from torch import nn

from ddbench.data.realset import Split
from ddbench.distillation.task import Task
from ddbench.expert_buffers.expert_training import train_experts
from ddbench.networks import FlatNetwork, build_network
from ddbench.randomness import stream
from helpers.expert_data import tiny_real, tiny_recipe

EPOCHS = 4


def planted_real(seed=0, noise=60.0, **changed):
    """Three classes: a bright square in one of three places, in noise; (n, 1, 8, 8), uint8."""
    generator = stream(seed, "planted")

    def split(n):
        labels = torch.arange(n) % 3
        pixels = torch.full((n, 1, 8, 8), 100.0) + noise * torch.randn(n, 1, 8, 8, generator=generator)
        for row, label in enumerate(labels.tolist()):
            pixels[row, 0, 2 * label : 2 * label + 3, 2 * label : 2 * label + 3] += 90
        return Split(pixels.clamp(0, 255).to(torch.uint8), labels)

    return replace(tiny_real(seed), **{"train": split(90), "validation": split(12), "test": split(30), **changed})


def trained_task(folder, *, network="convnet-d1-w4", count=3, real=None, **recipe):
    """A task on the CPU with ``count`` experts of four epochs, in ``folder``."""
    real = real or planted_real()
    asked = tiny_recipe(**{"count": count, "lr": 0.1, "batch": 8, "augmentation": "none", **recipe})
    experts = train_experts(folder, real, network, asked, epochs=EPOCHS, seed=0)
    module = build_network(network, channels=1, size=8, classes=3, seed=0)
    return Task(
        real=real,
        network=FlatNetwork(module),
        network_name=network,
        experts=experts,
    )


def expert_module(task, expert, epoch=EPOCHS):
    """An expert as an ordinary module, put together without the code under test."""
    module = build_network(task.network_name, channels=1, size=8, classes=3, seed=9)
    nn.utils.vector_to_parameters(task.experts[expert, epoch].clone(), module.parameters())
    statistics = task.experts.statistics(expert, epoch)
    if statistics is not None:
        start = 0
        for buffer in module.buffers():
            buffer.copy_(statistics[start : start + buffer.numel()].view_as(buffer))
            start += buffer.numel()
    return module.eval()
