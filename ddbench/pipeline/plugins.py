"""Methods from a file of the user's own."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ddbench.errors import UserError


def run_plugin(path: Path) -> None:
    """Import a Python file, which registers its methods.

    The user names it: no other file is ever run.

    Args:
        path: The file.

    Raises:
        UserError: There is no such file; what the file itself raises comes out as it is.
    """
    if not path.is_file():
        raise UserError(f"there is no plugin {path}", fix="check the path given to --plugin")
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file", fix="give --plugin a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


@dataclass(frozen=True)
class Plugin:
    """A plugin as it travels to other processes, where its file may not lie."""

    path: str
    """Path of its file on the machine that started."""
    source: str
    """Content of the file."""

    def __call__(self) -> None:
        """Run it under the name that ``run_plugin`` gave it, unless this process has."""
        name = _module_name(Path(self.path))
        if name not in sys.modules:
            module = sys.modules[name] = ModuleType(name)
            module.__file__ = self.path
            exec(compile(self.source, self.path, "exec"), module.__dict__)


def _module_name(path: Path) -> str:
    return f"ddbench_plugin_{path.stem}"


RENAMED_HOOKS = {
    "amounts": "plan_summary",
    "check": "validate_data",
    "init": "initialize",
    "kept": "finalize",
    "knobs": "memory_suggestions",
    "refuse": "validate_ipc",
    "rehearsal": "timing_init",
    "teachers_wanted": "required_teachers",
}
"""Hooks of methods in version 0.1, and what they are called now."""


def require_method(kind: object, name: str) -> None:
    """Require that what is registered is a whole method of its domain.

    Args:
        kind: The registered object.
        name: Name under which it is registered, for errors.

    Raises:
        UserError: It is no class of methods, lacks a hook, or defines one of version 0.1.
    """
    from ddbench.distillation.method import Method
    from ddbench.pipeline.domains import domain_named

    if not (
        isinstance(kind, type) and issubclass(kind, Method) and issubclass(kind, domain_named(kind.DOMAIN).method_kinds)
    ):
        raise UserError(
            f"what is registered as method {name!r} is not a method: {kind!r}",
            fix="make it a class that inherits from ddbench.method.DirectMethod or OptimizedMethod; for graphs, from "
            "ddbench.graphs.method.GraphMethod",
        )
    old = next((hook for hook in RENAMED_HOOKS if hasattr(kind, hook)), None)
    if old is not None:
        raise UserError(
            f"method {name!r} defines {old}(), a hook of an older ddbench that nothing calls",
            fix=f"call it {RENAMED_HOOKS[old]}()",
        )
    lacking = sorted(getattr(kind, "__abstractmethods__", ()))
    if lacking:
        raise UserError(
            f"method {name!r} is not whole: {kind.__name__} lacks {', '.join(lacking)}",
            fix=f"define {lacking[0]}() in {kind.__module__}; ddbench/methods has examples",
        )
