"""The tensors that the pickle of a ``.pt`` archive describes, held against the records that store their numbers."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ddbench.files.strict_json import is_count

_ITEM_BYTES = {
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    "ComplexDoubleStorage": 16,
    **dict.fromkeys(("ByteStorage", "CharStorage", "BoolStorage", "UntypedStorage"), 1),
}


class TensorRecordError(ValueError):
    """A tensor that its records do not hold."""


def check_records(content: bytes, records: Mapping[str, int]) -> None:
    """See that every storage of a scanned pickle is a record of exactly its bytes, and every tensor lies within it.

    torch maps what a pickle claims, not what a record has, so a file that claims more would read what lies behind.

    Args:
        content: The pickle, which ``scan_pickle`` let through.
        records: Bytes of each record by its name, such as ``"0"`` of ``archive/data/0``.

    Raises:
        TensorRecordError: For a storage without a record, of another length, or a tensor that reaches beyond it.
        Exception: Whatever a damaged pickle makes Python's reader raise.
    """
    _Records(io.BytesIO(content), records).load()


@dataclass(frozen=True)
class _Kind:
    item_bytes: int


@dataclass(frozen=True)
class _Storage:
    items: int


class _Inert:
    """Stands for everything that is no tensor; takes any arguments and any state."""

    def __init__(self, *arguments: object) -> None:
        del arguments

    def __setstate__(self, state: object) -> None:
        del state


class _Dictionary(dict[Any, Any]):
    """Stands for an ordered dictionary, which a network's state gives attributes."""

    def __setstate__(self, state: object) -> None:
        del state


class _Records(pickle.Unpickler):
    """Python's unpickler, for which every name is one of this module's."""

    def __init__(self, file: io.BytesIO, records: Mapping[str, int]) -> None:
        super().__init__(file, encoding="bytes")
        self._records = records

    def find_class(self, module: str, name: str, /) -> Any:
        made: dict[str, Callable[..., Any]] = {
            "_rebuild_tensor_v2": _tensor,
            "_rebuild_tensor": _tensor,
            "_rebuild_parameter": _Inert,
            "OrderedDict": _Dictionary,
        }
        if name.endswith("Storage"):
            if name not in _ITEM_BYTES:
                raise TensorRecordError(f"it stores numbers as {name}")
            return _Kind(_ITEM_BYTES[name])
        return made.get(name, _Inert)

    def persistent_load(self, pid: Any, /) -> _Storage:
        _, kind, key, _, items, *_ = pid
        key = key.decode() if isinstance(key, bytes) else key
        if not isinstance(kind, _Kind) or not is_count(items) or self._records.get(key) != items * kind.item_bytes:
            raise TensorRecordError(f"record {str(key)[:20]!r} is not as long as the tensors that lie in it say")
        return _Storage(items)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: object) -> _Inert:
    """A tensor's place in its storage, in elements.

    Raises:
        TensorRecordError: It reaches beyond.
    """
    del rest
    whole = [offset, *size, *stride]
    if not isinstance(storage, _Storage) or len(size) != len(stride) or not all(map(is_count, whole)):
        raise TensorRecordError("a tensor's shape is damaged")
    last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True))
    if 0 not in size and last >= storage.items:
        raise TensorRecordError(f"a tensor of shape {tuple(size)} reaches beyond its {storage.items} numbers")
    return _Inert()
