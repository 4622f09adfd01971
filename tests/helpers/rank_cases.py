"""What two ranks are asked in the tests of them: functions of ``ranks`` that one process can answer as well."""

from dataclasses import replace
from functools import partial
from unittest.mock import patch

import torch

from ddbench.distillation.outer_loop import optimize
from ddbench.errors import UserError
from ddbench.methods import METHODS
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.networks.mixing import refuse_mixed_batches
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.pipeline import Pipeline
from ddbench.recipe.recipe import load_recipe
from ddbench.runtime.progress import Silent
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.unroll.compiled_step import GradientKernel
from helpers.computing import under
from helpers.distillation_makers import StopAt, at, tiny_task

F64 = torch.float64
THRESHOLD = 1.0
"""Of the matching loss: some steps of the run are above it, and skipped."""


def outer_gradients(ranks, cases, captured=False, device="cpu"):
    """Loss and gradients by images, labels (where learned) and student_lr of one outer step, for each of some cases:
    a method and its settings. captured: with steps that pull back by themselves, as compiled ones do. float64."""
    return [_outer_gradient(ranks, method, settings, captured, device) for method, settings in cases]


def _outer_gradient(ranks, name, settings, captured, device):
    compile = "on" if captured else "off"
    task = under(tiny_task(dtype=F64, compile=compile, mirror=True, device=device), ranks=ranks)
    kind = METHODS.get(name, "test")
    usual = {"inner_steps": 4, "expert_epochs": 2, "max_start_epoch": 4, "image_lr": 1.0}
    method = kind(**{key: value for key, value in usual.items() if key in kind.model_fields}, **settings)
    syn = method.initialize(task, 2, at()).to(task.device)
    double = replace(syn, images=syn.images.double())
    step = replace(at(3), carried=method.carry(double, task, at(2)))
    step = replace(step, carried=method.carry(double, task, step))
    names = [name for name in ("images", "labels", "student_lr") if name in method.outer_rates()]
    learned = {name: getattr(syn, name).double().requires_grad_() for name in names}
    with patch("ddbench.distillation.task.GradientKernel", partial(GradientKernel, backend="eager")):
        loss, _ = method.outer_loss(replace(syn, **learned), task, step)
    gradients = torch.autograd.grad(loss, list(learned.values()))
    return [loss.item(), *(gradient.tolist() for gradient in gradients)]


def third_derivatives(ranks, begin):
    """y = sum over parts r of (r + 1) * (x summed)^3, written with the two operations; its first three derivatives."""
    x = torch.tensor(begin, dtype=F64, requires_grad=True)
    (copy,) = ranks.copied(x)
    (y,) = ranks.summed(sum((part + 1) * (copy**3).sum() for part in range(ranks.rank, 2, ranks.world)))
    (first,) = torch.autograd.grad(y, x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    return [each.tolist() for each in (y, first, second, third)]


def whole_run(ranks, folder, stop=None):
    """Images, student_lr and the guards' counts of the candidates of a run, or of its continuation; what it lost, where
    it is interrupted at a step."""
    method = METHODS.get("mtt", "test")(
        inner_steps=3,
        expert_epochs=2,
        max_start_epoch=4,
        image_lr=5.0,
        student_lr=0.05,
        iterations=9,
        keep_every=3,
        ema_decay=0.9,
        guard={"threshold": THRESHOLD},
    )
    progress = Silent() if stop is None else StopAt(stop)
    task = under(tiny_task(), ranks=ranks, progress=progress, checkpoint_seconds=0)
    try:
        found = optimize(method, task, 2, folder, seed=1)
    except KeyboardInterrupt:
        return "interrupted"
    kept = [load_synthetic(path) for path in found]
    return [(syn.images.tolist(), syn.student_lr.item(), syn.provenance["guard"]) for syn in kept]


def refusal(ranks, question, *arguments):
    """What a UserError says that a question ends with."""
    try:
        question(ranks, *arguments)
    except UserError as error:
        return str(error)
    return None


def job_of_a_recipe(ranks, recipe, homes, overrides):
    """The images of the set that a recipe's last job leaves. homes, overrides: of each rank."""
    context = RunContext(homes[ranks.rank], quiet=True, together=not ranks.alone)
    with patch("ddbench.runtime.executors.shared_filesystem.PATIENCE", 0.3):
        pipeline = Pipeline(load_recipe(str(recipe), overrides[ranks.rank]), context)
    job = pipeline.jobs[-1]
    pipeline.stages.run(job, last="distill")
    return load_synthetic(job.set_path).images.tolist()


def batch_norm(ranks):
    refuse_mixed_batches(
        FlatNetwork(build_network("convnet-d1-w4-bn", ImageShape(1, 8, 3), seed=0)), ImageShape(1, 8, 3)
    )


def different_facts(ranks):
    ranks.require_same({"same": [1], "recipe.lr": 0.1 * (1 + ranks.rank)}, fix="agree")


def talk(ranks):
    """What the ranks say to each other, and tensors that are rank 0's, or the sum."""
    with ranks.rank_0_first():
        pass
    mine = torch.full((2, 3), float(ranks.rank + 1)), torch.tensor(10.0 * (ranks.rank + 1), dtype=F64)
    tensors = [*ranks.agreed(*mine), *ranks.total(*mine)]
    told = [ranks.gather({"rank": ranks.rank}), ranks.decided(ranks.rank)]
    return told, [(str(tensor.dtype), tensor.tolist()) for tensor in tensors]
