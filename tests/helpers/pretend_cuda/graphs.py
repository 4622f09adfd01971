"""``torch.compile`` by AOT autograd alone, and CUDA graphs whose outputs do not last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

GRAPHS = {"functions": 0, "recorded": 0, "replayed": 0, "skipped": 0}
"""Functions that are captured; how often one was recorded, which on a GPU takes tens of milliseconds and memory that is
never given back: for every new address of a static input, and place in the sequence of functions since the mark; calls
that replayed; calls that ran without a graph, because they write to inputs that may be anywhere."""


class _Sequence:
    """The generation, the functions called in it so far, and the outputs that the next one overwrites."""

    number = current = 0
    path: tuple[int, ...] = ()
    outputs: list[Tensor] = []


def end_generation() -> None:
    """Fill what the graphs of this generation put out: with NaN, or with what no index and no mask can be."""
    for tensor in _Sequence.outputs:
        _once(tensor).fill_(float("nan") if tensor.is_floating_point() else -1 if tensor.dtype != torch.bool else True)
    _Sequence.outputs, _Sequence.path, _Sequence.current = [], (), _Sequence.number


def _mark_step_begin() -> None:
    _Sequence.number -= 1


def _once(tensor: Tensor) -> Tensor:
    """A tensor without the copies that an expanded dimension shows."""
    for dim in range(tensor.dim()):
        if tensor.stride(dim) == 0 and tensor.size(dim) > 1:
            tensor = tensor.narrow(dim, 0, 1)
    return tensor


class _Graph:
    """A function that is recorded once for each place in the sequence and each address of its static inputs.

    Args:
        function: The function, of tensors.
        static: Positions of inputs that lie where they lie, such as parameters.
        mutated: Positions of inputs that it writes to.
    """

    def __init__(self, function: Callable[..., Sequence[Any]], static: set[int], mutated: set[int]) -> None:
        self.function, self.static, self.mutated = function, static, mutated
        self.number, self.records = GRAPHS["functions"], {}
        self._boxed_call = True  # it takes a list, and empties it; torch copies the attribute to its wrapper
        GRAPHS["functions"] += 1

    def __call__(self, inputs: list[Any]) -> list[Any]:
        if _Sequence.number != _Sequence.current:
            end_generation()
        given = list(inputs)
        inputs.clear()
        if self.mutated - self.static:
            GRAPHS["skipped"] += 1
            return list(self.function(*given))
        addresses = tuple(given[i].data_ptr() for i in sorted(self.static) if isinstance(given[i], Tensor))
        memory = self.records.setdefault((_Sequence.path, addresses), {})
        GRAPHS["replayed" if memory else "recorded"] += 1
        _Sequence.path += (self.number,)
        for i, tensor in enumerate(given):
            if isinstance(tensor, Tensor) and i not in self.static:
                given[i] = self._copied_in(memory, i, tensor)
        theirs = {tensor.untyped_storage().data_ptr() for tensor in given if isinstance(tensor, Tensor)}
        return [self._put_out(memory, i, found, theirs) for i, found in enumerate(self.function(*given))]

    def _copied_in(self, memory: dict[tuple[str, int], Tensor], i: int, tensor: Tensor) -> Tensor:
        if ("in", i) not in memory:
            memory["in", i] = torch.empty_strided(
                tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device
            )
        _once(memory["in", i]).copy_(_once(tensor.detach()))
        return memory["in", i]

    def _put_out(self, memory: dict[tuple[str, int], Tensor], i: int, found: Any, theirs: set[int]) -> Any:
        if not isinstance(found, Tensor) or not found.numel() or found.untyped_storage().data_ptr() in theirs:
            return found
        if ("out", i) in memory:
            _once(memory["out", i]).copy_(_once(found))
        else:
            memory["out", i] = found.data
        _Sequence.outputs.append(memory["out", i])
        return memory["out", i].data  # data: a version counter of its own


def replace_compile() -> None:
    """Have ``torch.compile`` write no code for the device; where a graph would be replayed, a pretend one is."""
    import torch.utils._triton as triton

    plain = torch.compile
    for name in ("has_triton", "has_triton_package"):
        setattr(triton, name, lambda *arguments, **options: False)

    def compile_(model: Any = None, *, mode: str | None = None, **options: Any) -> Any:
        backend = options.pop("backend", "inductor")
        if backend == "inductor":
            return plain(model, backend=_by_device(mode == "reduce-overhead"), **options)
        return plain(model, mode=mode, backend=backend, **options)

    torch.compile = compile_
    torch.compiler.cudagraph_mark_step_begin = _mark_step_begin


def _by_device(replays: bool) -> Callable[..., Any]:
    """A backend that leaves functions of the CPU to Inductor."""

    def chosen(graph_module: Any, example_inputs: Sequence[Any]) -> Any:
        if any(isinstance(tensor, Tensor) and tensor.is_cuda for tensor in example_inputs):
            return _backend(replays)(graph_module, example_inputs)
        from torch._inductor.compile_fx import compile_fx

        return compile_fx(graph_module, example_inputs)

    return chosen


def _backend(replays: bool) -> Callable[..., Any]:
    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd

    def forward(graph_module: Any, example_inputs: Sequence[Any]) -> Any:
        if not replays:
            return make_boxed_func(graph_module)
        facts = torch._guards.TracingContext.get().fw_metadata
        assert facts is not None
        return _Graph(graph_module, set(facts.static_input_indices or ()), set(facts.mutated_inp_runtime_indices or ()))

    def backward(graph_module: Any, example_inputs: Sequence[Any]) -> Any:
        if not replays:
            return make_boxed_func(graph_module)
        places = graph_module.graph.find_nodes(op="placeholder")
        return _Graph(graph_module, {i for i, node in enumerate(places) if "tangents" not in node.name}, set())

    return aot_autograd(fw_compiler=forward, bw_compiler=backward, inference_compiler=forward)
