"""Errors of memory: told from others, and what a failed computation held is let go."""

import weakref

import pytest
import torch
from helpers.memory_makers import ERRORS

from ddbench import artifact
from ddbench.runtime.available_memory import free_bytes
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


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 139.72 GiB",
        "CUDA ran out of memory outside PyTorch's allocator",
        "CUDA driver error: out of memory",  # of expandable segments
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",  # of cuDNN 8
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",  # of cuDNN 9
        "Triton Error [CUDA]: out of memory",
    ],
)
def test_libraries_of_a_gpu_say_in_many_ways_that_memory_is_lacking(text):
    assert is_out_of_memory(RuntimeError(text)) and not is_out_of_memory(ValueError(text))


@pytest.mark.parametrize(
    "text",
    [
        "GET was unable to find an engine to execute this computation",
        "FIND was unable to find an engine to execute this computation",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    ],
)
def test_what_may_mean_that_counts_where_little_is_free(monkeypatch, text):
    """A convolution for whose workspace there is no room, as one that the library does not know."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    for free, expected in ((10**8, True), (10**11, False), (None, False)):
        monkeypatch.setattr("ddbench.runtime.oom.free_bytes", lambda device, free=free: free)
        assert is_out_of_memory(RuntimeError(text)) == expected


def segment(device, pool, total, active):
    return {"device": device, "segment_pool_id": pool, "total_size": total, "active_size": active}


def test_on_a_gpu_what_the_allocator_keeps_is_free_but_not_what_it_keeps_for_graphs(monkeypatch):
    kept = [segment(0, (0, 0), 100, 30), segment(0, (0, 7), 1000, 0), segment(1, (0, 0), 10**6, 0)]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5000, 10**6))
    monkeypatch.setattr(torch.cuda, "memory_snapshot", lambda: kept)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    assert free_bytes(torch.device("cuda")) == free_bytes(torch.device("cuda:0")) == 5070
    assert free_bytes(torch.device("cuda:1")) == 5000 + 10**6


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
