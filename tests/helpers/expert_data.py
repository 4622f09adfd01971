"""Small things to train experts on, shared by the tests of the expert room."""

import pytest
import torch

from ddbench import artifact
from ddbench.expert_buffers import ExpertBuffer, train_experts
from ddbench.expert_buffers.buffer import write_description, write_expert
from ddbench.expert_buffers.metadata import BufferDescription, describe_buffer
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.randomness import stream
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.progress import Silent
from ddbench.testing.tiny_task import tiny_real as tiny_real
from helpers.computing import computing

NETWORK = "convnet-d1-w4"
SEED = 3
EVERY_KIND = pytest.mark.parametrize(
    "kind",
    [{"kind": "sgd"}, {"kind": "gsam"}, {"kind": "smooth", "clip": [0.5, 0.7, 0.9]}],
    ids=lambda kind: kind["kind"],
)


def tiny_recipe(**changed) -> ExpertRecipe:
    return ExpertRecipe(**{"count": 2, "batch": 8, "lr": 0.05, **changed})


def drawn_trajectory(description: BufferDescription, epochs: int, seed: int, dtype=torch.float32) -> Trajectory:
    """Rows of noise, of the right shape."""
    generator = stream(seed, "rows")
    rows = torch.randn(epochs + 1, description.parameter_count, generator=generator).to(dtype)
    q = description.statistic_count
    curves = {"train_loss": torch.rand(epochs, generator=generator)}
    statistics = torch.randn(epochs + 1, q, generator=generator) if q else None
    return Trajectory(parameters=rows, statistics=statistics, curves=curves)


def drawn_buffer(folder, experts=3, epochs=4, network=NETWORK, dtype=torch.float32, real=None):
    """A buffer on disk of drawn experts. Returns its description and trajectories."""
    description = describe_buffer(real or tiny_real(), network, tiny_recipe(), seed=0)
    write_description(folder, description)
    made = [drawn_trajectory(description, epochs, seed, dtype) for seed in range(experts)]
    for expert, trajectory in enumerate(made):
        write_expert(folder, expert, trajectory, description)
    return description, made


def corrupt(path, old: bytes) -> None:
    """Flip one bit in the only place where a file holds these bytes."""
    content = bytearray(path.read_bytes())
    assert content.count(old) == 1
    content[content.index(old)] ^= 1
    path.write_bytes(content)


class Watching(Silent):
    """Notes what it is told; stops the run where ``stop(expert, epoch done)`` says so, with ``error``."""

    def __init__(self, stop_at: int | None = None, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.stop_at, self.error = stop_at, error
        self.total, self.what, self.steps, self.facts = 0, "", [], {}

    def start(self, total, what, done=0):
        self.total, self.what = total, what

    def update(self, done, **facts):
        self.steps.append(done)
        self.facts = facts
        if done == self.stop_at:
            raise self.error


def train(folder, recipe, *, epochs=3, real=None, network=NETWORK, **more) -> ExpertBuffer:
    """Experts on :func:`tiny_real`."""
    return train_experts(
        folder, real or tiny_real(), network, recipe, epochs=epochs, seed=SEED, compute=computing(**more)
    )


def content(folder):
    """What every file holds, by name, but for the seconds that a training took."""
    found: dict[str, object] = {path.name: path.read_text() for path in folder.glob("*.json")}
    for path in folder.glob("*.safetensors"):
        _, facts = artifact.load(path, "expert")
        found[path.name] = {**facts, "seconds": 0}
    assert len(found) == len(list(folder.iterdir())), "nothing is left over"
    return found
