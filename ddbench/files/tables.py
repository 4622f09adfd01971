"""Tables and reports as text for a terminal, Markdown, CSV, JSON or LaTeX."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ddbench.errors import unknown
from ddbench.files.plain_text import csv_cell, markdown_cell, printable

FORMS = ("text", "markdown", "csv", "json", "latex")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells that are shown to people."""

    heads: Sequence[str]
    """Name of each column."""
    rows: Sequence[Sequence[str]]
    """Cells of each row; an empty row is a gap."""
    left: Collection[str] | None = None
    """Columns that are aligned at the left; None is all."""
    title: str = ""
    """Title that stands above the table; empty for none."""
    ruled: bool = False
    """Whether a line of dashes divides heads and rows of a text."""
    escaped: bool = False
    """Whether the cells are Markdown already, for a report in that form."""

    def text(self) -> str:
        """Lay the table out for a terminal; cells may have several lines.

        Returns:
            Lines, without an end of line after the last.
        """
        split = [[cell.split("\n") for cell in row] for row in (self.heads, *self.rows)]
        widths = [max(map(len, (line for row in split if row for line in row[i]))) for i in range(len(self.heads))]
        lines = [[self._aligned(line, widths) for line in _split_row(row)] or [""] for row in split]
        if self.ruled:
            lines.insert(1, ["  ".join("-" * width for width in widths)])
        return "\n".join([*filter(None, [self.title]), *(line for row in lines for line in row)])

    def markdown(self) -> str:
        """Write the table in Markdown, with names of others escaped.

        Returns:
            Lines, without an end of line after the last.
        """
        escape = str if self.escaped else markdown_cell
        rule = ["---" if self._is_left(head) else "---:" for head in self.heads]
        body = [[" ".join(escape(cell).split()) for cell in row] for row in (self.heads, *self.rows) if row]
        lines = ["| " + " | ".join(row) + " |" for row in (body[0], rule, *body[1:])]
        return "\n".join([*([f"### {markdown_cell(self.title)}", ""] if self.title else []), *lines])

    def latex(self) -> str:
        """Write the table in LaTeX; it needs the package ``booktabs``.

        Returns:
            Lines, without an end of line after the last.
        """
        import pandas

        body = [[" ".join(cell.split()) for cell in row] for row in self.rows if row]
        text = pandas.DataFrame(body, columns=[head.strip() for head in self.heads]).to_latex(
            index=False,
            escape=True,
            column_format="".join("l" if self._is_left(head) else "r" for head in self.heads),
        )
        heading = [f"% {printable(self.title)}"] if self.title else []
        return "\n".join([*heading, printable(text.strip(), keep="\n").replace("±", r"$\pm$")])

    def _is_left(self, head: str) -> bool:
        return self.left is None or head in self.left

    def _aligned(self, texts: Sequence[str], widths: Sequence[int]) -> str:
        cells = zip(texts, self.heads, widths, strict=True)
        return "  ".join(
            cell.ljust(width) if self._is_left(head) else cell.rjust(width) for cell, head, width in cells
        ).rstrip()


def _split_row(row: Sequence[Sequence[str]]) -> list[list[str]]:
    """The lines of a row whose cells have several."""
    height = max(map(len, row), default=0)
    return [[cell[i] if i < len(cell) else "" for cell in row] for i in range(height)]


class Heading(str):
    """A title of a report, which is more than a paragraph in Markdown."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A result in every form: blocks for people, records for programs."""

    blocks: Sequence[Table | Heading | str]
    """Tables, headings and paragraphs, in order."""
    records: Sequence[Mapping[str, Any]] = ()
    """One object a line of a CSV file."""
    document: Any = None
    """Everything, as JSON."""
    columns: Sequence[str] | None = field(default=None)
    """Columns of the CSV file; None is those of the records."""

    def write(self, form: str) -> str:
        """Write the report, without a newline at its end.

        Args:
            form: One of ``FORMS``.

        Returns:
            The report's text.

        Raises:
            UserError: Another form.
        """
        if form not in FORMS:
            raise unknown("format", form, FORMS)
        if form == "json":
            return json.dumps(self.document, indent=2)
        if form == "csv":
            return csv_text(self.records, self.columns)
        return "\n\n".join(_BLOCKS[form](block) for block in self.blocks if form != "latex" or block)


def _text(block: Table | str) -> str:
    return block.text() if isinstance(block, Table) else block


def _markdown(block: Table | str) -> str:
    if isinstance(block, Table):
        return block.markdown()
    return f"### {markdown_cell(block)}" if isinstance(block, Heading) else block


def _latex(block: Table | str) -> str:
    return block.latex() if isinstance(block, Table) else "\n".join(f"% {line}" for line in block.split("\n"))


_BLOCKS = {"text": _text, "markdown": _markdown, "latex": _latex}


def csv_text(records: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Write records as CSV with a line of column names; what is None is empty.

    Args:
        records: One object a line; texts that a spreadsheet would run are made harmless.
        columns: Columns to write; None is those of the records.

    Returns:
        The lines, without a newline at their end.
    """
    import pandas

    safe = [{k: csv_cell(v) if isinstance(v, str) else v for k, v in record.items()} for record in records]
    table = pandas.DataFrame(safe, columns=None if columns is None else list(columns), dtype=object)
    return table.to_csv(index=False, lineterminator="\n").rstrip("\n")


def table_of(rows: Sequence[Mapping[str, str]], **options: Any) -> Table:
    """Make a table of rows by column name.

    Args:
        rows: Cells by column; a row may lack some.
        options: Fields of :class:`Table`.

    Returns:
        The table, its columns in the order in which they first appear.
    """
    heads = list(dict.fromkeys(head for row in rows for head in row))
    return Table(heads=heads, rows=[[row.get(head, "") for head in heads] for row in rows], **options)
