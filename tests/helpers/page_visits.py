"""The leaderboard page opened in a real browser, and what is seen there."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from ddbench.evaluate.leaderboard.page import page, row_key
from helpers.page_makers import some_rows, tiny_picture

ROWS = some_rows()
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install -e .[test]"
    )
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    flags = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "leaderboard.html"
    pictures = {"mtt-digits-1-None": tiny_picture(), "datm-cifar10-10-None": tiny_picture()}
    path.write_text(page(ROWS, pictures, {row_key(ROWS[0]): "results/a.json"}), encoding="utf-8")
    return path


@pytest.fixture
def visit(chromium, file):
    """Opens the page in a context of its own; whatever the page complains of, or asks for, is an error."""
    opened, complaints = [], []

    @contextmanager
    def watched():
        yield
        for context in opened:
            context.close()
        assert complaints == []

    def go(hash="", path=file, **how):
        context = chromium.new_context(**{"viewport": {"width": 1400, "height": 900}, **how})
        opened.append(context)
        tab = context.new_page()
        tab.set_default_timeout(5000)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("requestfailed", lambda request: complaints.append(request.url[:80]))
        tab.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
        tab.goto(path.as_uri() + hash)
        return tab

    with watched():
        yield go


def shown(tab, column=0):
    """The cells of a column in the rows that are seen, from top to bottom."""
    return tab.evaluate(
        "column => [...document.querySelectorAll('#board tbody tr[data-key]')].filter(row => row.checkVisibility())"
        ".map(row => row.cells[column].dataset.value ?? null)",
        column,
    )


def status(tab):
    return tab.locator("#status").text_content()


def groups(tab):
    """What the bodies of the table are about, and the honest accuracies in each, from top to bottom."""
    found = tab.evaluate(
        "[...document.querySelectorAll('#board tbody')].map(body => [body.rows[0], [...body.rows]])"
        ".map(([first, rows]) => [[4, 5, 6, 7].map(n => first.cells[n].textContent).join(), "
        "rows.filter(row => !row.matches('.oracle')).map(row => Number(row.cells[1].dataset.value))])"
    )
    return [name for name, _ in found], [values for _, values in found]
