"""``ddbench import`` and ``ddbench formats`` as called: what is asked, what is said, and that the set works."""

import json

import pytest
import torch
from helpers.command_line import only

from ddbench.data import load_dataset
from ddbench.formats.reader import READERS
from ddbench.pipeline import import_set
from ddbench.synthetic.synthetic_set import load_synthetic

OWN = ["--mean", "0.305522", "--std", "0.376121"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return load_dataset("digits", validation=0.0, home=tmp_path_factory.mktemp("home"), quiet=True)


@pytest.fixture
def run(tmp_path, digits):
    """A folder as MTT leaves one, of real digits."""
    rows = torch.cat([digits.train.rows_of_class(label)[:2] for label in range(10)])
    folder = tmp_path / "run"
    folder.mkdir()
    torch.save(digits.inputs(digits.train, rows), folder / "images_best.pt")
    torch.save(digits.train.labels[rows], folder / "labels_best.pt")
    return folder


@pytest.fixture
def call(run, tmp_path):
    """The arguments that import it."""
    return ["import", run, "--format", "mtt", "--dataset", "digits", "--home", tmp_path / "home", "-q"]


def test_an_imported_set_is_scored_and_its_row_verified(ddbench, call, run, tmp_path):
    said = ddbench.done(*call, "--space", "meanstd", *OWN, "--lr", "0.02", "--network", "convnet-d1-w4")
    file = only(tmp_path / "home", "imported/digits-mtt-ipc2-*.safetensors")
    assert said.startswith("mtt on digits, ipc 2: 20 images 1x8x8, hard labels, learned rate 0.02, meanstd\n")
    assert f"next: ddbench evaluate {file}" in said and f"ddbench verify {file} --published" in said
    syn = load_synthetic(file)
    assert torch.equal(syn.images, torch.load(run / "images_best.pt"))
    assert syn.provenance["recipe"] == {
        "dataset": "digits",
        "seed": 0,
        "validation": 0.0,
        "evaluation": {"protocol": "mtt-v1"},
    }
    assert syn.provenance["imported"]["said"]["lr"] == 0.02 and str(tmp_path) not in json.dumps(syn.provenance)
    scored = ["evaluate", file, "--home", tmp_path / "home", "-q", "--protocol", "dc-v1", "--seeds", 1]
    (row,) = json.loads(ddbench.done(*scored, "--format", "json"))
    assert row["method"] == "mtt" and row["accuracy"][0] > 0.2
    made = only(tmp_path / "home", "results/**/*.json")
    assert "identical" in ddbench.done("verify", made, "--set", file, "--home", tmp_path / "home", "-q")
    assert said == ddbench.done(*call, "--space", "meanstd", *OWN, "--lr", "0.02", "--network", "convnet-d1-w4")


def test_whitened_sets_load_the_whitening_of_the_whole_training_set(ddbench, call, tmp_path):
    out = tmp_path / "set.safetensors"
    said = ddbench.done(*call, "--space", "zca", "--lr", "none", "--network", "convnet-d1-w4", "--out", out)
    assert "no learned rate, zca" in said and str(out) in said
    want = load_dataset("digits", preprocessing="zca", validation=0.0, home=tmp_path / "home", quiet=True)
    syn = load_synthetic(out)
    assert syn.preprocessing == want.preprocessing.describe() and syn.student_lr is None
    again = [*call, "--space", "meanstd", *OWN, "--lr", "none", "--network", "convnet-d1-w4"]
    assert "another file lies" in ddbench.refused(*again, "--out", out)
    assert "no name for a synthetic set" in ddbench.refused(*again, "--out", tmp_path / "set.pt")


def test_what_is_not_said_is_asked_for_by_name(ddbench, call, run, tmp_path):
    said = ddbench.refused("import", run)
    assert "--recipe" in said and "--format" in said and "could be mtt" in said
    assert "fix: say it with --format mtt" in ddbench.refused("import", run, "--dataset", "digits")
    assert "--dataset" in ddbench.refused("import", run, "--format", "mtt")
    assert "did you mean 'mtt'" in ddbench.refused("import", run, "--format", "mt", "--dataset", "digits")
    assert "did you mean 'digits'" in ddbench.refused("import", run, "--format", "mtt", "--dataset", "digit")
    said = ddbench.refused(*call)
    assert "--lr NUMBER|none --space pixels|meanstd|zca|kip --network NAME" in said
    assert "--mean" in ddbench.refused(*call, "--space", "meanstd", "--lr", "1", "--network", "mlp")
    assert not (tmp_path / "home" / "imported").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lr", "fast"], "'fast' is no number"),
        (["--mean", "0.1,x"], "'x' is no number"),
        (["--seed", "3"], "are for experts"),
        (["--recipe", "quickstart"], "--recipe is for experts, and --format --dataset for synthetic sets"),
        (["--network", "convnet-d77"], "no convnet axis 'd77'"),
        (["--space", "jpeg"], "jpeg"),
        (["--size", "16"], "--size"),
    ],
)
def test_options_that_can_not_be(ddbench, call, options, said):
    assert said in ddbench.refused(*call, *options)


def test_next_commands_repeat_where_the_data_lie(ddbench, call, run, tmp_path, monkeypatch, digits):
    monkeypatch.setattr(import_set, "load_dataset", lambda *_, **__: digits)
    call[call.index("digits")] = "folder:/some where/mine"
    said = ddbench.done(*call, *OWN, "--lr", "none", "--network", "mlp", "--data-root", tmp_path)
    assert "--dataset 'folder:/some where/mine' --home" in said and "--data-root" in said
    syn = load_synthetic(only(tmp_path / "home", "imported/*"))
    assert syn.provenance["recipe"]["dataset"] == "folder:mine"


def test_formats_lists_both_ways(ddbench):
    table = json.loads(ddbench.done("formats", "--format", "json"))
    assert {line["format"] for line in table if line["way"] == "import"} == set(READERS.names())
    assert all(line["files"] for line in table) and any(line["way"] == "export" for line in table)
