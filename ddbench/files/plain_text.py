"""Names made harmless before they reach a terminal, a CSV file or a Markdown page."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, TextIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARKDOWN = re.compile(r"([\\`*|<>\[\]])")


def printable(text: str, keep: str = "") -> str:
    """Replace what would not be printed but obeyed, or print as something else.

    Args:
        text: From a file or a stranger.
        keep: Control characters to leave, such as ``"\\n"``.

    Returns:
        The text with control characters (escape sequences, new lines), marks that turn the direction of writing,
        other invisible format characters, private ones and lone surrogates each replaced by ``�``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or unicodedata.category(c) not in _UNPRINTED else "�" for c in text)


def as_page_text(text: str) -> str:
    """Replace characters that no HTML page may hold: controls, lone surrogates, and what Unicode never assigns."""
    return _NOT_IN_PAGES.sub("\ufffd", text)


_NOT_IN_PAGES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_UNPRINTED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class PrintableOutput:
    """A text stream that passes on printable text, new lines and tabs, whatever is written to it.

    Args:
        stream: Where the text goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the printable form of a text.

        Args:
            text: Anything; new lines and tabs are kept.

        Returns:
            Characters written.
        """
        return self._stream.write(printable(text, keep="\n\t"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def csv_cell(text: str) -> str:
    """Make a text harmless for spreadsheets, which run cells that begin like a formula.

    Args:
        text: A name or a note, never a number.

    Returns:
        The printable text, after an apostrophe where it begins with ``=``, ``+``, ``-``, ``@``, or white space that a
        spreadsheet skips; a dash alone says that there is nothing.
    """
    safe = f"'{text}" if text != "-" and text.startswith(_FORMULA) else text
    return printable(safe)


def markdown_cell(text: str) -> str:
    """Escape what Markdown would take for markup, links, tags or the border of a table's cell.

    Args:
        text: A name or a note.

    Returns:
        The printable text, escaped.
    """
    return _MARKDOWN.sub(r"\\\1", printable(text))


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Make a sorting key by which ``images_best_2.pt`` comes before ``images_best_10.pt``.

    Args:
        text: Name of a file, or its path.

    Returns:
        The key.
    """
    parts = re.split(r"([0-9]+)", text)
    return [(1, int(part), "") if part.isdecimal() and part.isascii() else (0, 0, part) for part in parts]
