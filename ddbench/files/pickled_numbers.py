"""numpy's numbers in a ``.pt`` file: understood by two of its names, turned into Python's own."""

from __future__ import annotations

import struct
from pickle import UnpicklingError
from typing import Any, final

_CODES = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "b1": "?"}


@final
class NumberType:
    """Stand-in for ``numpy.dtype`` in a file: one of the plain number types, and nothing else.

    Args:
        code: numpy's short name of the type, such as "f4".
        flags: Further arguments that numpy writes; they have no effect.

    Raises:
        UnpicklingError: Any other type or order of bytes.
    """

    def __init__(self, code: object = None, *flags: object) -> None:
        del flags
        if not isinstance(code, str) or code not in _CODES:
            raise UnpicklingError(f"Unsupported numpy type {str(code)[:20]!r}: only plain numbers are read")
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", "|", "="):
            raise UnpicklingError("Unsupported numpy type: its bytes are in another order")

    def read(self, content: bytes) -> float | int | bool:
        """Turn bytes into the number that they are.

        Args:
            content: As many bytes as the type has.

        Returns:
            A plain Python number.
        """
        return struct.unpack(self.order + _CODES[self.code], content)[0]


def number(kind: object = None, content: object = None) -> float | int | bool:
    """Stand for ``numpy.core.multiarray.scalar`` in a file.

    Args:
        kind: The number's type.
        content: Its bytes.

    Returns:
        A plain Python number.

    Raises:
        UnpicklingError: It is anything but a number.
    """
    raw = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(kind, NumberType) or not hasattr(kind, "code") or not isinstance(raw, bytes) or len(raw) > 8:
        raise UnpicklingError("Unsupported numpy value: only plain numbers are read")
    try:
        return kind.read(raw)
    except struct.error as error:
        raise UnpicklingError(f"a numpy number is damaged: {error}") from None


NUMBERS = [
    (NumberType, "numpy.dtype"),
    (number, "numpy.core.multiarray.scalar"),
    (number, "numpy._core.multiarray.scalar"),
]
"""For ``torch.serialization.safe_globals``: numpy itself is never called by a file."""
