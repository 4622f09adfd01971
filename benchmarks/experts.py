"""Experts an hour: ``train_experts`` against a plain loop like that of reference buffer scripts, on the same network.

The plain loop takes batches from a DataLoader over a TensorDataset of preprocessed images, steps an eager SGD, reads
loss and accuracy with ``.item()`` at every step, and copies the parameters after each epoch. Both augment by the same
DSA. Each trains one short expert a round; an hour's number of experts is scaled from the seconds of a step.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import torch
from measure import arguments, generated_real, interleaved, report, start
from torch.utils.data import DataLoader, TensorDataset

from ddbench.augmentation import augmentation
from ddbench.data import load_dataset
from ddbench.data.realset import RealSet, Split
from ddbench.expert_buffers.record import train_experts
from ddbench.expert_recipe import ExpertRecipe
from ddbench.networks import build_network
from ddbench.randomness import stream

WHOLE_EPOCH = 50_000
"""Images of a CIFAR epoch, to which the figures are scaled."""


def plain_expert(
    real: RealSet, network_name: str, recipe: ExpertRecipe, epochs: int, seed: int, device: torch.device
) -> list[list[torch.Tensor]]:
    """The snapshots of one expert, trained the usual way."""
    shape = {"channels": real.channels, "size": real.size, "classes": real.classes}
    network = build_network(network_name, **shape, seed=seed).to(device)
    generator = stream(seed, "plain")
    policy = augmentation(recipe.augmentation, mirror=real.mirror)
    inputs = TensorDataset(real.inputs(real.train), real.train.labels)
    loader = DataLoader(inputs, batch_size=recipe.batch, shuffle=True, num_workers=0, generator=generator)
    optimizer = torch.optim.SGD(network.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    criterion = torch.nn.CrossEntropyLoss().to(device)
    snapshots = [[parameter.detach().cpu().clone() for parameter in network.parameters()]]
    for _ in range(epochs):
        loss_sum = hits = seen = 0.0
        for images, labels in loader:
            batch, labels = images.float().to(device), labels.long().to(device)
            if policy is not None:
                batch = policy.apply(batch, policy.draw(len(batch), real.size, generator))
            logits = network(batch)
            loss = criterion(logits, labels)
            loss_sum += loss.item() * len(labels)
            hits += (logits.argmax(1) == labels).sum().item()
            seen += len(labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        snapshots.append([parameter.detach().cpu().clone() for parameter in network.parameters()])
    return snapshots


def real_images(options: argparse.Namespace, home: Path) -> RealSet:
    """Generated images, or the first ones of a data set's training images; no validation, so that training is timed."""
    if options.dataset == "generated":
        return generated_real(images=options.images, seed=options.seed)
    real = load_dataset(options.dataset, validation=0.0, home=home, data_root=options.data_root)
    few = Split(real.train.images[: options.images].clone(), real.train.labels[: options.images])
    nothing = Split(few.images[:0], few.labels[:0])
    return RealSet(
        name=real.name,
        class_names=real.class_names,
        train=few,
        validation=nothing,
        test=nothing,
        preprocessing=real.preprocessing,
        fingerprint=f"{real.fingerprint}-first-{len(few)}",
        mirror=real.mirror,
    )


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    recipe = ExpertRecipe(count=1, batch=options.batch, augmentation=options.augmentation)
    with tempfile.TemporaryDirectory() as folder:
        real = real_images(options, Path(folder) / "home")
        fresh_folder = (Path(folder) / f"buffer-{number}" for number in count())
        rounds = {"seed": options.seed, "device": device}

        def ours() -> None:
            train_experts(next(fresh_folder), real, options.network, recipe, epochs=options.epochs, **rounds)

        def plain() -> None:
            plain_expert(real, options.network, recipe, options.epochs, **rounds)

        ours()
        plain()
        seconds = interleaved({"ddbench": ours, "plain": plain}, options.repeats, device)
    steps = options.epochs * -(-len(real.train) // options.batch)
    whole = options.expert_epochs * -(-WHOLE_EPOCH // options.batch)
    return {
        "steps_timed": steps,
        "steps_of_an_expert": whole,
        "seconds": seconds,
        "seconds_a_step": {name: taken / steps for name, taken in seconds.items()},
        "experts_an_hour": {name: 3600 / (taken / steps * whole) for name, taken in seconds.items()},
        "ratios": {"ddbench / plain experts an hour": seconds["plain"] / seconds["ddbench"]},
    }


def parser() -> argparse.ArgumentParser:
    made = arguments("Experts an hour of train_experts, and of a plain DataLoader loop.")
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--dataset", default="generated", help="generated, or a data set such as cifar10-jpeg")
    made.add_argument("--data-root", type=Path, help="where the data set lies")
    made.add_argument("--images", type=int, default=2048, help="images of the epoch that is timed")
    made.add_argument("--epochs", type=int, default=1, help="epochs that are timed")
    made.add_argument("--batch", type=int, default=256)
    made.add_argument("--augmentation", choices=("none", "dsa"), default="dsa")
    made.add_argument("--expert-epochs", type=int, default=50, help="epochs of the expert that is scaled to")
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    report("experts", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
