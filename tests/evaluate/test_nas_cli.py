"""``ddbench nas``: rank, truth, search and spaces on the command line, and what it refuses."""

import csv
import io
import json

import pytest
from helpers.command_line import only
from PIL import Image

QUICK = ("--seeds", 1, "--epochs", 2, "--augmentation", "none", "--quiet")


@pytest.fixture(scope="module")
def context(finished_home, tmp_path_factory):
    """A home for scores that the tests of this file share, and the sets of a finished one."""
    sets = [only(finished_home / "runs", f"*-{method}-*") for method in ("mtt", "random")]
    return tmp_path_factory.mktemp("nas"), sets


def test_networks_are_ranked_and_drawn(ddbench, context, tmp_path):
    home, sets = context
    picture = tmp_path / "scatter.png"
    asked = ("nas", "rank", *sets, "--networks", 3, *QUICK, "--home", home)
    text = ddbench.done(*asked, "--plot", picture)
    assert text.startswith("digits · convnet-36, 3 networks · nas-v1, 2 epochs, none · 1 seed")
    assert "no intervals: one seed each" in text and Image.open(picture).format == "PNG"
    document = json.loads(ddbench.done(*asked, "--format", "json"))
    labels = [entry["trained_on"] for entry in document["rankings"]]
    assert labels == ["mtt ipc 1", "random ipc 1", "random images ipc 1", "early stopping, 2 updates"]
    assert len(document["networks"]) == 3 and document["notes"] == []
    table = list(csv.DictReader(io.StringIO(ddbench.done(*asked, "--format", "csv"))))
    assert [line["trained_on"] for line in table] == labels
    assert float(table[0]["regret"]) == document["rankings"][0]["measures"]["regret"]["value"] <= 0
    assert "| trained on" in ddbench.done(*asked, "--format", "markdown")


def test_a_table_of_truths_serves_a_ranking(ddbench, context, tmp_path):
    home, sets = context
    table = tmp_path / "truth.csv"
    told = ddbench.done("nas", "truth", "--dataset", "digits", "--networks", 3, *QUICK, "--out", table, "--home", home)
    assert told == f"3 networks of convnet-36 on digits: {table}\n"
    asked = ("nas", "rank", sets[0], "--baselines", "none", *QUICK, "--home", home, "--format", "json")
    by_table, trained = (json.loads(ddbench.done(*asked, *more)) for more in (("--truth", table), ("--networks", 3)))
    assert by_table["truth"]["accuracy"] == trained["truth"]["accuracy"] and by_table["truth"]["from"] == "truth.csv"
    assert by_table["rankings"][0]["measures"] == trained["rankings"][0]["measures"] and by_table["notes"] == []
    table.write_text(table.read_text().replace("convnet", "convnt"))
    assert f"from  {table}, line 3" in ddbench.refused(*asked, "--truth", table)


@pytest.mark.slow
def test_cells_are_ranked(ddbench, context):
    home, sets = context
    asked = ("--space", "nas-bench-201-n1", "--networks", 2, "--baselines", "parameters")
    text = ddbench.done("nas", "rank", sets[0], *asked, *QUICK, "--home", home)
    assert "nas-bench-201-n1, 2 networks" in text and "nb201-n1:|" in text


def test_a_search_prints_the_best_with_their_real_accuracy(ddbench, context):
    home, sets = context
    asked = ("--space", "convnet-36", "--trials", 2, "--top", 1, "--compare")
    text = ddbench.done("nas", "search", sets[0], *asked, *QUICK, "--home", home)
    assert "search: 2 networks trained on the set" in text and "convnet-d3 " in text and "random search" in text


def test_spaces_are_listed_and_the_group_explains_itself(ddbench):
    listed = json.loads(ddbench.done("nas", "spaces", "--format", "json"))
    assert {line["space"]: line["networks"] for line in listed}["convnet-720"] == 720
    assert "truth" in ddbench.done("nas") and ddbench.done("nas") == ddbench.done("nas", "--help")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--space", "convnet-37"), "did you mean 'convnet-36'"),
        (("--space", "convnet-720"), "too deep for 8-pixel images"),
        (("--baselines", "herding"), "no baseline of a ranking 'herding'"),
        (("--augmentation", "dsaa"), "did you mean 'dsa'"),
        (("--plot", "scatter.jpg"), "does not end in .png"),
        (("--truth", "absent.csv"), "no table of true accuracies"),
        (("--part", "5/4"), "--part 5/4 is no part"),
        (("--networks", "0"), "invalid value for '--networks'"),
    ],
)
def test_what_can_not_be_ranked_is_refused(ddbench, context, arguments, message):
    home, sets = context
    assert message in ddbench.refused("nas", "rank", sets[0], *arguments, "--quiet", "--home", home)


def test_a_table_that_would_be_no_table_is_refused(ddbench, context, tmp_path):
    asked = ("nas", "truth", "--dataset", "digits", "--out", tmp_path / "truth.txt", "--home", context[0])
    assert "does not end in .csv or .json" in ddbench.refused(*asked)
