"""Match the mean of each class under random networks, in the spirit of DM (arXiv:2110.04181)."""

import torch

from ddbench.method import SGD, Count, OptimizedMethod, Positive
from ddbench.methods.parts.initialization import class_major_labels, random_rows
from ddbench.networks import initial_parameters


class MeanMatching(OptimizedMethod):
    """Synthetic and real images of a class have the same mean output under networks drawn at random."""

    iterations: Count = 500
    image_lr: Positive = 10.0
    batch: Count = 64

    def outer_rates(self):
        return {"images": SGD(lr=self.image_lr)}

    def initialize(self, task, ipc, step):
        images = task.real.inputs(task.real.train, random_rows(task.real, ipc, step.stream("start")))
        labels = class_major_labels(task.real.classes, ipc)
        return task.synthetic(images, labels, ipc=ipc)

    def outer_loss(self, syn, task, step):
        real = task.real
        theta = initial_parameters(task.network_name, real.shape, seed=step.number).to(task.device)
        rows = random_rows(real, self.batch, step.stream("real"))
        with torch.no_grad():
            want = task.network(theta, real.inputs(real.train, rows)).view(real.classes, self.batch, -1).mean(1)
        got = task.network(theta, syn.images).view(real.classes, syn.ipc, -1).mean(1)
        return (want - got).square().sum(), {}
