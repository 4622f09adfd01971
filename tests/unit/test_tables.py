"""One table in five forms."""

import csv
import io
import json

import pytest

from ddbench.errors import UserError
from ddbench.files.tables import FORMS, Heading, Report, Table, csv_text, table_of

TABLE = Table(heads=["method", "ipc"], rows=[["mtt *", "1"], [], ["a|b", "10"]], left=("method",), title="digits")
REPORT = Report(
    blocks=[Heading("digits"), TABLE, "a note\nof two lines"],
    records=[{"method": "=mtt", "ipc": 1, "std": None}, {"method": "dm", "ipc": 10, "std": 0.25}],
    document={"method": "mtt"},
)


def test_text_is_aligned_and_has_no_space_at_the_end_of_a_line():
    assert TABLE.text().splitlines() == ["digits", "method  ipc", "mtt *     1", "", "a|b      10"]


def test_a_ruled_table_has_dashes_and_cells_of_several_lines():
    table = Table(heads=["name", "what"], rows=[["one", "first\nsecond"], ["two", ""]], ruled=True)
    assert table.text().splitlines() == ["name  what", "----  ------", "one   first", "      second", "two"]


def test_markdown_escapes_what_is_not_escaped_and_leaves_gaps_out():
    lines = TABLE.markdown().splitlines()
    assert lines[:4] == ["### digits", "", "| method | ipc |", "| --- | ---: |"]
    assert lines[4:] == [r"| mtt \* | 1 |", r"| a\|b | 10 |"]


def test_latex_names_columns_and_escapes_cells():
    table = Table(heads=["a_b", "c"], rows=[["50 %", "0.5 ± 0.1"]], left=("a_b",), title="digits")
    text = table.latex()
    assert text.startswith("% digits\n\\begin{tabular}{lr}\n\\toprule\n") and text.endswith("\\end{tabular}")
    assert r"a\_b & c \\" in text and r"50 \% & 0.5 $\pm$ 0.1 \\" in text


def test_csv_makes_formulas_harmless_and_keeps_whole_numbers_whole():
    lines = list(csv.reader(io.StringIO(REPORT.write("csv"))))
    assert lines == [["method", "ipc", "std"], ["'=mtt", "1", ""], ["dm", "10", "0.25"]]
    assert csv_text([], ("a", "b")) == "a,b" and csv_text([{"a": "-"}]) == "a\n-"


def test_a_report_has_every_form_and_refuses_another():
    texts = {form: REPORT.write(form) for form in FORMS}
    assert json.loads(texts["json"]) == {"method": "mtt"}
    assert texts["text"].startswith("digits\n\ndigits\n") and texts["markdown"].startswith("### digits\n\n### digits")
    assert texts["latex"].endswith("% a note\n% of two lines")
    with pytest.raises(UserError, match="did you mean 'latex'"):
        REPORT.write("latx")


def test_rows_that_lack_a_column_leave_it_empty():
    assert table_of([{"a": "1"}, {"b": "2"}]).rows == [["1", ""], ["", "2"]]
