"""HTML that can not be broken by what it shows: text is escaped unless it was made here."""

from __future__ import annotations

import html
import json
import re
from typing import Any


class Html(str):
    """Markup that is ready for the page."""


def text(value: object) -> Html:
    """Anything as text of the page. Control characters and lone surrogates, which no page may hold, are replaced."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(_FORBIDDEN.sub("\ufffd", str(value)), quote=True))


def tag(name: str, *inside: object, **attributes: object) -> Html:
    """An element. Attributes: ``class_`` is class, ``data_x`` data-x; True stands alone, None and False fall out."""
    said = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{join(*inside)}</{name}>")


def join(*parts: object, by: str = "") -> Html:
    return Html(by.join(text(part) for part in parts))


def name_of(value: object) -> Html:
    """A name that somebody else chose: its direction of writing stays its own."""
    return tag("bdi", value)


def capital(words: str) -> str:
    """Words as the beginning of a title."""
    return words[:1].upper() + words[1:]


def script_json(document: Any) -> Html:
    """A JSON document for the inside of a script element, which no string in it can end.

    Raises:
        ValueError: Numbers that JSON does not have.
    """
    plain = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return Html(plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_VOID = {"img", "input", "meta", "br"}
