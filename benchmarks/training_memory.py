"""Peak memory of training networks, one at a time and several stacked, against the estimate of it.

Each cell is a process of its own, in which blocks of memory go back to the system at once: it trains fresh networks on
drawn images for two steps of one batch each, as an evaluation does, and tells the peak above what lay there before.
Stacked networks are trained by one vectorized pass.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from itertools import product

import torch
from measure import PeakMemory, arguments, fresh_process, generated_real, report, start

from ddbench.estimates.memory import training_bytes
from ddbench.estimates.model_size import Sizes
from ddbench.evaluate.protocols.builtin import protocol
from ddbench.evaluate.score import score
from ddbench.networks import ImageShape, build_network
from ddbench.runtime.compute import Compute
from ddbench.synthetic.synthetic_set import SyntheticSet

STEPS = 2


def train(options: argparse.Namespace, batch: int, device: torch.device) -> None:
    """Train the networks of a cell on so many images a step."""
    real = generated_real(images=10, test=2, size=options.size, seed=options.seed)
    drawn = generated_real(images=STEPS * batch, size=options.size, seed=options.seed)
    syn = SyntheticSet(
        images=drawn.inputs(drawn.train),
        labels=drawn.train.labels.sort().values,
        ipc=1,
        method="drawn",
        provenance={},
        dataset=real.name,
        class_names=real.class_names,
        network=options.network,
        preprocessing=real.preprocessing.describe(),
    )
    rule, stacked = replace(protocol(options.protocol), batch=batch), options.stacked
    score(syn, real, protocol=rule, seeds=range(stacked), compute=Compute(device=device, together=stacked), steps=STEPS)


def cell(options: argparse.Namespace, device: torch.device) -> int:
    """Bytes at the peak of one cell, above what there was after a training on a few images."""
    train(options, 2, device)
    with PeakMemory(device) as peak:
        train(options, options.batch, device)
    return peak.above


def estimate(options: argparse.Namespace, network: str, batch: int, stacked: int) -> int:
    """Estimated bytes of one cell."""
    shape = ImageShape(channels=3, size=options.size, classes=10)
    sizes = Sizes.of(build_network(network, shape, seed=0), shape)
    of_one = training_bytes(
        parameters=sizes.parameters,
        activations=sizes.activations,
        batch=batch,
        pixels=sizes.pixels,
        stacked=stacked > 1,
    )
    return stacked * of_one


def main() -> None:
    made = arguments("Peak memory of training networks, single and stacked, and the estimate of it.")
    made.add_argument("--networks", nargs="+", default=["convnet-d3", "resnet18-bn"])
    made.add_argument("--batches", type=int, nargs="+", default=[32, 128])
    made.add_argument("--stacks", type=int, nargs="+", default=[1, 4], help="networks trained at once")
    made.add_argument("--size", type=int, default=32)
    made.add_argument("--protocol", default="dsa-v1")
    made.add_argument("--child", help=argparse.SUPPRESS)
    options, device = start(made)
    if options.child:
        inner = argparse.Namespace(**{**vars(options), **json.loads(options.child)})
        print(json.dumps(cell(inner, torch.device(inner.device))))
        return
    cells = list(product(options.networks, options.batches, options.stacks))
    names = [f"{network}, {batch} images, {stacked} at once" for network, batch, stacked in cells]
    peaks = [
        fresh_process(__file__, options, {"network": network, "batch": batch, "stacked": stacked}, device.type == "cpu")
        for network, batch, stacked in cells
    ]
    estimates = [estimate(options, *cell) for cell in cells]
    report(
        "training_memory",
        options,
        device,
        peak_bytes=dict(zip(names, peaks, strict=True)),
        estimated_bytes=dict(zip(names, estimates, strict=True)),
        ratios={
            f"{name}, estimated / measured": round(expected / peak, 3)
            for name, expected, peak in zip(names, estimates, peaks, strict=True)
        },
    )


if __name__ == "__main__":
    main()
