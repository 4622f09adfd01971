"""What a pickle would call, found by reading its instructions and running none of them."""

from __future__ import annotations

import pickletools
import re
from typing import IO

from ddbench.formats.numbers import NUMBERS

_STORAGES = re.compile(r"torch (\w{1,16}Storage|float(16|32|64)|bfloat16|u?int(8|16|32|64)|bool)")
_NAMES = {
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor", "torch._utils _rebuild_parameter"),
    *("torch.storage UntypedStorage", "torch.storage TypedStorage", "torch Size", "torch device"),
    *("torch.nn.parameter Parameter", "collections OrderedDict", "_codecs encode"),
    *(" ".join(name.rsplit(".", 1)) for _, name in NUMBERS),
}
_MOST_BYTES = 4 * 2**20
_MOST_TUPLES = 20_000
"""Python follows tuples inside tuples on the machine's stack, which a file of nothing but tuples would overrun."""


class PickleScanError(Exception):
    """What a pickle asks for that no file of tensors needs. name: of the thing, where it has one."""

    def __init__(self, why: str, name: str = "") -> None:
        self.name = name
        super().__init__(why)


def scan_pickle(file: IO[bytes]) -> None:
    """Read one pickle to its end, and leave the file there.

    Errors: PickleScanError for anything but tensors, containers and plain numbers, and for far too much of these;
    ValueError where it is damaged.
    """
    tuples = 0
    for instruction, argument, position in pickletools.genops(file):
        tuples += "TUPLE" in instruction.name
        if tuples > _MOST_TUPLES or (position or 0) > _MOST_BYTES:
            raise PickleScanError("it holds far more than a few tensors")
        if instruction.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"):
            raise PickleScanError(f"it uses {instruction.name}, which torch.save never does")
        if instruction.name == "GLOBAL" and argument not in _NAMES and not _STORAGES.fullmatch(str(argument)):
            name = str(argument).replace(" ", ".")
            raise PickleScanError(f"it asks for {name}", name)
