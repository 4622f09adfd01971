"""The home folder: where buffers, runs, results and downloads are stored."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DEFAULT_HOME = "artifacts"
FORMER_HOME = "artefacts"
"""Name of the default home in earlier versions; a folder of this name is still used where no ``artifacts`` exists."""

_reported: set[Path] = set()


def home_folder(home: str | Path | None = None) -> Path:
    """Resolve the home folder of a command or of a call.

    Args:
        home: The folder that the user gave; None where none was given.

    Returns:
        ``home``; else the folder in $DDBENCH_HOME; else ``./artifacts``. Where ``./artifacts`` is absent and
        ``./artefacts``, the default of earlier versions, is present, that folder is used, and stderr says so once.
    """
    if home is not None:
        return Path(home)
    if chosen := os.environ.get("DDBENCH_HOME"):
        return Path(chosen)
    if not os.path.lexists(DEFAULT_HOME) and os.path.isdir(FORMER_HOME):
        _report_former_home()
        return Path(FORMER_HOME)
    return Path(DEFAULT_HOME)


def _report_former_home() -> None:
    from ddbench.runtime.rank_store import launched

    folder = Path.cwd() / FORMER_HOME
    if folder in _reported or launched()[0] > 0:
        return
    _reported.add(folder)
    sys.stderr.write(
        f"note: using ./{FORMER_HOME}, the default home of earlier versions; rename it to ./{DEFAULT_HOME} "
        "or set --home or $DDBENCH_HOME\n"
    )
