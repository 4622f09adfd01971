"""Distillation on CUDA: the CPU's gradients, no waits between inner steps, and nothing held after memory ran out."""

import gc
from dataclasses import replace

import pytest
import torch
from helpers import pretend_cuda
from helpers.computing import under
from helpers.distillation_makers import StopAt, at, tiny_task

from ddbench.distillation.outer_loop import optimize
from ddbench.distillation.outer_state import OuterState
from ddbench.distillation.run_dir import Run
from ddbench.methods import METHODS
from ddbench.runtime.oom import is_out_of_memory, let_go
from ddbench.synthetic.synthetic_set import load_synthetic

pytestmark = pytest.mark.cuda

UNROLLS = {
    "full": "full",
    "adjoint": "adjoint",
    "every third": {"kind": "adjoint", "every": 3},
    "tesla": "tesla",
    "truncated": {"kind": "truncated", "last": 2},
}
USUAL = {"inner_steps": 5, "expert_epochs": 2, "max_start_epoch": 4, "image_lr": 10.0}
LEARNED = {
    "momentum and learned labels": ("datm", {"batch_syn": 4, "student_momentum": 0.9}),
    "every epoch matched": ("ast", {"batch_syn": 4}),
}


def outer_gradients(device, name, compile="off", **settings):
    """Loss and gradients of one outer step in float64, on the CPU."""
    kind = METHODS.get(name, "test")
    method = kind(**{key: value for key, value in USUAL.items() if key in kind.model_fields}, **settings)
    task = tiny_task(device=str(device), dtype=torch.float64, compile=compile, mirror=True)
    syn = method.initialize(task, 2, at()).to(device)
    tensors = syn.tensors()
    learned = {key: tensors[key].detach().double().requires_grad_() for key in method.outer_rates()}
    step = replace(at(3), carried=method.carry(replace(syn, images=syn.images.double()), task, at(2)))
    loss, _ = method.outer_loss(replace(syn, **learned), task, step)
    return [loss.detach().cpu(), *(tensor.cpu() for tensor in torch.autograd.grad(loss, list(learned.values())))]


@pytest.mark.parametrize("unroll", UNROLLS)
@pytest.mark.parametrize("compile", ["off", "on"])
def test_every_unroll_has_the_gradient_of_the_cpu(gpu, unroll, compile):
    want = outer_gradients("cpu", "mtt", unroll=UNROLLS[unroll])
    for got, asked in zip(outer_gradients(gpu, "mtt", compile, unroll=UNROLLS[unroll]), want, strict=True):
        assert asked.abs().max() > 0
        torch.testing.assert_close(got, asked, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", LEARNED)
def test_momentum_learned_labels_and_matched_epochs_have_the_gradient_of_the_cpu(gpu, case):
    name, settings = LEARNED[case]
    want = outer_gradients("cpu", name, **settings)
    for got, asked in zip(outer_gradients(gpu, name, "on", **settings), want, strict=True):
        torch.testing.assert_close(got, asked, rtol=1e-10, atol=1e-12)


def method(**changes):
    return METHODS.get("mtt", "test")(**{**USUAL, "iterations": 6, "student_lr": 0.05, "keep_every": 3, **changes})


def outer_state(folder, gpu, compile="off", **changes):
    run = Run(folder)
    return OuterState(method(**changes), tiny_task(device=str(gpu), compile=compile), 2, 0, run)


@pytest.mark.parametrize("compile", ["off", "on"])
def test_an_inner_step_waits_for_nothing(gpu, tmp_path, compile):
    """Outer steps of few and of many inner steps wait equally often, once all is compiled."""
    counts = []
    for steps in (4, 12):
        state = outer_state(tmp_path / f"{steps}", gpu, compile, inner_steps=steps, augmentation="none")
        state.step(at(0))
        with pretend_cuda.waits() as found:
            state.step(at(1))
        counts.append(found)
    assert counts[1].number == counts[0].number, counts[1].of()


@pytest.mark.parametrize("compile", ["off", "on"])
def test_in_steady_state_graphs_are_replayed_and_none_is_recorded(gpu, tmp_path, compile):
    state = outer_state(tmp_path, gpu, compile)
    for step in range(2):
        state.step(at(step))
    before = dict(pretend_cuda.GRAPHS)
    for step in range(2, 5):
        state.step(at(step))
    after = pretend_cuda.GRAPHS
    assert after["recorded"] == before["recorded"] and after["skipped"] == before["skipped"]
    assert (after["replayed"] > before["replayed"]) == (compile == "on")


@pytest.mark.parametrize(("unroll", "compile"), [("full", "off"), ("adjoint", "on")])
def test_memory_that_runs_out_anywhere_in_a_step_is_recognized_and_leaves_nothing(gpu, tmp_path, unroll, compile):
    """In backward passes too, which run in a thread of their own; and the next step has the numbers it would have."""
    state, want = (outer_state(tmp_path / name, gpu, compile, unroll=unroll) for name in ("limited", "whole"))
    memory = pretend_cuda.memory()
    for step in range(2):
        state.step(at(step))
    expected = [want.step(at(step))[0] for step in range(4)][-1]
    _settle()
    begin = memory.now()
    memory.reset_peak()
    state.step(at(2))
    needed = memory.peak() - begin
    _settle()
    begin = memory.now()
    for share in (0.2, 0.9):
        with pytest.raises(RuntimeError) as caught, pretend_cuda.limited(int(share * needed)):
            state.step(at(3))
        assert is_out_of_memory(caught.value), caught.value
        let_go(caught.value)
        state.rollback_half_step()
        del caught
        _settle()
        assert memory.now() <= begin
    assert state.step(at(3))[0] == pytest.approx(expected, rel=1e-4)


def _settle():
    gc.collect()
    pretend_cuda.end_generation()


def test_an_interrupted_run_goes_on_to_the_same_set_up_to_rounding(gpu, tmp_path):
    task = tiny_task(device=str(gpu))
    whole = optimize(method(), task, 2, tmp_path / "whole", seed=1)
    with pytest.raises(KeyboardInterrupt):
        optimize(method(), under(task, progress=StopAt(4)), 2, tmp_path / "parts", seed=1)
    parts = optimize(method(), task, 2, tmp_path / "parts", seed=1)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(load_synthetic(one).images, load_synthetic(other).images, rtol=1e-3, atol=1e-4)
