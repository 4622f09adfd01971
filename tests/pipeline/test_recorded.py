"""What a file names is not what a user names: sets and rows are checked like recipes before any of it is used."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from helpers.command_line import ROOT, only
from helpers.evaluation_makers import tiny_real, tiny_synthetic
from safetensors.torch import load_file, save_file

from ddbench import artifact
from ddbench.artifact import read_json, write_json
from ddbench.data.preprocessing import Preprocessing
from ddbench.errors import UserError
from ddbench.evaluate.continual.step_score import StepKey
from ddbench.synthetic.recorded import recorded_dataset, recorded_recipe
from ddbench.synthetic.synthetic_set import load_synthetic

CODE = "pyg:hostile_module:load"


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that leaves a file behind when it is imported. Returns that file."""
    mark = tmp_path / "it ran"
    (tmp_path / "hostile_module.py").write_text(f"open({str(mark)!r}, 'w').close()\ndef load(**given): return []\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield mark
    sys.modules.pop("hostile_module", None)


def changed_set(path: Path, change, target: Path) -> Path:
    """The set with another description, its checksums right: as anybody can write it."""
    tensors, document = artifact.load(path, "synthetic set")
    document = copy.deepcopy(document)
    change(document)
    artifact.save(target, "synthetic set", tensors, document)
    return target


@pytest.fixture
def mtt_set(finished_home):
    return only(finished_home, "runs/*-mtt-*/synthetic.safetensors")


NAMES = [CODE, "hub:someone/thing", "folder:/etc", "npz:data.npz", "parquet:data", "tu:../../x", "nowhere", "a\x1b[2J"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["evaluate", "ddranking", "continual", "nas rank", "nas search"])
def test_a_data_set_that_a_set_names_is_not_followed(ddbench, tmp_path, mtt_set, trap, name, command):
    file = changed_set(
        mtt_set, lambda d: d["provenance"]["recipe"].update(dataset=name), tmp_path / "forged.safetensors"
    )
    said = ddbench.refused(*command.split(), file, "--home", tmp_path / "home", "-q")
    assert not trap.exists() and "forged.safetensors" in said or "--dataset" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_that_a_row_names_is_not_followed(ddbench, home, trap, name):
    path = only(home, "results/digits/ipc1/mtt-*.json")
    row = read_json(path, "row")
    row["recipe"]["dataset"] = name
    write_json(path, row)
    ddbench.refused("verify", path, "--home", home, "-q")
    assert not trap.exists()


def test_graphs_that_a_file_names_are_not_imported(ddbench, tmp_path, trap):
    recipe = tmp_path / "graphs.yaml"
    recipe.write_text(
        "dataset: motifs\nnetwork: gin-sum\nipc: 2\nmethods: {random-graphs: {}}\n"
        "evaluation: {protocol: graphs-v1, seeds: 1}\n"
    )
    home = tmp_path / "home"
    ddbench.done("distill", recipe, "--home", home, "-q")
    made = next(home.glob("runs/*random-graphs*/synthetic.safetensors"))
    tensors, document = artifact.load(made, "synthetic graph set")
    document["provenance"]["recipe"]["dataset"] = CODE
    artifact.save(tmp_path / "forged.safetensors", "synthetic graph set", tensors, document)
    said = ddbench.refused("evaluate", tmp_path / "forged.safetensors", "--home", home, "-q")
    assert "would run code" in said and f"--dataset {CODE}" in said and not trap.exists()


def test_what_the_user_names_is_followed(ddbench, tmp_path, mtt_set):
    file = changed_set(
        mtt_set, lambda d: d["provenance"]["recipe"].update(dataset=CODE), tmp_path / "forged.safetensors"
    )
    ddbench.done("evaluate", file, "--dataset", "digits", "--home", tmp_path / "home", "-q")


CHANGES = {
    "ipc": lambda d: d.update(ipc=10**9),
    "ipc of others": lambda d: d.update(ipc=7),
    "provenance.recipe.evaluation.seeds": lambda d: d["provenance"]["recipe"]["evaluation"].update(seeds=10**9),
    "provenance.recipe.evaluation.steps": lambda d: d["provenance"]["recipe"]["evaluation"].update(steps=10**18),
    "provenance.recipe.evaluation.networks": lambda d: d["provenance"]["recipe"]["evaluation"].update(networks="x"),
    "provenance.recipe.evaluation": lambda d: d["provenance"]["recipe"].update(evaluation=None),
    "provenance.recipe.size": lambda d: d["provenance"]["recipe"].update(size=10**6),
    "recipe says 4096 pixels": lambda d: d["provenance"]["recipe"].update(size=4096),
    "provenance.recipe.validation": lambda d: d["provenance"]["recipe"].update(validation=1.5),
    "provenance.recipe.seed": lambda d: d["provenance"]["recipe"].update(seed=-1),
    "provenance.recipe": lambda d: d["provenance"].update(recipe=[]),
    "provenance.seconds": lambda d: d["provenance"].update(seconds="long"),
    "provenance.notes": lambda d: d["provenance"].update(notes=[1]),
    "provenance.step": lambda d: d["provenance"].update(step=-1),
    "provenance": lambda d: d.update(provenance=None),
    "preprocessing": lambda d: d["preprocessing"].update(mean=[0.9]),
    "preprocessing.std": lambda d: d["preprocessing"].update(std=[0.0]),
    "preprocessing.kind": lambda d: d["preprocessing"].update(kind="nothing"),
    "preprocessing.fingerprint": lambda d: d["preprocessing"].update(fingerprint="x"),
    "class_names": lambda d: d.update(class_names=["a" * 300] * 10),
    "class_names.0": lambda d: d["class_names"].__setitem__(0, "a\x1b[2J"),
    "formation": lambda d: d.update(formation=4096),
    "label_kind": lambda d: d.update(label_kind="soft"),
    "learned rate": lambda d: d.update(student_lr=7.0),
    "unknown": lambda d: d.update(unknown=1),
    "method": lambda d: d.pop("method"),
    "network": lambda d: d.update(network=None),
}


@pytest.mark.parametrize("key", CHANGES)
def test_a_description_that_can_not_be_is_refused(tmp_path, mtt_set, key):
    file = changed_set(mtt_set, CHANGES[key], tmp_path / "forged.safetensors")
    with pytest.raises(UserError) as caught:
        load_synthetic(file)
    said = str(caught.value)
    assert "forged.safetensors" in said and len(said) < 1500
    assert key in said or key == "ipc of others" and "are not ipc 7" in said


def test_labels_outside_the_classes_are_refused(tmp_path):
    syn = tiny_synthetic(tiny_real())
    syn.save(path := tmp_path / "set.safetensors")
    tensors, document = artifact.load(path, "synthetic set")
    for label in (-1, 3):
        artifact.save(path, "synthetic set", {**tensors, "labels": torch.full((6,), label)}, document)
        with pytest.raises(UserError, match="a label is not one of 3 classes"):
            load_synthetic(path)


@pytest.mark.parametrize(
    "space", [Preprocessing.identity(), Preprocessing.meanstd([123.675], [58.395]), Preprocessing.meanstd([0.4], [1.0])]
)
def test_every_preprocessing_is_what_its_fingerprint_says(tmp_path, space):
    syn = tiny_synthetic(tiny_real(), preprocessing=space.describe())
    syn.save(tmp_path / "set.safetensors")
    assert load_synthetic(tmp_path / "set.safetensors").preprocessing == space.describe()


def question(**changes):
    """What is asked at a step of a continual evaluation."""
    texts = {"method": "mtt", "dataset": "digits", "network": "n", "protocol": "p", "protocol_fingerprint": "f"}
    others = {"memory_sha256": "m", "real_fingerprint": "r", "how": "h", "mirror": False, "ipc": 1, "epochs": 1}
    numbers = {"order": 0, "step": 0, "steps": 2, "seen": (0, 1), "seeds": (0,)}
    return StepKey(**{**texts, **others, **numbers, **changes})


@pytest.mark.parametrize("method", ["../../../../somewhere/else", "a/b", "..", "/etc/x"])
def test_names_of_files_do_not_leave_the_home(ddbench, tmp_path, mtt_set, method):
    def change(document):
        document["method"] = method
        document["provenance"]["label"] = method

    file = changed_set(mtt_set, change, tmp_path / "forged.safetensors")
    home = tmp_path / "deep" / "er" / "home"
    before = {path for path in tmp_path.rglob("*") if home not in path.parents and path not in home.parents}
    ddbench.done("evaluate", file, "--home", home, "-q")
    path = question(method=method, dataset=method).path(home)
    assert path.parent.parent == home / "continual" and path.name.endswith(".json") and path.parent.name not in "..."
    after = {path for path in tmp_path.rglob("*") if home not in path.parents and path not in home.parents}
    assert after - before <= {home}
    assert len(list(home.glob("results/digits/ipc1/*.json"))) == 1


def test_every_committed_row_passes_the_checks():
    rows = [path for path in (ROOT / "results").rglob("*.json") if "recipe" in (read_json(path, "row") or {})]
    assert len(rows) > 250
    for path in rows:
        row = read_json(path, "row")
        recipe = recorded_recipe(row["recipe"], path)
        recorded_dataset(recipe.dataset or row["dataset"], path)


def test_an_older_set_says_that_its_description_is_not_covered(ddbench, tmp_path, mtt_set):
    file = tmp_path / "older.safetensors"
    text = artifact.canonical({**artifact.describe(mtt_set), "schema": 1})
    save_file(load_file(mtt_set), file, metadata={"ddbench": text})
    called = ddbench("evaluate", file, "--home", tmp_path / "home", "-q")
    assert called.status == 0 and "the checksum covers the tensors, and not the description" in called.err
    assert "not the description" in ddbench.done("info", file)
    assert '"checksum": "verified"' in ddbench.done("info", mtt_set)
