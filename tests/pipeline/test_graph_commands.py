"""Graphs through the command line: the same commands, rows and manners as images have."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.command_line import Ddbench

from ddbench.commands import main
from ddbench.evaluate.graphs import protocols
from ddbench.evaluate.leaderboard.row import load_rows
from ddbench.graphs.forests import Forests
from ddbench.graphs.synthetic_graphs import load_synthetic_graphs

RECIPE = """\
dataset: motifs
network: gin-sum
ipc: [2, 4]
methods:
  mirage:
evaluation:
  seeds: 2
  networks: [gin-sum, gcn-mean]
"""
LABELS = {
    "mirage",
    "random-items",
    "random-bytes",
    "herding-items",
    "full",
    "node-count",
    "edge-count",
    "label-histogram",
}


@pytest.fixture(scope="module", autouse=True)
def short_protocols():
    """Six steps in the place of five hundred, of the same protocols otherwise."""
    every = protocols.GRAPH_PROTOCOLS
    short = {
        key: replace(found, setting=replace(found.setting, steps=6), validate_every=3) for key, found in every.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocols, "GRAPH_PROTOCOLS", short)
        yield


@pytest.fixture(scope="module")
def graph_recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "graphs.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def graph_home(tmp_path_factory, graph_recipe):
    """A home in which the recipe was run to its end. Read it, or copy it; never change it."""
    home = tmp_path_factory.mktemp("graphs")
    assert main(["run", str(graph_recipe), "--home", str(home), "--quiet"]) == 0
    return home


@pytest.fixture
def copied(graph_home, tmp_path):
    shutil.copytree(graph_home, tmp_path / "home")
    return tmp_path / "home"


def sets_of(home: Path, label: str) -> list[Path]:
    return sorted(home.glob(f"runs/motifs-ipc*-{label}-*/synthetic.safetensors"))


def test_every_baseline_stands_beside_every_set(graph_home):
    rows = load_rows([graph_home / "results"])
    for ipc in (2, 4):
        for network in ("gin-sum", "gcn-mean"):
            found = {row.label: row for row in rows if (row.ipc, row.network) == (ipc, network)}
            assert set(found) == LABELS
            assert all(len(row.roc_auc) == len(row.accuracy) == len(row.seeds) for row in found.values())
            mirage = found["mirage"]
            assert mirage.items is not None and mirage.items <= 2 * ipc
            assert mirage.items == found["random-items"].items == found["herding-items"].items
            assert mirage.charged and mirage.bytes and found["full"].items == 480
            assert "no network" in found["node-count"].note


def test_a_finished_run_does_nothing_again(copied, graph_recipe, capsys):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*.safetensors")}
    rows = {row.path(copied): row.evaluation_seconds for row in load_rows([copied / "results"])}
    assert main(["run", str(graph_recipe), "--home", str(copied), "--quiet"]) == 0
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*.safetensors")} == before
    learned = {row.path(copied): row for row in load_rows([copied / "results"]) if "no network" not in row.note}
    assert {path: row.evaluation_seconds for path, row in learned.items()} == {path: rows[path] for path in learned}


def test_the_leaderboard_ranks_by_roc_auc(graph_home, ddbench: Ddbench):
    done = ddbench("leaderboard", "--home", str(graph_home), "--format", "json")
    lines = json.loads(done.out)
    assert {line["metric"] for line in lines} == {"roc-auc"}
    for ipc in (2, 4):
        group = [line for line in lines if (line["ipc"], line["network"]) == (ipc, "gin-sum")]
        assert [line["score_mean"] for line in group] == sorted((line["score_mean"] for line in group), reverse=True)
        assert group[0]["best"] and group[0]["score_mean"] == sum(group[0]["roc_auc"]) / len(group[0]["roc_auc"])
    text = ddbench("leaderboard", "--home", str(graph_home), "--details").out
    assert "roc-auc" in text and "charged" in text and "node-count" in text


def test_a_set_says_what_it_is_and_can_be_drawn(graph_home, copied, ddbench: Ddbench):
    path = sets_of(copied, "mirage")[0]
    syn = load_synthetic_graphs(path)
    assert isinstance(syn.payload, Forests) and syn.provenance["identity"]["method"] == "mirage"
    facts = json.loads(ddbench("info", str(path)).out)
    assert facts["kind"] == "synthetic graph set" and facts["checksum"] == "verified" and facts["items"] == len(syn)
    assert ddbench("show", str(path), "--out", str(copied / "a.png")).status == 0
    assert (copied / "a.png").stat().st_size > 1000
    assert all(path.with_suffix(".png").exists() for path in sets_of(graph_home, "*"))


def test_rows_and_sets_can_be_verified(graph_home, ddbench: Ddbench):
    rows = load_rows([graph_home / "results"])
    for label in ("mirage", "random-bytes", "node-count"):
        row = next(row for row in rows if row.label == label)
        done = ddbench("verify", str(row.path(graph_home / "results")), "--home", str(graph_home))
        assert done.status == 0 and "verified: identical" in done.out
    done = ddbench("verify", str(sets_of(graph_home, "mirage")[0]), "--home", str(graph_home), "--format", "json")
    reports = json.loads(done.out)
    assert len(reports) == 2 and all(report["identical"] for report in reports)


def test_a_set_can_be_scored_by_itself(copied, ddbench: Ddbench):
    path = sets_of(copied, "mirage")[0]
    done = ddbench(
        *("evaluate", str(path), "--home", str(copied), "--network", "gat-sum", "--seeds", "1"),
        *("--protocol", "graphs-uniform-v1", "--format", "json"),
    )
    (line,) = json.loads(done.out)
    assert (line["network"], line["protocol"], line["seeds"]) == ("gat-sum", "graphs-uniform-v1", [0])


def test_a_plan_trains_nothing(graph_recipe, tmp_path, ddbench: Ddbench):
    done = ddbench("plan", str(graph_recipe), "--home", str(tmp_path), "--format", "json")
    facts = json.loads(done.out)
    assert {row["method"] for row in facts["sets"]} == LABELS - {"node-count", "edge-count", "label-histogram"}
    assert {row["there"] for row in facts["sets"]} == {"no"} and not list(tmp_path.rglob("*.safetensors"))
    assert "fresh networks" in ddbench("plan", str(graph_recipe), "--home", str(tmp_path)).out


def test_a_set_of_other_graphs_is_not_taken_over(copied, graph_recipe, ddbench: Ddbench):
    path = sets_of(copied, "mirage")[0]
    syn = load_synthetic_graphs(path)
    other = {**syn.provenance["identity"], "real graphs": "0123"}
    replace(syn, provenance={**syn.provenance, "identity": other}).save(path)
    done = ddbench("run", str(graph_recipe), "--home", str(copied))
    assert done.status == 2 and "made with another real graphs" in done.err


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("preprocessing=zca", "preprocessing is about images"),
        ("evaluation.lr=search", "evaluation.lr is about images"),
        ("evaluation.protocol=mtt-v1", "there is no graph protocol 'mtt-v1'"),
        ("network=convnet-d3", "there is no graph network 'convnet-d3'"),
        ("methods={mtt: {}}", "mtt distills images, and motifs is a set of graphs"),
        ("methods={random: {}}", "random distills images"),
        ("dataset=digits", "mirage distills graphs, and digits is a set of images"),
        ("dataset='tu:'", "says nothing after its colon"),
        ("ipc=100000", "ipc 100000 is larger than a class"),
        ("methods.mirage.hops=0", "hops"),
        ("methods.mirage.miner=pyfpgrowth", "miner"),
        ("methods.mirage.threshold={kind: absolute, theta: [9999, 9999]}", "9999"),
        ("methods={}", "at least one method"),
    ],
)
def test_bad_recipes_say_where_and_what(graph_recipe, tmp_path, ddbench: Ddbench, override, says):
    more = ["-o", "network=mlp", "-o", "evaluation.networks=[]"] if override == "dataset=digits" else []
    if override.startswith("network"):
        more = ["-o", "evaluation.networks=[]"]
    done = ddbench("run", str(graph_recipe), "--home", str(tmp_path), "-o", override, *more)
    assert done.status == 2, done.err
    assert says in done.err and "fix:" in done.err and "Traceback" not in done.err


def test_options_of_images_are_refused(graph_home, ddbench: Ddbench, tmp_path):
    path = sets_of(graph_home, "mirage")[0]
    done = ddbench("evaluate", str(path), "--home", str(tmp_path), "--lr", "search")
    assert done.status == 2 and "--lr is about images" in done.err
    assert "is a synthetic graph set, not" in ddbench("nas", "rank", str(path), "--home", str(tmp_path)).err
    assert "a set of graphs" in ddbench("buffer", "quickstart-graphs", "--home", str(tmp_path)).err
