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
    """Find the role of a split by its name.

    Args:
        name: The name, in whatever case.

    Returns:
        The role; None where it is none of NAMES.
    """
    for role in ROLES:
        if name.lower() in NAMES[role]:
            return role
    return None


def role_of_file(stem: str) -> Role | None:
    """Find the role of a file by the beginning of its name, ``train-00000-of-00002``, or a word in it, ``birds-test``.

    Args:
        stem: Name of the file without its ending.

    Returns:
        The role; None where there is none.
    """
    for role in ROLES:
        if stem.lower().startswith(NAMES[role][0]):
            return role
    return first_role(re.split(r"[-_. ]", stem))


def first_role(names: Iterable[str]) -> Role | None:
    """Find the role of the first name that is one of NAMES.

    Args:
        names: Names, in order.

    Returns:
        The role; None where there is none.
    """
    for name in names:
        if (role := role_of(name)) is not None:
            return role
    return None


def roles_of(names: Iterable[str], what: str) -> tuple[dict[Role, str], list[str]]:
    """Find the splits among names.

    Args:
        names: All that lie side by side.
        what: Where, for messages.

    Returns:
        The name of each role that is there, train first, and the names that are no split, sorted.

    Raises:
        UserError: Two names mean the same split.
    """
    names_by_role: dict[Role, str] = {}
    others = []
    for name in sorted(names):
        role = role_of(name)
        if role is None:
            others.append(name)
        elif role in names_by_role:
            raise UserError(
                f"{what} has two {role} splits, {names_by_role[role]} and {name}",
                f"names    {', '.join(NAMES[role])} mean the same",
                fix="keep one of them, or join them",
            )
        else:
            names_by_role[role] = name
    names_by_role = {role: names_by_role[role] for role in ROLES if role in names_by_role}
    return names_by_role, [name for name in others if name not in IGNORED and not name.startswith(".")]
