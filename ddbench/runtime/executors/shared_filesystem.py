"""Check that the process that does a job sees the files of the one that sent it."""

from __future__ import annotations

import platform
import time
from pathlib import Path

from ddbench.errors import UserError

PATIENCE = 5.0
"""Seconds in which a file must be seen that another machine wrote; network file systems take some."""


def appears(path: Path) -> bool:
    """Wait until a file or folder that another machine wrote is there.

    Args:
        path: File or folder.

    Returns:
        True where it is; False where it does not come within ``PATIENCE`` seconds.
    """
    until = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def require_seen(path: Path) -> None:
    """Require that this machine sees a file or folder of the one that sent the job.

    Args:
        path: File or folder that is there for the sender.

    Raises:
        UserError: It is not there, nor comes within ``PATIENCE`` seconds.
    """
    if not appears(path):
        raise UserError(
            "a machine that was given a job does not see the folder that its result goes to",
            f"in    {path}",
            f"on    {platform.node()}",
            fix="give --home a folder on a file system that all machines share, at the same path",
        )
