"""Small things to train experts on, shared by the tests of the expert room."""

import torch

from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.expert_buffers.description import BufferDescription, describe_buffer
from ddbench.expert_buffers.store import write_description, write_expert
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.expert_recipe import ExpertRecipe
from ddbench.randomness import stream

NETWORK = "convnet-d1-w4"


def tiny_real(seed=0, images=30, validation=9, classes=3, **changed) -> RealSet:
    """Drawn 8-pixel images with drawn labels; uint8, one channel."""
    generator = stream(seed, "tiny")

    def split(n: int) -> Split:
        pixels = torch.randint(0, 256, (n, 1, 8, 8), dtype=torch.uint8, generator=generator)
        return Split(pixels, torch.randint(0, classes, (n,), generator=generator))

    parts = {
        "name": "tiny",
        "class_names": tuple("abcdefgh"[:classes]),
        "train": split(images),
        "validation": split(validation),
        "test": split(6),
        "preprocessing": Preprocessing.meanstd([0.5], [0.25]),
        "fingerprint": f"tiny-{seed}-{images}",
        "mirror": False,
    }
    return RealSet(**{**parts, **changed})


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
