"""Check that something listens at the address of a Ray cluster, in seconds: Ray itself tries for minutes."""

from __future__ import annotations

import socket

from ddbench.errors import UserError

PATIENCE = 5.0
"""Seconds in which a host must answer."""


def require_answer(address: str) -> None:
    """Connect to an address and hang up.

    Args:
        address: Where a Ray cluster is said to be, ``HOST:PORT``.

    Raises:
        UserError: It is no HOST:PORT, or nothing listens there.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536) or "//" in address:
        raise UserError(
            f"{address!r} is no address of a Ray cluster",
            fix="write it as HOST:PORT, as ray start --head prints it (6379 is the usual port), or auto",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except OSError as error:
        raise unanswered(address, str(error.strerror or error) or type(error).__name__) from None


def unanswered(address: str, why: str) -> UserError:
    """Make the error of an address where no cluster answers.

    Args:
        address: Where a Ray cluster is said to be.
        why: What happened instead.

    Returns:
        The error, to be raised.
    """
    return UserError(
        f"no Ray cluster answers at {address}",
        f"why   {why}",
        fix="start one with  ray start --head  and give the address that it prints, or leave --address out to use this "
        "machine alone",
    )
