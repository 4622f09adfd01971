"""A domain that a plugin registers goes through the same commands as images and graphs."""

import json

import pytest
from helpers import table_domain
from helpers.command_line import Ddbench, written

import ddbench as package
from ddbench.data.sources import SOURCES
from ddbench.evaluate.leaderboard.row import load_rows
from ddbench.methods import METHODS
from ddbench.pipeline.domains import DOMAINS

RECIPE = """\
dataset: wine
network: linear
ipc: [1, 2]
methods:
  class-means:
evaluation: {seeds: 2}
"""


@pytest.fixture(autouse=True)
def tables(monkeypatch):
    """The domain, for one test."""
    for registry in (DOMAINS, METHODS):
        registry.names()
        monkeypatch.setattr(registry, "_targets", dict(registry._targets))
        monkeypatch.setattr(registry, "_loaded", dict(registry._loaded))
    monkeypatch.setitem(SOURCES, "wine", None)  # goes with the test
    table_domain.register()


@pytest.fixture
def ran(tmp_path, ddbench: Ddbench):
    """The home in which the recipe was run, and the recipe."""
    recipe = written(tmp_path, RECIPE)
    ddbench.done("run", recipe, "--home", tmp_path / "home", "--quiet")
    return tmp_path / "home", recipe


def sets_of(home):
    return sorted(home.glob("runs/wine-ipc*-class-means-*/synthetic.safetensors"))


def test_rows_say_their_domain(ran):
    rows = load_rows([ran[0] / "results"])
    assert [(row.domain, row.dataset, row.ipc, len(row.accuracy)) for row in rows] == [
        ("tables", "wine", 1, 2),
        ("tables", "wine", 2, 2),
    ]
    assert all(row.accuracy_mean > 0.8 for row in rows)


def test_a_finished_run_does_nothing_again(ran, ddbench: Ddbench):
    home, recipe = ran
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    assert "train 118 rows, test 60 rows" in ddbench.done("run", recipe, "--home", home)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()} == before


def test_evaluate_takes_a_recipe_or_a_set(ran, ddbench: Ddbench):
    home, recipe = ran
    of_recipe = json.loads(ddbench.done("evaluate", recipe, "--home", home, "--format", "json"))
    (of_set,) = json.loads(ddbench.done("evaluate", sets_of(home)[0], "--home", home, "--format", "json"))
    assert len(of_recipe) == 2 and of_set["accuracy"] in [line["accuracy"] for line in of_recipe]
    assert "--lr is about images" in ddbench.refused("evaluate", sets_of(home)[0], "--home", home, "--lr", "search")


def test_leaderboard_as_text_and_as_page(ran, ddbench: Ddbench):
    home, _ = ran
    assert "class-means" in ddbench.done("leaderboard", "--home", home)
    assert (home / ddbench.done("leaderboard", "--home", home, "--format", "html").strip()).stat().st_size > 10_000


def test_verify_takes_a_row_or_a_set(ran, ddbench: Ddbench):
    home, _ = ran
    for target in (*sorted((home / "results").rglob("*.json")), sets_of(home)[0]):
        assert "verified: identical" in ddbench.done("verify", target, "--home", home)


def test_show_and_info(ran, ddbench: Ddbench):
    home, _ = ran
    path = sets_of(home)[0]
    assert path.with_suffix(".png").exists()
    assert ddbench.done("show", path, "--home", home, "--out", home / "a.png").strip() == str(home / "a.png")
    assert json.loads(ddbench.done("info", path))["checksum"] == "verified"


def test_plan_and_lists(ran, ddbench: Ddbench):
    home, recipe = ran
    plan = json.loads(ddbench.done("plan", recipe, "--home", home, "--format", "json"))
    assert [line["there"] for line in plan["sets"]] == ["yes", "yes"]
    assert "wine" in ddbench.done("datasets") and "class-means" in ddbench.done("methods")


def test_methods_of_other_domains_are_refused(ran, ddbench: Ddbench):
    home, recipe = ran
    says = ddbench.refused("run", recipe, "--home", home, "-o", "methods={random: {}}")
    assert "random distills images, and wine is a set of tables" in says
    assert "is about images, and wine is a set of tables" in ddbench.refused("buffer", recipe, "--home", home)


def test_the_same_from_python(ran):
    real = package.load_dataset("wine", home=ran[0])
    syn = package.distill("class-means", real, ipc=1, drawn=3)
    assert syn.rows.shape == (3, 13) and syn.provenance["real_fingerprint"] == real.fingerprint
    assert [row.domain for row in package.run(ran[1], home=ran[0], progress=False)] == ["tables", "tables"]
