"""One class for all that is compiled: it gives up for good at the first failure, says why, and passes memory errors."""

import threading

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ddbench.augmentation import DSAPolicy
from ddbench.augmentation import stacked_dsa as fusing
from ddbench.augmentation.draw import Draw
from ddbench.augmentation.stacked_dsa import apply_each, apply_packed
from ddbench.errors import UserError
from ddbench.runtime import compile as compiling
from ddbench.runtime.compile import Compiler, compiled

x = torch.arange(4.0)


def broken(graph, inputs):
    raise RuntimeError("libcuda.so can not be found\nand more lines")


def breaks_at_work(graph, inputs):
    """A backend whose code fails when it is run, as where Triton can not load what it built."""

    def run(*arguments):
        raise RuntimeError("Triton Error [CUDA]: device kernel image is invalid")

    return run


def out_of_memory(graph, inputs):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


@pytest.fixture(autouse=True)
def anew():
    torch._dynamo.reset()


@pytest.mark.parametrize(("backend", "reason"), [(broken, "libcuda.so can not be found"), (breaks_at_work, "invalid")])
def test_the_first_failure_ends_compiling_for_all_functions_and_its_reason_is_said_once(capsys, backend, reason):
    compiler = Compiler("the step", backend=backend)
    double, triple = compiler(lambda t: 2 * t), compiler(lambda t: 3 * t)
    assert not compiler.failed
    assert torch.equal(double(x), 2 * x) and compiler.failed
    assert torch.equal(triple(x), 3 * x) and torch.equal(double(x), 2 * x)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("the step does not compile, and runs as it is: ")
    assert reason in said and "raised:" not in said


def test_a_strict_compiler_refuses_and_one_that_is_not_to_speak_is_silent(capsys):
    with pytest.raises(UserError, match="the step does not compile") as caught:
        Compiler("the step", backend=broken, strict=True)(lambda t: 2 * t)(x)
    assert caught.value.facts == ("why   libcuda.so can not be found",)
    assert torch.equal(Compiler("the step", backend=broken, notice=False)(lambda t: 2 * t)(x), 2 * x)
    assert capsys.readouterr().err == ""


def test_a_lack_of_memory_is_no_failure_to_compile():
    compiler = Compiler("the step", backend=out_of_memory)
    with pytest.raises(RuntimeError, match="out of memory"):
        compiler(lambda t: 2 * t)(x)
    assert not compiler.failed


def test_an_error_of_shapes_that_ran_before_passes():
    calls = []

    def backend(graph, inputs):
        def run(*arguments):
            calls.append(1)
            if len(calls) == 3:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            return graph.forward(*arguments)

        return run

    compiler = Compiler("the step", backend=backend)
    double = compiler(lambda t: 2 * t)
    assert torch.equal(double(x), 2 * x) and torch.equal(double(x), 2 * x)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        double(x)
    assert not compiler.failed


def test_many_shapes_compile_in_a_thread_that_did_not_make_the_function():
    """torch's limit of variants is each thread's own, and a backward pass on a GPU runs in autograd's."""
    compiler, found = Compiler("the step", backend="eager", strict=True), []
    double = compiler(lambda t: 2 * t)
    thread = threading.Thread(target=lambda: found.extend(double(torch.ones(n)).sum().item() for n in range(1, 13)))
    thread.start()
    thread.join()
    assert found == [2.0 * n for n in range(1, 13)]


def test_augmentation_by_one_function_goes_back_to_family_by_family_where_it_does_not_compile(monkeypatch, capsys):
    policy, generator = DSAPolicy(), torch.Generator().manual_seed(0)
    images = torch.rand(3, 2, 1, 8, 8, generator=generator)
    draws = [policy.draw(2, 8, generator) for _ in range(3)]
    want = apply_each(policy, images, draws)
    monkeypatch.setattr(compiling, "compiled", lambda plain, device, backend: compiled(plain, device, broken))
    monkeypatch.setattr(fusing, "missing_requirement", lambda device: None)
    fusing._fused.cache_clear()
    calls = []
    monkeypatch.setattr(fusing, "apply_packed", lambda *given: calls.append(1) or apply_packed(*given))
    try:
        for _ in range(3):
            torch.testing.assert_close(apply_each(policy, images, draws, fused=True), want)
    finally:
        fusing._fused.cache_clear()
    assert capsys.readouterr().err.count("does not compile") == 1
    assert len(calls) <= 2, "traced, and run once as it is"


@pytest.mark.skipif(torch.version.cuda is None, reason="needs torch built for CUDA; no GPU")
@pytest.mark.parametrize("family", DSAPolicy().families)
def test_on_cuda_every_family_is_made_of_operations_that_a_compiler_can_look_into(family):
    policy, generator = DSAPolicy(families=(family,)), torch.Generator().manual_seed(0)
    draw = policy.draw(2, 8, generator)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        moved = Draw(draw.family, tuple(mode.from_tensor(part).to("cuda") for part in draw.parameters))
        found = policy.apply(torch.empty(2, 3, 8, 8, device="cuda"), moved)
    assert found.shape == (2, 3, 8, 8) and found.device.type == "cuda"
