"""The home in which a synthetic set was made, where it is not the one that a command works in."""

from __future__ import annotations

import shlex
from pathlib import Path

_PLACES = ("runs", "imported")


def require_whitening(file: Path, home: Path, command: str) -> None:
    """See that the whitening of a set is to be had, where it has one.

    Args:
        file: The set.
        home: In which the command works.
        command: What was called, without its options, to be repeated.

    Raises:
        UserError: Where the whitening lies in the home of the set's run instead, which is named.
    """
    from ddbench.artifact import describe
    from ddbench.data.preprocessing import WHITENED
    from ddbench.data.whitening_cache import whitening_path
    from ddbench.errors import UserError

    preprocessing = describe(file).get("preprocessing")
    if not isinstance(preprocessing, dict) or preprocessing.get("kind") not in WHITENED:
        return
    name = str(preprocessing.get("fingerprint"))
    if not name.isalnum() or whitening_path(home, name).is_file():
        return
    other = home_of(file)
    if other is not None and whitening_path(other, name).is_file():
        raise UserError(
            "the whitening of this set lies in the home of its run, not in this one",
            f"this  {home}",
            f"its   {other}",
            fix=f"{command} --home {shlex.quote(str(other))}",
        )


def home_of(file: Path) -> Path | None:
    """Find the home below which a set lies, by the names of its folders.

    Args:
        file: The set.

    Returns:
        The folder above ``runs`` or ``imported``; None where the set lies in neither.
    """
    parents = file.absolute().parents
    return next((folder.parent for folder in parents if folder.name in _PLACES), None)
