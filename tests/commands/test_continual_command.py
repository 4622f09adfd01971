"""``ddbench continual`` on digits: the curve, its files, its picture, going on, and what it refuses."""

import json
import re

import pytest
from helpers.command_line import only, times, written

from ddbench.commands import main

FAST = ("--epochs", "1", "--networks", "1", "--quiet")


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    """A home in which the tiny recipe was evaluated in five steps, and what was printed."""
    folder = tmp_path_factory.mktemp("continual")
    recipe, home, picture = written(folder), folder / "home", folder / "curve.png"
    arguments = ["continual", str(recipe), "--home", str(home), "--plot", str(picture), *FAST]
    assert main(arguments) == 0
    return recipe, home, picture


def documents(home, pattern):
    return {path.name: json.loads(path.read_text()) for path in (home / "continual" / "digits").glob(pattern)}


def test_the_curves_of_a_recipe(continued):
    _, home, picture = continued
    assert picture.read_bytes()[:4] == b"\x89PNG"
    steps = documents(home, "*-order0-step*of5-*.json")
    assert len(steps) == 2 * 5
    for document in steps.values():
        asked = document["question"]
        assert asked["seen"] == [2, 8, 4, 9, 1, 6, 7, 3, 0, 5][: 2 * (asked["step"] + 1)]
        assert document["memory_images"] == len(asked["seen"])
        assert (asked["protocol"], asked["epochs"], asked["seeds"]) == ("dsa-v1", 1, [0])
    curves = documents(home, "curve-*.json")
    assert {curve["method"] for curve in curves.values()} == {"random", "mtt"}
    for curve in curves.values():
        assert curve["classes_seen"] == [2, 4, 6, 8, 10]
        assert all(part in steps for part in curve["parts"])
    runs = sorted(path.name for path in (home / "runs").iterdir())
    assert len(runs) == 10 and len(list((home / "buffers").iterdir())) == 5


def test_the_same_command_goes_on_where_it_was(continued, ddbench):
    recipe, home, _ = continued
    before = times(home)
    table = ddbench.done("continual", recipe, "--home", home, *FAST)
    assert times(home) == before
    assert " ".join(table.split()[:13]) == "method ipc 2 classes 4 classes 6 classes 8 classes 10 classes average"
    gone = only(home, "continual/digits/mtt-ipc1-order0-step3of5-*.json")
    told = json.loads(gone.read_text())
    gone.unlink()
    ddbench.done("continual", recipe, "--home", home, *FAST)
    again = json.loads(gone.read_text())
    assert {**again, "seconds": 0} == {**told, "seconds": 0}
    assert {path for path, when in times(home).items() if before.get(path) != when} == {str(gone.relative_to(home))}


def test_one_method_and_a_bound_as_json(continued, ddbench):
    recipe, home, _ = continued
    arguments = ("--method", "random", "--bound", "--steps", "2", "--orders", "2", "--format", "json", *FAST)
    curves = json.loads(ddbench.done("continual", recipe, "--home", home, *arguments))
    assert [curve["method"] for curve in curves] == ["random", "real"]
    assert [curve["ipc"] for curve in curves] == [1, None]
    assert all(curve["classes_seen"] == [5, 10] and curve["orders"] == [0, 1] for curve in curves)
    assert curves[1]["memory_images"][-1] > 1000


def test_a_whole_set_is_parted_and_says_that_it_knew_all_classes(home, ddbench):
    run = only(home, "runs/digits-ipc1-mtt-*")
    said = ddbench.done("continual", run, "--home", home, "--steps", "3", "--epochs", "1", "--networks", "1")
    assert re.search("4 classes +7 classes +10 classes", said)
    assert "distilled from all classes at once" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps", "11"), "10 classes can not come in 11 steps"),
        (("--steps", "0"), "steps"),
        (("--protocol", "dsa"), "no protocol 'dsa'"),
        (("--protocol", "sre2l-v1"), "classes that have not come yet"),
        (("--method", "herding"), "no method in this recipe 'herding'"),
        (("--network", "convnett"), "no network 'convnett'"),
    ],
)
def test_bad_questions_are_refused_before_anything_is_trained(recipe, tmp_path, ddbench, arguments, message):
    assert message in ddbench.refused("continual", recipe, "--home", tmp_path / "home", "--quiet", *arguments)
    assert not (tmp_path / "home" / "runs").exists()


def test_a_set_takes_no_recipes_options(home, ddbench):
    run = only(home, "runs/digits-ipc1-mtt-*")
    assert "is a file of images" in ddbench.refused("continual", run, "--home", home, "-o", "ipc=2")


def test_runs_of_other_images_are_refused(continued, ddbench, monkeypatch):
    recipe, home, _ = continued
    monkeypatch.setattr("ddbench.pipeline.continual_sets.subset_fingerprint", lambda real, classes: "others")
    error = ddbench.refused("continual", recipe, "--home", home, *FAST)
    assert "was made with another real images" in error
