"""Distance of an outer step's gradient from that in float64, were products and convolutions rounded as GPUs round.

A CPU computes in float32, with the inputs of convolutions and matrix products rounded to ten bits (TF32) or seven
(bfloat16), forward and backward, and adds up in float32, as tensor cores do. The set, the experts and every draw are
the same. Nothing here is a time: it says what ``--precision`` changes, not what it saves.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from measure import arguments, report, start
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ddbench.data import load_dataset
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.task import OuterStep, Task, Trajectories
from ddbench.expert_buffers import train_experts
from ddbench.methods import METHODS
from ddbench.networks import FlatNetwork, build_network
from ddbench.recipe.experts import ExpertRecipe

FAMILY = ("mtt", "tesla", "datm", "ast", "att")
CLASSES = ("dc", "dsa", "dm")

ROUNDED_INPUTS = {
    "convolution": (0, 1),
    "convolution_backward": (0, 1, 2),
    "mm": (0, 1),
    "bmm": (0, 1),
    "addmm": (1, 2),
}
"""Positions of the arguments that a tensor core rounds, by the name of the operation."""


class RoundedInputs(TorchDispatchMode):
    """Rounds the inputs of products and convolutions to a number of bits behind the point, half to even."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.dropped = 23 - bits

    def rounded(self, tensor: Any) -> Any:
        if not isinstance(tensor, Tensor) or tensor.dtype != torch.float32:
            return tensor
        whole = tensor.contiguous().view(torch.int32)
        half = (1 << (self.dropped - 1)) - 1 + ((whole >> self.dropped) & 1)
        return ((whole + half) & -(1 << self.dropped)).view(torch.float32)

    def __torch_dispatch__(
        self, operation: Any, types: Any, arguments: Sequence[Any] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        positions = ROUNDED_INPUTS.get(operation._schema.name.split("::")[1], ())
        given = [self.rounded(one) if number in positions else one for number, one in enumerate(arguments)]
        return operation(*given, **(named or {}))


PRECISIONS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "float32": nullcontext,
    "tf32": lambda: RoundedInputs(10),
    "bfloat16": lambda: RoundedInputs(7),
}


class InDouble:
    """Experts whose rows are float64, for the reference."""

    def __init__(self, experts: Trajectories) -> None:
        self.experts, self.epochs = experts, experts.epochs

    def __len__(self) -> int:
        return len(self.experts)

    def statistics(self, expert: int, epoch: int) -> Tensor | None:
        return self.experts.statistics(expert, epoch)

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        return self.experts[key].double()


def gradient(method: OptimizedMethod, task: Task, ipc: int, number: int, dtype: torch.dtype) -> Tensor:
    """The gradient of one outer step by the images of step 0."""
    syn = method.initialize(task, ipc, OuterStep(0, 0))
    images = syn.images.to(dtype).requires_grad_()
    kept = {name: tensor.to(dtype) for name, tensor in syn.tensors().items() if tensor.is_floating_point()}
    syn = replace(syn, **{name: tensor for name, tensor in kept.items() if name in ("labels", "student_lr")})
    loss, _ = method.outer_loss(replace(syn, images=images), task, OuterStep(number, 0))
    return torch.autograd.grad(loss, images)[0].double()


def distances(method: OptimizedMethod, task: Task, ipc: int, steps: int) -> dict[str, dict[str, float]]:
    """Means over outer steps of the relative difference from float64 and of the cosine, by precision."""
    module = build_network(task.network_name, task.real.shape, seed=0).double()
    exact = replace(task, network=FlatNetwork(module), experts=task.experts and InDouble(task.experts))
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in PRECISIONS}
    for number in range(steps):
        want = gradient(method, exact, ipc, number, torch.float64)
        for name, mode in PRECISIONS.items():
            with mode():
                got = gradient(method, task, ipc, number, torch.float32)
            cosine = torch.nn.functional.cosine_similarity(got.flatten(), want.flatten(), 0)
            found[name].append((float((got - want).norm() / want.norm()), float(cosine)))
    means = {name: torch.tensor(pairs).mean(0).tolist() for name, pairs in found.items()}
    return {name: {"difference": round(off, 6), "cosine": round(cosine, 6)} for name, (off, cosine) in means.items()}


def settings_of(name: str, inner_steps: int) -> dict[str, Any]:
    if name in CLASSES:
        return {"real_batches": {"per_class": 64}, "image_steps": 1, "inner_epochs": 1}
    few: dict[str, Any] = {"inner_steps": inner_steps, "max_start_epoch": 2, "image_lr": 1.0, "student_lr": 0.02}
    if name == "ast":
        few["start_perturbation"] = 0  # its draw would be another in float64
    return {**few, "augmentation": "none", "unroll": "tesla" if name == "tesla" else "adjoint"}


def main(given: Sequence[str] | None = None) -> None:
    parser: argparse.ArgumentParser = arguments(__doc__ or "")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data-root", default=None, help="folder of data sets that are not embedded")
    parser.add_argument("--network", default="convnet-d2-w32")
    parser.add_argument("--ipc", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--inner-steps", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--methods", nargs="+", default=[*FAMILY, *CLASSES], choices=[*FAMILY, *CLASSES])
    parser.add_argument("--outer-steps", type=int, default=5, help="over which the figures are means")
    parser.add_argument("--expert-epochs", type=int, default=3)
    options, device = start(parser, given)
    real = load_dataset(options.dataset, preprocessing="meanstd", data_root=options.data_root, home=Path())
    with tempfile.TemporaryDirectory() as folder:
        recipe = ExpertRecipe(count=2, lr=0.02, batch=64, augmentation="none")
        experts = train_experts(folder, real, options.network, recipe, epochs=options.expert_epochs, seed=options.seed)
        network = FlatNetwork(build_network(options.network, real.shape, seed=options.seed))
        task = Task(real=real, network=network, network_name=options.network, experts=experts)
        figures: dict[str, Any] = {}
        for name in options.methods:
            for steps in options.inner_steps if name in FAMILY else [0]:
                for ipc in options.ipc:
                    method = METHODS.get(name).model_validate({**settings_of(name, steps), "iterations": 10})
                    assert isinstance(method, OptimizedMethod)
                    where = f"{name}, ipc {ipc}" + (f", N {steps}" if steps else "")
                    figures[where] = distances(method.for_ipc(ipc), task, ipc, options.outer_steps)
    ratios = {
        f"{where}: {name} from float64": distance["difference"]
        for where, by_precision in figures.items()
        for name, distance in by_precision.items()
        if name != "float32"
    }
    report("precision", options, device, ratios=ratios, gradients=figures)


if __name__ == "__main__":
    main()
