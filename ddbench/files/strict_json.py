"""Reading of JSON without surprises: every key once, finite numbers of bounded length, text that can be printed."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

DEEPEST = 64
"""Levels of lists and mappings in each other."""

_DIGITS = 40
"""Of an integer: those of 128 bits, which the state of a random generator has, are 39."""


def parse_json(content: bytes | str) -> Any:
    """Parse a text of JSON.

    Args:
        content: UTF-8.

    Returns:
        Plain dictionaries, lists, text, numbers, booleans and None.

    Raises:
        ValueError: It is no JSON, or JSON with a key given twice, a number that is not finite or has too many digits,
            more than ``DEEPEST`` levels, a zero character or half of a surrogate pair. The message says which.
    """
    text = content if isinstance(content, str) else content.decode("utf-8")
    try:
        document = json.loads(
            text,
            object_pairs_hook=_each_key_once,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    check_document(document, escapes="\\u" in text)
    return document


_TOO_DEEP = f"it has more than {DEEPEST} levels"


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"it gives the key {twice[:60]!r} twice")
    return mapping


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"it has a number of {len(text)} digits")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def check_document(document: Any, *, escapes: bool = True) -> None:
    """Check that a document can be written as JSON and read again.

    Args:
        document: Dictionaries, lists or tuples, text, numbers, booleans and None.
        escapes: Look at the texts too; only escapes can spell a zero character or half of a surrogate pair.

    Raises:
        ValueError: More than ``DEEPEST`` levels, a zero character or half of a surrogate pair.
    """
    level: list[Any] = [document]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
                if escapes:
                    inner += value.keys()
            elif isinstance(value, list | tuple):
                inner += value
            elif escapes and isinstance(value, str):
                _check_text(value)
        if not inner:
            return
        level = inner
    raise ValueError(_TOO_DEEP)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError(f"the text {text[:60]!r} has a zero character")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError(f"the text {text[:60]!r} has half of a surrogate pair")


def is_count(value: object) -> bool:
    """Check whether a value of a file is a whole number of 0 or more.

    Args:
        value: Anything; a truth value is no number.

    Returns:
        True for such a number.
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
