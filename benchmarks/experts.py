"""Experts an hour: ``train_experts`` in several ways, against a plain loop like that of reference buffer scripts.

The plain loop takes batches from a DataLoader over a TensorDataset of preprocessed images, steps an eager SGD, reads
loss and accuracy with ``.item()`` at every step, and copies the parameters after each epoch; it is tried with one
thread and with one a core, and the faster counts. All train the same network with the same DSA. Each way trains few
epochs and some more, in turns; the difference gives the seconds of a step, from which the experts of an hour are
scaled. What a call takes besides, and the first call, which compiles and starts processes, are told by themselves and
not in the ratios.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import torch
from measure import add_ways, arguments, best_plain, generated_real, marginal_seconds, plain_jobs, report, start
from torch.utils.data import DataLoader, TensorDataset

from ddbench.augmentation import augmentation
from ddbench.data import load_dataset
from ddbench.data.realset import RealSet, Split
from ddbench.expert_buffers.expert_training import train_experts
from ddbench.networks import build_network
from ddbench.randomness import stream
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.compute import Compute
from ddbench.runtime.executors import Local

WHOLE_EPOCH = 50_000
"""Images of a CIFAR epoch, to which the figures are scaled."""


def plain_expert(
    real: RealSet, network_name: str, recipe: ExpertRecipe, epochs: int, seed: int, device: torch.device
) -> list[list[torch.Tensor]]:
    """The snapshots of one expert, trained the usual way."""
    network = build_network(network_name, real.shape, seed=seed).to(device)
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


def settings(options: argparse.Namespace, within: ExitStack) -> dict[str, dict[str, Any]]:
    """What ``train_experts`` is given by each way, and how many experts a call trains."""
    known: dict[str, Callable[[], dict[str, Any]]] = {
        "eager": lambda: {"compile": "off", "together": 1},
        "compiled": lambda: {"compile": "on", "together": 1},
        "together": lambda: {"compile": "on", "together": options.together},
        "workers": lambda: {"compile": "on", "executor": within.enter_context(Local(options.workers))},
    }
    return {way: known[way]() for way in options.ways if way != "plain"}


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    experts = {"together": options.together, "workers": options.workers}
    jobs: dict[str, Callable[[int], object]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as within:
        real = real_images(options, Path(folder) / "home")
        fresh_folder = (Path(folder) / f"buffer-{number}" for number in count())
        rounds = {"seed": options.seed, "device": device}

        def ours(way: str, how: Mapping[str, Any], epochs: int) -> None:
            recipe = ExpertRecipe(count=experts.get(way, 1), batch=options.batch, augmentation=options.augmentation)
            training = {"seed": options.seed, "compute": Compute(device=device, **how)}
            train_experts(next(fresh_folder), real, options.network, recipe, epochs=epochs, **training)

        def plain(epochs: int) -> None:
            recipe = ExpertRecipe(count=1, batch=options.batch, augmentation=options.augmentation)
            plain_expert(real, options.network, recipe, epochs, **rounds)

        jobs |= plain_jobs(options, plain)
        for way, how in settings(options, within).items():
            jobs[way] = lambda epochs, way=way, how=how: ours(way, how, epochs)
        taken = marginal_seconds(jobs, tuple(options.epochs), options.repeats, device)
    steps = -(-len(real.train) // options.batch)
    whole = options.expert_epochs * -(-WHOLE_EPOCH // options.batch)
    a_step = {way: one["seconds_a_unit"] / steps / experts.get(way, 1) for way, one in taken.items()}
    plainly = best_plain(a_step)
    ours_alone = {way: seconds for way, seconds in a_step.items() if not way.startswith("plain")}
    return {
        "steps_of_an_epoch": steps,
        "steps_of_an_expert": whole,
        "experts_of_a_call": {way: experts.get(way, 1) for way in jobs},
        "seconds": taken,
        "seconds_a_step_of_an_expert": a_step,
        "experts_an_hour": {way: 3600 / (seconds * whole) for way, seconds in a_step.items()},
        "ratios": {f"{way} / plain experts an hour": plainly / s for way, s in ours_alone.items() if plainly},
    }


def parser() -> argparse.ArgumentParser:
    made = arguments("Experts an hour of train_experts in several ways, and of a plain DataLoader loop.")
    add_ways(made)
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--dataset", default="generated", help="generated, or a data set such as cifar10-jpeg")
    made.add_argument("--data-root", type=Path, help="where the data set lies")
    made.add_argument("--images", type=int, default=1024, help="images of an epoch that is timed")
    made.add_argument("--epochs", type=int, nargs=2, default=[1, 3], help="of the short calls, and of the long ones")
    made.add_argument("--batch", type=int, default=256)
    made.add_argument("--augmentation", choices=("none", "dsa"), default="dsa")
    made.add_argument("--expert-epochs", type=int, default=50, help="epochs of the expert that is scaled to")
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given, ways=True)
    report("experts", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
