"""A small task to distil from: drawn images, a narrow student, two drawn experts."""

import torch
from expert_data import tiny_real

from ddbench.distillation.method import OuterStep, Task
from ddbench.networks import FlatNetwork, build_network
from ddbench.randomness import stream
from ddbench.runtime.progress import Silent

NETWORK = "convnet-d1-w4"


class DrawnExperts:
    """Trajectories that walk at random: (experts, epochs + 1, P)."""

    def __init__(self, size, experts=2, epochs=12, seed=0, dtype=torch.float32):
        steps = torch.randn(experts, epochs + 1, size, generator=stream(seed, "experts")) * 0.05
        self.rows = steps.cumsum(1).to(dtype)
        self.epochs = epochs

    def __len__(self):
        return len(self.rows)

    def statistics(self, expert, epoch):
        return None

    def __getitem__(self, key):
        return self.rows[key]


def tiny_task(*, device="cpu", experts=True, compile="off", dtype=torch.float32, **changed):
    """A task of 3 classes, 1 x 8 x 8. dtype: of student and experts."""
    real = tiny_real(**{"images": 60, **changed}).to(device)
    module = build_network(NETWORK, channels=real.channels, size=real.size, classes=real.classes, seed=0)
    network = FlatNetwork(module).to(device, dtype)
    return Task(
        real=real,
        network=network,
        network_name=NETWORK,
        experts=DrawnExperts(network.size, dtype=dtype) if experts else None,
        device=torch.device(device),
        compile=compile,
    )


def at(step=0, seed=0):
    return OuterStep(step, seed)


class StopAt(Silent):
    """A progress bar that interrupts, as Ctrl-C would."""

    def __init__(self, step):
        self.step = step

    def update(self, done, **facts):
        if done == self.step:
            raise KeyboardInterrupt
