"""Check that a Ray cluster answers at an address, in seconds: Ray itself tries for minutes."""

from __future__ import annotations

import os
import socket
import threading

from ddbench.errors import UserError

PATIENCE = 5.0
"""Seconds for each of: finding a host, reaching it, and its answer."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How HTTP/2 begins, which Ray speaks, with empty settings; the other side begins with its own."""

_SETTINGS = 4


def require_answer(address: str) -> None:
    """Errors: UserError for what is no HOST:PORT, and where nothing that could be Ray answers."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536) or "//" in address:
        raise UserError(
            f"{address!r} is no address of a Ray cluster",
            fix="write it as HOST:PORT, as ray start --head prints it (6379 is the usual port), or auto",
        )
    try:
        with socket.create_connection((_resolve(host.strip("[]")), int(port)), timeout=PATIENCE) as opened:
            if os.environ.get("RAY_USE_TLS", "0") == "1":
                return
            opened.settimeout(PATIENCE)
            opened.sendall(_PREFACE)
            answer = opened.recv(9)
    except OSError as error:
        raise unanswered(address, str(error.strerror or error) or type(error).__name__) from None
    if len(answer) < 4 or answer[3] != _SETTINGS:
        raise unanswered(address, "something that is not Ray listens there")


def unanswered(address: str, why: str) -> UserError:
    """The error of an address where no cluster answers."""
    return UserError(
        f"no Ray cluster answers at {address}",
        f"why   {why}",
        fix="start one with  ray start --head  and give the address that it prints, or leave --address out to use this "
        "machine alone",
    )


def _resolve(host: str) -> str:
    """A host's number.

    Raises:
        OSError: It has none, or nobody says so in time.
    """
    resolved: list[str] = []
    failed: list[OSError] = []

    def look() -> None:
        try:
            resolved.append(str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]))
        except OSError as error:
            failed.append(error)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(PATIENCE)
    if resolved:
        return resolved[0]
    raise failed[0] if failed else TimeoutError(f"the name {host} is not resolved")
