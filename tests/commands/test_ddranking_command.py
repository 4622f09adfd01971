"""``ddbench ddranking``: from a synthetic set to scores, from a measurement to scores of another weight."""

import csv
import io
import json
import shutil

import pytest
from helpers.command_line import only

from ddbench.evaluate.ddranking.measurement import load_measurement
from ddbench.evaluate.ddranking.scores import exponential_score

QUICK = ("--epochs", "2", "--seeds", "2", "--rates", "0.01,0.1", "--quiet")


@pytest.fixture(scope="module")
def measured(finished_home, tmp_path_factory):
    """A home with one measurement of the tiny recipe's MTT, and the set's folder."""
    from ddbench.commands import main

    home, run = tmp_path_factory.mktemp("measured"), only(finished_home / "runs", "*mtt*")
    assert main(["ddranking", str(run), "--home", str(home), "--ars", "--real-accuracy", "0.95", *QUICK]) == 0
    return home, run


@pytest.fixture
def file(measured):
    return only(measured[0] / "ddranking", "*/*/*.json")


def test_measures_saves_and_prints(ddbench, measured, file):
    home, run = measured
    found = load_measurement(file)
    assert (found.method, found.dataset, found.ipc, found.track, found.trainings) == ("mtt", "digits", 1, "hard", 16)
    assert file.parent.name == "ipc1" and len(list((home / "ddranking" / "trainings").iterdir())) == 16
    out = ddbench.done("ddranking", run, "--home", home, "--ars", "--real-accuracy", "0.95", *QUICK)
    assert "mtt · digits · ipc 1 · convnet-d1-w4 · hard track" in out and "ARS" in out and "given" in out
    assert "trained for 2 epochs" in out and "printed" not in out
    assert len(list((home / "ddranking" / "trainings").iterdir())) == 16 and load_measurement(file) == found


def test_weights_are_changed_without_training(ddbench, measured, file):
    before = file.read_bytes()
    found = load_measurement(file)
    (shown,) = json.loads(ddbench.done("ddranking", file, "--weight", "0.7", "--ars-weight", "0", "--format", "json"))
    for hlr, ior, alpha, lrs in zip(*(shown["derived"][name] for name in ("hlr", "ior", "alpha", "lrs")), strict=True):
        assert alpha == pytest.approx(0.7 * ior - 0.3 * hlr) and lrs == pytest.approx(exponential_score(alpha))
    assert shown["derived"]["beta"] == shown["derived"]["gain_without"]
    assert shown["derived"]["hlr"] == list(found.label_robustness.hlr) and file.read_bytes() == before


def test_columns_of_the_leaderboard(ddbench, file):
    lines = list(csv.DictReader(io.StringIO(ddbench.done("ddranking", file, file, "--format", "csv"))))
    assert list(lines[0]) == ["method", "ref", "verified", "date", "dataset", "ipc", "label_type", "hlr", "ior"]
    found = load_measurement(file).label_robustness
    assert len(lines) == 2 and lines[0] == lines[1]
    assert (lines[0]["method"], lines[0]["ipc"], lines[0]["label_type"]) == ("mtt", "1", "hard")
    assert float(lines[0]["hlr"]) == pytest.approx(100 * sum(found.hlr) / 2, abs=0.005)
    assert float(lines[0]["ior"]) == pytest.approx(100 * sum(found.ior) / 2, abs=0.005)


def test_published_numbers_stand_beside(ddbench, file, tmp_path):
    document = {**json.loads(file.read_text()), "dataset": "cifar10", "ipc": 10}
    (tmp_path / "cifar10.json").write_text(json.dumps(document))
    out = ddbench.done("ddranking", tmp_path / "cifar10.json", "--format", "markdown")
    assert "| 23.7, 30.9 % |" in out and "printed: " in out
    csv_line = ddbench.done("ddranking", tmp_path / "cifar10.json", "--format", "csv").splitlines()[1]
    assert ",CIFAR10,10,hard," in csv_line


def test_progress_goes_to_stderr(ddbench, measured):
    home, run = measured
    called = ddbench("ddranking", run, "--home", home, "--ars", "--real-accuracy", "0.95", *QUICK[:-1])
    assert called.status == 0 and "DD-Ranking" in called.err and "16 trainings, kept in" in called.err
    assert "it/s" not in called.out


def test_what_can_not_be_asked(ddbench, measured, file, tmp_path):
    home, run = measured
    at_home = ("--home", home)
    said = ddbench.refused("ddranking", file, "--epochs", "3", "--ars")
    assert "--epochs, --ars" in said and "only weights can change" in said
    assert "a number from 0 to 1" in ddbench.refused("ddranking", file, "--weight", "1.2")
    assert "not a list of learning rates" in ddbench.refused("ddranking", run, "--rates", "0.1;0.2", *at_home)
    assert "positive numbers" in ddbench.refused("ddranking", run, "--rates", "0", *at_home)
    assert "no track 'sofd'" in (said := ddbench.refused("ddranking", run, "--track", "sofd", *at_home))
    assert "did you mean 'soft'" in said
    assert "ddbench teach" in ddbench.refused("ddranking", run, "--track", "soft", *at_home)
    assert "no label modes" in ddbench.refused("ddranking", run, "--track", "hard", "--labels", "M", *at_home)
    assert "--real-accuracy 0.848" in ddbench.refused("ddranking", run, "--real-accuracy", "84.8", *at_home)
    assert "no file" in ddbench.refused("ddranking", tmp_path / "absent.safetensors", *at_home)


BROKEN = [
    ("not JSON", "{", "is not a measurement"),
    ("a row", '{"kind": "row"}', "is not a measurement"),
    ("a list", "[]", "is not a measurement"),
    ("newer", '{"kind": "ddranking measurement", "schema": 99}', "newer ddbench"),
    ("cut short", '{"kind": "ddranking measurement", "schema": 1}', "not a whole measurement"),
]


@pytest.mark.parametrize(("name", "text", "says"), BROKEN)
def test_files_that_are_no_measurement(ddbench, tmp_path, name, text, says):
    (tmp_path / "broken.json").write_text(text)
    assert says in ddbench.refused("ddranking", tmp_path / "broken.json"), name


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"color": "red"}, "color"),
        ({"weight": "heavy"}, "weight"),
        ({"weight": 2.0}, "weight is in"),
        ({"seeds": [0]}, "2 accuracies"),
        ({"sides": {}}, "no side random, real, syn"),
    ],
)
def test_measurements_that_were_changed_by_hand(ddbench, file, tmp_path, change, key):
    (tmp_path / "changed.json").write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert key in ddbench.refused("ddranking", tmp_path / "changed.json")


def test_a_damaged_training_is_named(ddbench, measured, tmp_path):
    home, run = measured
    copy = shutil.copytree(home, tmp_path / "home")
    for path in (copy / "ddranking" / "trainings").iterdir():
        path.write_text('{"accuracy": 0.5}')
    said = ddbench.refused("ddranking", run, "--home", copy, "--real-accuracy", "0.95", *QUICK)
    assert "is damaged" in said and "delete it" in said
