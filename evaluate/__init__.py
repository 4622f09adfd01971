"""Scoring of synthetic sets: protocols, rows and leaderboard.

The package has the name of the function that people look for first, so it can be called as that function:
``ddbench.evaluate(syn, real)`` is ``ddbench.api.evaluate.evaluate(syn, real)``.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

if __name__ != "ddbench.evaluate":
    raise ImportError(
        "this folder is the package 'ddbench.evaluate'; import it by that name. "
        "If you wanted Hugging Face's 'evaluate', run Python with -P or from another folder."
    )


class _CallablePackage(ModuleType):
    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        # imported when it is called: the Python API stands above this package
        return importlib.import_module("ddbench.api.evaluate").evaluate(*arguments, **settings)


sys.modules[__name__].__class__ = _CallablePackage
