"""What the tests of INFER share: teachers that were drawn, not trained, and tasks with them."""

from dataclasses import replace

import torch
from torch import nn

from ddbench.networks import build_network
from ddbench.randomness import stream
from ddbench.training.teachers import Teachers
from helpers.distillation_makers import tiny_task

NETWORKS = ("convnet-d1-w4-bn", "convnet-d2-w4-bn")


def drawn_network(name, *, channels=1, size=8, classes=3, seed=0):
    """A network in eval mode whose batch norm has seen something: running statistics and affine weights are drawn."""
    network = build_network(name, channels=channels, size=size, classes=classes, seed=seed)
    generator = stream(seed, "statistics")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            width = module.num_features
            module.running_mean.copy_(0.3 * torch.randn(width, generator=generator))
            module.running_var.copy_(0.5 + torch.rand(width, generator=generator))
    return network.eval().requires_grad_(False)


def drawn_teachers(real, networks=NETWORKS, seed=0):
    """Teachers that fit these images, one a network."""
    shape = {"channels": real.channels, "size": real.size, "classes": real.classes}
    states = [drawn_network(name, **shape, seed=seed + number).state_dict() for number, name in enumerate(networks)]
    return Teachers(
        networks=tuple(networks),
        states=tuple(states),
        dataset=real.name,
        preprocessing=real.preprocessing.describe(),
        accuracy=tuple(0.5 + 0.1 * number for number in range(len(networks))),
        **shape,
    )


def taught_task(networks=NETWORKS, seed=0, **changed):
    """The tiny task of 3 classes, 1 x 8 x 8, with teachers."""
    task = tiny_task(experts=False, **changed)
    return replace(task, method="infer", teachers=drawn_teachers(task.real, networks, seed))
