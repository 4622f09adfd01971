"""Compilation of functions of tensors: when it pays, and ``torch.compile`` with its cache."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, final

from ddbench.errors import UserError, error_summary

Choice = Literal["auto", "on", "off"]
"""auto: where the run is long enough to gain and this machine can compile; on: always, or an error; off: never."""

LONG_ENOUGH = 300.0
"""Seconds of a run, uncompiled, from which compiling pays. It takes half a minute to a minute the first time on two
cores, some seconds where torch's cache knows the functions, and saves about a third."""

SECONDS_PER_FLOAT = 3e-8
"""Of an inner step there and back, for each number that the student's layers put out: ConvNet-D3 on one core."""

CUDA_SECONDS_PER_FLOAT, CUDA_LEAST = 2e-10, 3e-3
"""The same on a GPU, where a step of many small operations takes a few milliseconds however little it computes. Not
measured: from the ratio of the machines' arithmetic, and a few hundred launches of ten microseconds."""

_VARIANTS = 64
"""Shapes, and functions made in the same place, that one process may compile; a recipe of many methods has many."""


def should_compile(choice: Choice, *, seconds: float, device: str = "cpu") -> bool:
    """Decide whether to compile a computation.

    Args:
        choice: "auto", "on" or "off".
        seconds: How long it takes uncompiled, about.
        device: Type of the device, "cpu" or "cuda".

    Returns:
        True where it is to be compiled: with "auto" only where that saves time and this machine can.

    Raises:
        UserError: The choice is "on" and this machine can not compile.
    """
    if choice == "off" or (choice == "auto" and seconds < LONG_ENOUGH):
        return False
    missing = missing_requirement(device)
    if missing and choice == "on":
        raise UserError(
            f"--compile on needs {missing}",
            "why   torch.compile writes code for this machine and has it built",
            fix="install it, or give --compile off: slower, with the same results up to rounding",
        )
    return not missing


def student_seconds(floats: int, steps: int, device: str = "cpu") -> float:
    """Estimate how long inner steps take uncompiled, there and back.

    Args:
        floats: Numbers that the student's layers put out for a batch.
        steps: Inner steps.
        device: Type of the device, "cpu" or "cuda".

    Returns:
        Seconds.
    """
    if device == "cuda":
        return steps * max(CUDA_SECONDS_PER_FLOAT * floats, CUDA_LEAST)
    return steps * SECONDS_PER_FLOAT * floats


def missing_requirement(device: str = "cpu") -> str | None:
    """Look for what torch.compile needs.

    Args:
        device: Type of the device, "cpu" or "cuda".

    Returns:
        What is missing, in words; None where everything is there.
    """
    if not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "g++", "clang++")):
        return "a C++ compiler (g++ or clang++)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "the headers of this Python (python3-dev)"
    if device == "cuda" and find_spec("triton") is None:
        return "the package triton"
    return None


def compiled(function: Callable[..., Any], device: str = "cpu", backend: str = "inductor") -> Callable[..., Any]:
    """Compile a function of tensors as a whole, at its first call, and again for every new shape.

    On CUDA it runs as a graph that is replayed, and its results lie in memory that the next call writes over: use them
    up, or copy them, before. Compiled code is kept where torch keeps it (``TORCHINDUCTOR_CACHE_DIR``), so that a second
    process reads it.

    Args:
        function: A pure function of tensors.
        device: Type of the device, "cpu" or "cuda".
        backend: Backend of torch.compile.

    Returns:
        The same function, compiled.
    """
    import torch

    allow_variants()
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it reports missing CUDA on every CPU
    mode = "reduce-overhead" if device == "cuda" and backend == "inductor" else None
    return torch.compile(function, fullgraph=True, dynamic=False, mode=mode, backend=backend)


def allow_variants() -> None:
    """Let this thread compile one function for many shapes; torch keeps the limit for each thread by itself."""
    import torch

    if torch._dynamo.config.recompile_limit < _VARIANTS:
        torch._dynamo.config.recompile_limit = _VARIANTS


def release_graphs() -> None:
    """Give back what compiled functions hold on a GPU: recorded graphs, and memory that only their replays use.

    torch keeps both for as long as the process lives. Called at the end of a stage, for what comes next may need the
    memory; a function that is called again is compiled again, which torch's cache makes a matter of seconds. On a CPU
    nothing is recorded, and nothing happens.
    """
    if not Compiler.recorded:
        return
    import torch

    Compiler.recorded = False
    torch._dynamo.reset()
    gc.collect()
    torch.cuda.empty_cache()


@final
class Compiler:
    """Compiles the functions of one computation; at the first failure all of them run as they are, for good.

    What counts as a failure is what the compiler raises, and any error but a lack of memory in the first call with
    tensors of new shapes, in which code is built and loaded, and a graph recorded.

    Args:
        what: The computation, in words.
        device: Type of the device, "cpu" or "cuda".
        backend: Backend of torch.compile.
        strict: Whether a failure is an error.
        notice: Whether a failure that is none is reported on stderr.
    """

    recorded: ClassVar[bool] = False
    """Whether this process may hold graphs that a GPU replays."""

    def __init__(
        self, what: str, device: str = "cpu", backend: str = "inductor", *, strict: bool = False, notice: bool = True
    ) -> None:
        self.what, self.device, self.backend, self.strict, self.notice = what, device, backend, strict, notice
        self.failed = False

    def __call__(
        self, plain: Callable[..., Any], prepare: Callable[[Any], Any] = lambda argument: argument
    ) -> Callable[..., Any]:
        """Compile a function.

        Args:
            plain: A pure function of tensors.
            prepare: Makes each argument what the compiled function likes best.

        Returns:
            The same function, compiled until this compiler has failed. It raises UserError where it fails first and the
            compiler is strict.
        """
        fast, run = compiled(plain, self.device, self.backend), set()

        def either(*arguments: Any) -> Any:
            if self.failed:
                return plain(*arguments)
            shapes = tuple(getattr(argument, "shape", None) for argument in arguments)
            if shapes in run:
                return fast(*map(prepare, arguments))
            allow_variants()
            try:
                found = fast(*map(prepare, arguments))
            except RuntimeError as error:
                self._fail(error)
                return plain(*arguments)
            run.add(shapes)
            Compiler.recorded |= self.device == "cuda"
            return found

        return either

    def _fail(self, error: RuntimeError) -> None:
        from ddbench.runtime.oom import is_out_of_memory

        if is_out_of_memory(error):
            raise error
        self.failed = True
        reason = getattr(error, "inner_exception", None) or error
        if self.strict:
            raise UserError(
                f"{self.what} does not compile",
                f"why   {error_summary(reason)}",
                fix="give --compile off, or auto, which goes on uncompiled",
            ) from error
        if self.notice:
            sys.stderr.write(f"{self.what} does not compile, and runs as it is: {error_summary(reason)}\n")
