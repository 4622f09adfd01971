"""Seconds to evaluate a synthetic set with several fresh networks: ``score`` in several ways, against a plain loop.

The plain loop does what reference evaluation scripts do, one network at a time: a DataLoader over the synthetic set,
the same DSA, an eager SGD, ``.item()`` at every step, and one pass over the test images at the end; it is tried with
one thread and with one a core, and the faster counts. Same networks, epochs and test images. Each way trains few epochs
and some more, in turns; the difference gives the seconds of an epoch, from which those of a whole evaluation are
scaled. The first call, which compiles and starts processes, is told by itself and not in the ratios.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch
from measure import add_ways, arguments, best_plain, generated_real, marginal_seconds, plain_jobs, report, start
from torch.utils.data import DataLoader, TensorDataset

from ddbench.augmentation import augmentation
from ddbench.data.realset import RealSet
from ddbench.evaluate.protocols.builtin import Protocol, ProtocolOverrides, protocol
from ddbench.evaluate.score import score
from ddbench.networks import build_network
from ddbench.randomness import stream
from ddbench.runtime.compute import Compute
from ddbench.runtime.executors import Local
from ddbench.synthetic.synthetic_set import SyntheticSet


def synthetic(real: RealSet, ipc: int, network: str) -> SyntheticSet:
    """The first images of the real set, labeled in class-major order."""
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
        network = build_network(syn.network, real.shape, seed=seed).to(device)
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


def settings(options: argparse.Namespace, within: ExitStack) -> dict[str, dict[str, Any]]:
    """What ``score`` is given by each way."""
    known: dict[str, Callable[[], dict[str, Any]]] = {
        "eager": lambda: {"compile": "off", "together": 1},
        "compiled": lambda: {"compile": "on", "together": 1},
        "together": lambda: {"compile": "on", "together": options.together},
        "workers": lambda: {"compile": "on", "executor": within.enter_context(Local(options.workers))},
    }
    return {way: known[way]() for way in options.ways if way != "plain"}


def benchmark(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    real = generated_real(images=10 * options.ipc, test=options.test_images, size=options.size, seed=options.seed)
    syn = synthetic(real, options.ipc, options.network)
    seeds = range(options.seed, options.seed + options.networks)

    def of_length(epochs: int) -> Protocol:
        return replace(protocol("mtt-v1"), setting=ProtocolOverrides(epochs=epochs - 1, augmentation="dsa"))

    def ours(how: Mapping[str, Any], epochs: int) -> None:
        score(syn, real, protocol=of_length(epochs), seeds=seeds, compute=Compute(device=device, **how))

    jobs: dict[str, Callable[[int], object]] = {}
    with ExitStack() as within:
        jobs |= plain_jobs(options, lambda epochs: plain_score(syn, real, of_length(epochs), seeds, device))
        for way, how in settings(options, within).items():
            jobs[way] = lambda epochs, how=how: ours(how, epochs)
        taken = marginal_seconds(jobs, tuple(options.epochs), options.repeats, device)
    whole = {way: one["seconds_besides"] + options.whole_epochs * one["seconds_a_unit"] for way, one in taken.items()}
    plainly = best_plain(whole)
    ours_alone = {way: seconds for way, seconds in whole.items() if not way.startswith("plain")}
    return {
        "seeds": list(seeds),
        "seconds": taken,
        "seconds_of_an_evaluation": whole,
        "ratios": {f"plain / {way} seconds": plainly / s for way, s in ours_alone.items() if plainly},
    }


def parser() -> argparse.ArgumentParser:
    made = arguments("Seconds of an evaluation with fresh networks, of score in several ways and of a plain loop.")
    add_ways(made)
    made.add_argument("--network", default="convnet-d3")
    made.add_argument("--ipc", type=int, default=1)
    made.add_argument("--networks", type=int, default=5)
    made.add_argument("--epochs", type=int, nargs=2, default=[10, 30], help="of the short calls, and of the long ones")
    made.add_argument("--whole-epochs", type=int, default=1000, help="epochs of the evaluation that is scaled to")
    made.add_argument("--test-images", type=int, default=500)
    made.add_argument("--size", type=int, default=32, help="side of the images, in pixels")
    return made


def main(given: Sequence[str] | None = None) -> None:
    options, device = start(parser(), given, ways=True)
    report("evaluation", options, device, **benchmark(options, device))


if __name__ == "__main__":
    main()
