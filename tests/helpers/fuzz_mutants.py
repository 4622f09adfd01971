"""Ways to damage a file, drawn from a seed: bytes changed, lost, repeated and moved; values of JSON replaced."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

MAGIC = [b"\xff" * 4, b"\x00" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff" * 8, b"\x00", b"\n", b'"', b"NaN"]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1e308, -0.5, "", "x", "9" * 50, [], {}, [[]], {"a": {}}),
    *("../../x", "pyg:os:getcwd", "a" * 3000, "\u202e", "é", [1] * 300, [None], {"kind": "mtt"}),
]
TEXTS = ["NaN", "Infinity", "1e999", "9" * 5000, "[" * 3000, '"\\u0000"', '"\\ud800"', "0x1", "{}{}", "01", "'x'", "//"]


def _place(dice: random.Random, content: bytes) -> int:
    """Any byte; every third time one of the first or last two hundred, where headers and directories are."""
    kind = dice.randrange(6)
    if kind == 0:
        return dice.randrange(min(len(content), 200))
    if kind == 1:
        return len(content) - 1 - dice.randrange(min(len(content), 200))
    return dice.randrange(len(content))


def flipped(dice: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice([1, 1, 1, 2, 8])):
        changed[_place(dice, content)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def truncated(dice: random.Random, content: bytes) -> bytes:
    return content[: _place(dice, content)]


def deleted(dice: random.Random, content: bytes) -> bytes:
    context = _place(dice, content)
    return content[:context] + content[context + dice.choice([1, 4, 64, 512]) :]


def duplicated(dice: random.Random, content: bytes) -> bytes:
    context = _place(dice, content)
    end = context + dice.choice([1, 4, 64, 512])
    return content[:end] + content[context:end] + content[end:]


def spliced(dice: random.Random, content: bytes) -> bytes:
    source, target, length = _place(dice, content), _place(dice, content), dice.choice([4, 16, 128])
    piece = content[source : source + length]
    return content[:target] + piece + content[target + len(piece) :]


def zeroed(dice: random.Random, content: bytes) -> bytes:
    context = _place(dice, content)
    gone = content[context : context + dice.choice([4, 64, 512, 4096])]
    return content[:context] + bytes(len(gone)) + content[context + len(gone) :]


def overwritten(dice: random.Random, content: bytes) -> bytes:
    context, piece = _place(dice, content), dice.choice(MAGIC)
    return content[:context] + piece + content[context + len(piece) :]


def replaced(dice: random.Random, content: bytes) -> bytes:
    return dice.choice([b"", b"\x00" * len(content), dice.randbytes(min(len(content), 3000)), b"{}", b"[]", b"null"])


BYTES: list[Callable[[random.Random, bytes], bytes]] = [
    *(flipped, flipped, truncated, deleted, duplicated, spliced, zeroed, overwritten, replaced)
]


def mutated(dice: random.Random, content: bytes) -> bytes:
    """Bytes that are not those of the file."""
    for _ in range(20):
        changed = dice.choice(BYTES)(dice, content)
        if changed != content:
            return changed
    return content + b"\x00"


def _holders(document: Any) -> list[tuple[Any, Any]]:
    """Every mapping or list with a key of it."""
    found, left = [], [document]
    while left:
        value = left.pop()
        keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        found += [(value, key) for key in keys]
        left += [value[key] for key in keys]
    return found


def mutated_document(dice: random.Random, document: Any) -> Any:
    """The JSON document with one to three values, keys or their order changed."""
    changed = copy.deepcopy(document)
    for _ in range(dice.choice([1, 1, 1, 3])):
        holders = _holders(changed)
        if not holders:
            return dice.choice(VALUES)
        holder, key = dice.choice(holders)
        kind = dice.randrange(8)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[dice.choice(["", "x", f"{key}s", key.upper()])] = holder.pop(key)
        elif kind == 2 and isinstance(holder[key], str) and holder[key]:
            at = dice.randrange(len(holder[key]))
            holder[key] = holder[key][:at] + dice.choice("09azé ") + holder[key][at + 1 :]
        elif kind == 3 and type(holder[key]) in (int, float):
            holder[key] = dice.choice(
                [-holder[key], holder[key] * 10, holder[key] + 1, str(holder[key]), [holder[key]]]
            )
        elif kind == 4:
            other, name = dice.choice(holders)
            holder[key] = copy.deepcopy(other.get(name) if isinstance(other, dict) else VALUES[0])
        else:
            holder[key] = copy.deepcopy(dice.choice(VALUES))
    return changed


def mutated_json(dice: random.Random, content: bytes) -> bytes:
    """A file of JSON of which a value, a key or the text was changed."""
    kind = dice.randrange(6)
    if kind == 0:
        return mutated(dice, content)
    document = json.loads(content)
    if kind in (1, 2):
        marker = "a value that stands nowhere"
        holders = _holders(document)
        if holders:
            holder, key = dice.choice(holders)
            if kind == 1:
                holder[key] = marker
                return json.dumps(document).replace(json.dumps(marker), dice.choice(TEXTS)).encode()
            if isinstance(holder, dict):
                twice = json.dumps({**holder, marker: dice.choice(VALUES)}).replace(json.dumps(marker), json.dumps(key))
                return json.dumps(document).replace(json.dumps(holder), twice, 1).encode()
    return json.dumps(mutated_document(dice, document)).encode()
