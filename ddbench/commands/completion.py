"""Completion of arguments by the shell."""

from __future__ import annotations

import glob
from pathlib import Path


def recipes_that_begin_with(incomplete: str) -> list[str]:
    """List what completes the name of a recipe.

    Args:
        incomplete: What is typed.

    Returns:
        Names of shipped recipes, then folders and YAML files.
    """
    from ddbench.recipe.recipe import shipped_recipes

    folder, start = Path(incomplete).parent, Path(incomplete).name if not incomplete.endswith("/") else ""
    folder = Path(incomplete) if incomplete.endswith("/") else folder
    files = [
        path for path in folder.glob(f"{glob.escape(start)}*") if path.is_dir() or path.suffix in (".yaml", ".yml")
    ]
    return [
        *(name for name in shipped_recipes() if name.startswith(incomplete)),
        *sorted(f"{path}/" if path.is_dir() else str(path) for path in files),
    ]
