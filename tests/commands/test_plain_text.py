"""Names from strangers, in a terminal, a spreadsheet and a Markdown page."""

import csv
import io
import unicodedata

import pytest
from helpers.evaluation_makers import make_tiny_row
from hypothesis import given
from hypothesis import strategies as st

from ddbench.evaluate.leaderboard.render import render
from ddbench.files.plain_text import csv_cell, markdown_cell, printable

EVIL = "\x1b[31mred\x1b[0m|a\nb\u202egnp.exe<img src=x onerror=y>[x](javascript:1)"


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert printable(shown) == shown


@pytest.mark.parametrize("name", ["mtt", "tu-NCI1", "données", "猫", "ipc 10 ± 3 · café"])
def test_ordinary_names_are_left(name):
    assert printable(name) == csv_cell(name) == name


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(name):
    assert csv_cell(name).startswith("'")
    (line,) = csv.DictReader(io.StringIO(render([make_tiny_row(label=name)], "csv")))
    assert line["label"] == csv_cell(name) and float(line["accuracy_mean"]) == 0.625


def test_tables_show_a_name_as_it_is_and_nothing_more():
    rows = [make_tiny_row(label=EVIL, dataset="data\x1b[2J", note="note\x1b[2J"), make_tiny_row()]
    for form in ("text", "markdown", "csv"):
        text = render(rows, form, details=True)
        assert "\x1b" not in text and "\u202e" not in text
    body = [line for line in render(rows, "markdown").splitlines() if line.startswith("| ")]
    assert len(body) == 6 and len({line.replace("\\|", "").count("|") for line in body}) == 1
    assert all("<img" not in line.replace("\\<", "") and "[x](" not in line for line in body)


def test_markdown_keeps_what_is_no_markup():
    assert markdown_cell("tu-IMDB_BINARY ± 3") == "tu-IMDB_BINARY ± 3"
    assert markdown_cell("a|b*c*`d`") == "a\\|b\\*c\\*\\`d\\`"


def test_no_command_prints_what_a_terminal_obeys(ddbench, tmp_path):
    row = make_tiny_row(label="\x1b[31mred", method="m\x1b]0;title\x07", dataset="d\x1b[2J", note="n\x1b[2J")
    path = row.save(tmp_path / "home" / "results")
    for arguments in (
        ("info", path),
        ("leaderboard", "--home", tmp_path / "home"),
        ("verify", path, "--home", tmp_path / "home"),
        ("evaluate", tmp_path / "\x1b[31mred.safetensors", "--home", tmp_path / "home"),
    ):
        called = ddbench(*arguments)
        assert not {"\x1b", "\x07"} & {*called.out, *called.err}, arguments
