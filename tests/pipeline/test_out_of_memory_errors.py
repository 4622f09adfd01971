"""Errors of memory: told from others, and what a failed computation held is let go."""

import weakref

import pytest
import torch
from helpers.memory_makers import ERRORS

from ddbench import artifact
from ddbench.runtime.oom import is_out_of_memory, let_go, memory_errors


def cpu_allocators_own():
    """The error of torch's allocator itself, of a tensor that no machine has memory for."""
    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    except RuntimeError as error:
        return error
    raise AssertionError("a tensor of 2^60 bytes was allocated")


def test_errors_of_memory_are_told_from_others():
    assert all(map(is_out_of_memory, [*ERRORS, cpu_allocators_own()]))
    others = [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("memory"), KeyboardInterrupt()]
    assert not any(map(is_out_of_memory, others))


def test_what_a_failed_function_held_is_let_go():
    freed = []

    class Held:
        def __del__(self):
            freed.append(True)

    def fail():
        held = Held()
        raise MemoryError(f"{held is None}")

    try:
        fail()
    except MemoryError as error:
        assert not freed
        let_go(error)
        assert freed


def test_a_backward_pass_that_failed_lets_its_graph_go():
    """Autograd leaves what it had still to do in a queue: here, to go back through ``Waits``."""
    waiting = []

    class Waits(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            waiting.append(weakref.ref(ctx))
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return grad

    def fail(grad):
        raise MemoryError

    def go_back():
        x = torch.ones((), requires_grad=True)
        first = Waits.apply(x)
        second = x * 2
        second.register_hook(fail)
        torch.autograd.grad(first + second, x)

    with pytest.raises(MemoryError) as caught:
        go_back()
    let_go(caught.value)
    assert waiting[0]() is None


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), memory_errors("distilling", str, list):
        raise RuntimeError("shapes")


def test_a_file_that_can_not_be_read_for_lack_of_memory_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "one.safetensors"
    artifact.save(path, "thing", {"x": torch.zeros(2)}, {})

    def lacking(*_, **__):
        raise OSError("unable to mmap 64 bytes from file: Cannot allocate memory (12)")

    monkeypatch.setattr("safetensors.safe_open", lacking)
    for read in (artifact.describe, lambda path: artifact.load(path, "thing")):
        with pytest.raises(MemoryError):
            read(path)
