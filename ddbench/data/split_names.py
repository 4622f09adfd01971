"""Names of splits, which mean the same in every source: folders, Parquet files, arrays and the hub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from ddbench.errors import UserError

Role = Literal["train", "validation", "test"]
ROLES: tuple[Role, ...] = ("train", "validation", "test")

NAMES: Mapping[Role, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
IGNORED = ("__MACOSX",)
"""Folders that archives of a Mac hold beside the data."""


def role_of(name: str) -> Role | None:
    """The role of a split of exactly this name, in whatever case; None where it is none of NAMES."""
    for role in ROLES:
        if name.lower() in NAMES[role]:
            return role
    return None


def role_of_file(stem: str) -> Role | None:
    """The role of a file by the beginning of its name, ``train-00000-of-00002``, or a word in it, ``birds-test``."""
    for role in ROLES:
        if stem.lower().startswith(NAMES[role][0]):
            return role
    return first_role(re.split(r"[-_. ]", stem))


def first_role(names: Iterable[str]) -> Role | None:
    """The role of the first of these names that is one of NAMES."""
    for name in names:
        if (role := role_of(name)) is not None:
            return role
    return None


def roles_of(names: Iterable[str], what: str) -> tuple[dict[Role, str], list[str]]:
    """Which of these names are splits.

    Args:
        names: All that lie side by side.
        what: Where, for messages.

    Returns:
        The name of each role that is there, train first, and the names that are no split, sorted.

    Raises:
        UserError: Two names mean the same split.
    """
    found: dict[Role, str] = {}
    others = []
    for name in sorted(names):
        role = role_of(name)
        if role is None:
            others.append(name)
        elif role in found:
            raise UserError(
                f"{what} has two {role} splits, {found[role]} and {name}",
                f"names    {', '.join(NAMES[role])} mean the same",
                fix="keep one of them, or join them",
            )
        else:
            found[role] = name
    found = {role: found[role] for role in ROLES if role in found}
    return found, [name for name in others if name not in IGNORED and not name.startswith(".")]
