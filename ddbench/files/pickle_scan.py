"""Reading the instructions of a pickle without running any: what it would call, and how deep it nests."""

from __future__ import annotations

import pickletools
import re
from typing import IO, Any

from ddbench.files.pickled_numbers import NUMBERS

_STORAGES = re.compile(r"torch (\w{1,16}Storage|float(16|32|64)|bfloat16|u?int(8|16|32|64)|bool)")
_NAMES = {
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor", "torch._utils _rebuild_parameter"),
    *("torch.storage UntypedStorage", "torch.storage TypedStorage", "torch Size", "torch device"),
    *("torch.nn.parameter Parameter", "collections OrderedDict", "_codecs encode"),
    *(" ".join(name.rsplit(".", 1)) for _, name in NUMBERS),
}
_NEVER_WRITTEN = ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX", "DUP", "PERSID")
MOST_BYTES = 4 * 2**20
_DEEPEST = 10_000
"""Python hashes tuples inside tuples on the machine's stack, which some 200,000 of them overrun."""

_MOST_SKIPPED = 100_000


class PickleScanError(Exception):
    """Raised for what a pickle contains and no file of tensors needs.

    Args:
        why: The fault, in words.
        name: Name of what the pickle would call; "" where it has none.
    """

    def __init__(self, why: str, name: str = "") -> None:
        self.name = name
        super().__init__(why)


def scan_pickle(file: IO[bytes], most_bytes: int = MOST_BYTES) -> None:
    """Read one pickle to its end, and leave the file there.

    Args:
        file: Where the pickle begins.
        most_bytes: How long its instructions may be.

    Raises:
        PickleScanError: For anything but tensors, containers and plain numbers, for far too much of these, and for
            nesting that could overrun the stack.
        ValueError: Where it is damaged.
    """
    nesting, begin = _Nesting(), file.tell()
    for instruction, argument, position in pickletools.genops(file):
        name = instruction.name
        if (position or 0) - begin > most_bytes:
            raise PickleScanError("it holds far more than a few tensors")
        if name in _NEVER_WRITTEN:
            raise PickleScanError(f"it uses {name}, which torch.save never does")
        if name == "GLOBAL" and argument not in _NAMES and not _STORAGES.fullmatch(str(argument)):
            called = str(argument).replace(" ", ".")
            raise PickleScanError(f"it asks for {called}", called)
        try:
            nesting.follow(name, argument)
        except IndexError:
            raise ValueError(f"{name} takes more from the stack than is there") from None


class _Nesting:
    """An upper bound on how deep the values nest that a pickle builds, followed instruction by instruction.

    The stack holds a depth for each value, 0 for plain ones. A container that comes from the memo again could have
    grown since it was put there, so it counts as deep as anything so far, and nothing may be added to it.
    """

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._marks: list[int] = []
        self._memo: dict[int, int] = {}
        self._again: set[int] = set()
        """Places of the stack whose value came from the memo and may be a container."""
        self._deepest = 0

    def follow(self, name: str, argument: Any) -> None:
        """Take one more instruction into account.

        Raises:
            IndexError: Where the stack has not what it takes.
            PickleScanError: Where values nest too deeply, or a finished container is added to.
        """
        if name in ("PROTO", "FRAME", "STOP"):
            return
        if name == "MARK":
            self._marks.append(len(self._stack))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._remember(len(self._memo) if name == "MEMOIZE" else argument)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._recall(argument)
        elif name in ("TUPLE", "LIST", "DICT", "FROZENSET"):
            self._push(1 + max(self._pop_to_marker(), default=0))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self._push(1 + max(self._take(int(name[-1]))))
        elif name in ("EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"):
            self._push(1)
        elif name in ("APPENDS", "SETITEMS", "ADDITEMS"):
            self._add(self._pop_to_marker())
        elif name in ("APPEND", "BUILD"):
            self._add(self._take(1))
        elif name == "SETITEM":
            self._add(self._take(2))
        elif name in ("REDUCE", "NEWOBJ"):
            self._push(1 + max(self._take(2)))
        elif name == "BINPERSID":
            self._take(1)
            self._push(0)
        elif name == "POP":
            self._marks.pop() if self._marks and self._marks[-1] == len(self._stack) else self._take(1)
        elif name == "POP_MARK":
            self._pop_to_marker()
        else:
            self._push(0)

    def _push(self, depth: int) -> None:
        self._deepest = max(self._deepest, depth)
        if depth > _DEEPEST:
            raise PickleScanError(f"it nests values far more than a file of tensors does, over {_DEEPEST} deep")
        self._stack.append(depth)

    def _take(self, count: int) -> list[int]:
        if len(self._stack) - (self._marks[-1] if self._marks else 0) < count:
            raise IndexError(count)
        taken = self._stack[-count:]
        del self._stack[-count:]
        if self._again:
            self._again.difference_update(range(len(self._stack), len(self._stack) + count))
        return taken

    def _pop_to_marker(self) -> list[int]:
        count = len(self._stack) - self._marks[-1]
        self._marks.pop()
        return self._take(count) if count else []

    def _add(self, depths: list[int]) -> None:
        """Put values into the container below them."""
        if len(self._stack) - 1 in self._again:
            raise PickleScanError("it adds to a value that is finished, which torch.save never does")
        (depth,) = self._take(1)
        self._push(max(depth, 1 + max(depths, default=0)))

    def _remember(self, context: int) -> None:
        if not 0 <= context <= len(self._memo) + _MOST_SKIPPED:  # a reader makes room for all places up to this one
            raise PickleScanError(f"it remembers a value at place {context}, which torch.save never does")
        self._memo[context] = self._stack[-1]

    def _recall(self, context: int) -> None:
        if context not in self._memo:
            raise ValueError(f"it recalls a value from place {context}, where none is")
        container = self._memo[context] > 0
        self._push(self._deepest if container else 0)
        if container:
            self._again.add(len(self._stack) - 1)
