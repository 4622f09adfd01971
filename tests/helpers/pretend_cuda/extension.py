"""The native part of the pretend device, built when it is first needed and kept outside of the checkout."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

SOURCES = sorted((Path(__file__).parent / "native").glob("*.cpp"))
HEADERS = sorted((Path(__file__).parent / "native").glob("*.h"))


def missing_compiler() -> str | None:
    """Name what is missing to build the extension, in words; None where nothing is, or where it is built already."""
    if _built().exists():
        return None
    if not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "g++", "clang++")):
        return "a C++ compiler"
    return None if shutil.which("ninja") else "ninja"


@cache
def native() -> ModuleType:
    """The extension, built in about a minute where it was not built before for this torch and these sources."""
    library = _built()
    if library.exists():
        spec = importlib.util.spec_from_file_location(library.stem, library)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    from torch.utils.cpp_extension import load

    library.parent.mkdir(parents=True, exist_ok=True)
    sources = [str(path) for path in SOURCES]
    return load(
        library.stem, sources, extra_cflags=["-O1"], build_directory=str(library.parent), with_cuda=False, verbose=False
    )


def _built() -> Path:
    """The library for this torch and these sources, under ``PRETEND_BUILD`` or the user's cache."""
    contents = b"".join(path.read_bytes() for path in (*SOURCES, *HEADERS))
    name = "pretend_cuda_" + hashlib.sha256(torch.__version__.encode() + contents).hexdigest()[:12]
    root = os.environ.get("PRETEND_BUILD") or Path.home() / ".cache" / "ddbench-tests"
    return Path(root) / name / f"{name}.so"
