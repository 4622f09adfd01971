"""Methods from a file of the user's own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from ddbench.errors import UserError


def run_plugin(path: Path) -> None:
    """Import a Python file, which registers its methods. The user asked for it by name: no other file is ever run.

    Errors: UserError when there is no such file; what the file itself raises comes out as it is.
    """
    if not path.is_file():
        raise UserError(f"there is no plugin {path}", fix="check the path given to --plugin")
    name = f"ddbench_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file", fix="give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
