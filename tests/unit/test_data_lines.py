"""First words of a run and of a plan: what train, validation and test are; and bad data refused before training."""

import json

import pytest
from helpers.data_makers import write_folder

RECIPE = """
dataset: folder:{set}
network: convnet-d1-w8
ipc: 1
methods: {{random: {{}}}}
evaluation: {{protocol: dc-v1, seeds: 1, steps: 2}}
"""
LINE = "train 24 images of train/ (2 of them held back for validation), test 8 images of valid/"


@pytest.fixture
def recipe(tmp_path):
    for part, count in (("train", 12), ("valid", 4)):
        write_folder(tmp_path / "set" / part, {"ant": count, "bee": count}, size=(8, 8))
    (tmp_path / "r.yaml").write_text(RECIPE.format(set=tmp_path / "set"))
    return tmp_path / "r.yaml"


def test_a_plan_and_a_run_say_what_the_splits_are(ddbench, recipe, tmp_path):
    planned = ddbench.done("plan", recipe, "--home", tmp_path / "home")
    assert f"data  {LINE}" in planned and "note  there is no test split with labels: valid/ is" in planned
    facts = json.loads(ddbench.done("plan", recipe, "--home", tmp_path / "home", "--format", "json"))
    assert facts["data"][0] == LINE
    assert f"data  {LINE}" in ddbench.done("run", recipe, "--home", tmp_path / "home").splitlines()[:4]


def test_a_plan_of_a_known_set_reads_nothing(ddbench, tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE.format(set="").replace("folder:", "cifar10"))
    facts = json.loads(ddbench.done("plan", tmp_path / "r.yaml", "--home", tmp_path / "home", "--format", "json"))
    assert facts["data"] == ["train 50,000 images (5,000 of them held back for validation), test 10,000 images"]
    assert not (tmp_path / "home" / "downloads").exists()


def test_a_plan_refuses_what_a_run_would(ddbench, recipe, tmp_path):
    (tmp_path / "set" / "train" / "dog").mkdir()
    assert "dog has no images" in ddbench.refused("plan", recipe, "--home", tmp_path / "home")
    (tmp_path / "set" / "train" / "dog").rmdir()
    said = ddbench.refused("plan", recipe, "--home", tmp_path / "home", "-o", "ipc=[12]")
    assert "ipc 12 is larger than a class" in said and "class 'ant'" in said


def test_a_plan_of_graphs_says_the_splits(ddbench, tmp_path):
    text = "dataset: motifs\nnetwork: gin-sum\nipc: 1\nmethods: {mirage: {}}\n"
    (tmp_path / "g.yaml").write_text(text)
    facts = json.loads(ddbench.done("plan", tmp_path / "g.yaml", "--home", tmp_path / "home", "--format", "json"))
    assert facts["data"][0].startswith("train 480 graphs, validation 60 graphs, test 60 graphs; shuffled with seed 0")
    (tmp_path / "g.yaml").write_text(text.replace("motifs", "tu:NOWHERE"))
    facts = json.loads(ddbench.done("plan", tmp_path / "g.yaml", "--home", tmp_path / "home", "--format", "json"))
    assert "not on this machine" in facts["data"][0]
