"""Code blocks of the documentation, and a session that runs those that are marked runnable.

A comment before a block marks it: ``<!-- runnable -->`` runs it, ``<!-- file: NAME -->`` writes it to a file.
"""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
FENCE = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    page: str
    """Path of its page under ``docs/``."""
    line: int
    """Of the opening fence, from 1."""
    language: str
    mark: str
    """``runnable``, ``file: NAME``, or empty."""
    text: str

    @property
    def name(self) -> str:
        """For test ids."""
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Every code block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT / "docs").as_posix()
    return [
        Block(name, text.count("\n", 0, m.start("language")) + 1, m["language"], m["mark"] or "", m["text"])
        for m in FENCE.finditer(text)
    ]


ALL_BLOCKS = [block for page in PAGES for block in blocks_of(page)]


class DocSession:
    """Runs the blocks of one page in the current folder; Python blocks share their names."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "docs"}

    def run(self, block: Block) -> None:
        """Run a block, or write it to the file that its mark names."""
        if block.mark.startswith("file: "):
            Path(block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile("\n" * block.line + block.text, block.page, "exec"), self.names)
        else:
            for line in commands_in(block.text):
                self._run_command(line)

    def _run_command(self, line: str) -> None:
        from ddbench.commands import main

        command, _, target = line.partition(" > ")
        words = [w for word in shlex.split(command)[1:] for w in (sorted(glob.glob(word)) if "*" in word else [word])]
        printed = StringIO()
        with methods_restored(), redirect_stdout(printed):
            status = main(words)
        assert status == 0, f"{line} ended with status {status}"
        if target:
            Path(target.strip()).write_text(printed.getvalue(), encoding="utf-8")


@contextmanager
def methods_restored() -> Iterator[None]:
    """Forget methods that are registered meanwhile, as they end with a process elsewhere."""
    from ddbench.methods import METHODS

    tables = METHODS._targets, METHODS._loaded
    before = [dict(table) for table in tables]
    try:
        yield
    finally:
        for table, entries in zip(tables, before, strict=True):
            table.clear()
            table.update(entries)


def commands_in(text: str) -> list[str]:
    """The ``ddbench`` commands of a block: lines that begin with it, after a prompt where there is one."""
    lines = (line.removeprefix("$ ") for line in text.splitlines())
    return [line for line in lines if line.startswith("ddbench ")]
