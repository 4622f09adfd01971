"""Seconds to evaluate a synthetic set with several fresh networks: ``score`` against a plain loop, one at a time.

The plain loop does what reference evaluation scripts do: a DataLoader over the synthetic set, the same DSA, an eager
SGD, ``.item()`` at every step, and one pass over the test images at the end. Same networks, epochs and test images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from measure import arguments, generated_real, interleaved, report, start
from torch.utils.data import DataLoader, TensorDataset

from ddbench.augmentation import augmentation
from ddbench.data.realset import RealSet
from ddbench.evaluate.protocols import Protocol, Setting, protocol
from ddbench.evaluate.score import score
from ddbench.evaluate.workers import Workers
from ddbench.networks import build_network
from ddbench.randomness import stream
from ddbench.synthetic import SyntheticSet


def synthetic(real: RealSet, ipc: int, network: str) -> SyntheticSet:
    """The first images of the real set, labelled in class-major order."""
    labels = torch.arange(real.classes).repeat_interleave(ipc)
    return SyntheticSet(
        images=real.inputs(real.train, slice(len(labels))),
        labels=labels,
        student_lr=torch.tensor(0.01),
        ipc=ipc,
        dataset=real.name,
        class_names=real.class_names,
        network=network,
        preprocessing=real.preprocessing.describe(),
        method="first",
    )


def plain_score(
    syn: SyntheticSet, real: RealSet, chosen: Protocol, seeds: Sequence[int], device: torch.device
) -> list[float]:
    """Accuracies of fresh networks, trained and tested the usual way."""
    policy = augmentation(chosen.setting.augmentation, mirror=real.mirror)
    tests = TensorDataset(real.inputs(real.test), real.test.labels)
    accuracies = []
    for seed in seeds:
        generator = stream(seed, "plain")
        shape = {"channels": real.channels, "size": real.size, "classes": real.classes}
        network = build_network(syn.network, **shape, seed=seed).to(device)
        rates: dict[str, Any] = {"momentum": chosen.momentum, "weight_decay": chosen.weight_decay}
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, **rates)
        trains = TensorDataset(syn.images, syn.labels)
        loader = DataLoader(trains, batch_size=chosen.batch, shuffle=True, num_workers=0, generator=generator)
        criterion = torch.nn.CrossEntropyLoss().to(device)
        for epoch in range(chosen.trained_epochs):
            loss_sum = hits = 0.0
            for images, labels in loader:
                batch, labels = images.to(device), labels.to(device)
                if policy is not None:
                    batch = policy.apply(batch, policy.draw(len(batch), real.size, generator))
                logits = network(batch)
                loss = criterion(logits, labels)
                loss_sum += loss.item() * len(labels)
                hits += (logits.argmax(1) == labels).sum().item()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if epoch == chosen.setting.epochs // 2 + 1:
                optimizer = torch.optim.SGD(network.parameters(), lr=0.01 * chosen.drop_factor, **rates)
        network.eval()
        with torch.no_grad():
            loaded = DataLoader(tests, batch_size=chosen.batch)
            right = sum((network(x.to(device)).argmax(1) == y.to(device)).sum().item() for x, y in loaded)
        accuracies.append(right / len(tests))
    return accuracies


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    real = generated_real(images=10 * options.ipc, test=options.test_images, size=options.size, seed=options.seed)
    syn = synthetic(real, options.ipc, options.network)
    chosen = replace(protocol("mtt-v1"), setting=Setting(epochs=options.epochs, augmentation="dsa"))
    shortest = replace(chosen, setting=Setting(epochs=0, augmentation="dsa"))
    seeds = range(options.seed, options.seed + options.networks)
    given: dict[str, Any] = {"seeds": seeds, "device": device}
    with Workers(options.workers) as workers:
        jobs = {
            "ddbench": lambda: score(syn, real, protocol=chosen, **given),
            "plain": lambda: plain_score(syn, real, chosen, seeds, device),
        }
        figures: dict[str, Any] = {}
        score(syn, real, protocol=shortest, **given)
        plain_score(syn, real, shortest, seeds, device)
        if device.type == "cpu" and options.workers > 1:
            jobs["ddbench, workers"] = lambda: score(syn, real, protocol=chosen, workers=workers, **given)
            begun = time.perf_counter()
            score(syn, real, protocol=shortest, workers=workers, **given)
            figures["workers_start_seconds"] = time.perf_counter() - begun
        seconds = interleaved(jobs, options.repeats, device)
    ratios = {f"plain / {name} seconds": seconds["plain"] / taken for name, taken in seconds.items() if name != "plain"}
    epochs = chosen.trained_epochs
    return {"seeds": list(seeds), "trained_epochs": epochs, "seconds": seconds, **figures, "ratios": ratios}


def parser() -> argparse.ArgumentParser:
    made = arguments("Seconds of an evaluation with fresh networks, of score and of a plain loop.")
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--ipc", type=int, default=1)
    made.add_argument("--networks", type=int, default=5)
    made.add_argument("--epochs", type=int, default=60, help="E of the protocol: E + 1 epochs are trained")
    made.add_argument("--test-images", type=int, default=500)
    made.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    made.add_argument("--workers", type=int, default=2, help="processes on a CPU; 1 leaves that figure out")
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given)
    report("evaluation", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
