"""Teachers, pools, searched rates and printed claims through the command line."""

import json

import pytest
from command_line import written

from ddbench.evaluate.pools import POOLS, Pool
from ddbench.evaluate.published import Published


@pytest.fixture
def made(home):
    return next((home / "runs").glob("digits-ipc1-mtt-*"))


def test_teach_and_evaluate_with_teachers(ddbench, home, made):
    asked = (
        "teach",
        "digits",
        "--network",
        "convnet-d1-w8",
        "--network",
        "mlp",
        "--epochs",
        "10",
        "--home",
        home,
        "-q",
    )
    said = ddbench.done(*asked)
    assert "convnet-d1-w8: " in said and "mlp: " in said
    file = said.split("teachers:  ")[1].strip()
    assert ddbench.done(*asked) == said
    about = json.loads(ddbench.done("info", file))
    assert (
        about["kind"] == "teachers" and about["networks"] == ["convnet-d1-w8", "mlp"] and min(about["accuracy"]) > 0.5
    )

    scored = ("evaluate", made, "--protocol", "infer-dynamic-v1", "--seeds", "1", "--home", home, "-q")
    row = json.loads(ddbench.done(*scored, "--teachers", file, "--format", "json"))[0]
    assert list(row["teachers"]) == ["convnet-d1-w8", "mlp"] and row["bytes"] == sum(row["bytes_by_part"].values())
    path = next(path for path in (home / "results").rglob("mtt-*.json") if "infer" in path.read_text())
    assert "verified: identical" in ddbench.done("verify", path, "--home", home, "-q")
    assert "give them with --teachers" in ddbench.refused(*scored)


def test_a_recipe_with_teachers(ddbench, tmp_path):
    recipe = written(tmp_path)
    asked = ("run", recipe, "--home", tmp_path / "home", "-q", "-o", "evaluation.protocol=infer-dynamic-v1")
    assert "the recipe names none" in ddbench.refused(*asked)
    misspelt = ddbench.refused(*asked, "-o", "evaluation.teachers={networks: convnet-d1-w8x, epochs: 1}")
    assert "convnet-d1-w8x" in misspelt or "w8x" in misspelt
    rows = json.loads(ddbench.done(*asked, "-o", "evaluation.teachers={networks: mlp, epochs: 2}", "--format", "json"))
    assert {row["label"] for row in rows} == {"mtt", "random"} and all(list(row["teachers"]) == ["mlp"] for row in rows)
    assert len(list((tmp_path / "home" / "teachers").glob("*.safetensors"))) == 1


def test_searched_rates_are_equal_budgets(ddbench, tmp_path):
    recipe = written(tmp_path)
    rows = json.loads(
        ddbench.done(
            "run", recipe, "--home", tmp_path / "home", "-q", "--format", "json",
            "-o", "evaluation.lr=search", "-o", "evaluation.rates=[0.01, 0.05]", "-o", "evaluation.selection_seeds=1",
        )
    )  # fmt: skip
    assert [row["lr_tried"] for row in rows] == [[0.01, 0.05]] * 2
    assert {row["lr_policy"] for row in rows} == {"search"} and all(row["lr"] in (0.01, 0.05) for row in rows)
    text = ddbench.done("leaderboard", "--home", tmp_path / "home", "--details")
    assert "rate searched on validation" in text and " rate" in text.splitlines()[1]
    refused = ddbench.refused("run", recipe, "-o", "evaluation.lr=search", "-o", "validation=0", "--home", tmp_path)
    assert "no validation images" in refused


def test_pools(ddbench, home, made, monkeypatch):
    assert "mtt-pool" in ddbench.done("pools") and "alexnet, vgg11" in ddbench.done("pools")
    assert "does not take 8-pixel images" in ddbench.refused(
        "evaluate", made, "--network", "mtt-pool", "--seeds", "1", "--home", home, "-q"
    )
    small = Pool(name="small", networks=("convnet", "mlp"), lr_policy="protocol", title="", source="")
    monkeypatch.setattr("ddbench.evaluate.pools.POOLS", {**POOLS, "small": small})
    text = ddbench.done("evaluate", made, "--network", "small", "--seeds", "1", "--home", home, "-q")
    block = text.split("small: digits · ipc 1 · dc-v1\n")[1].splitlines()
    assert block[0].split() == ["method", "mean", "convnet-d1-w4", "mlp"] and block[1].startswith("mtt ")
    assert "small: digits" in ddbench.done("leaderboard", "--home", home)


def test_printed_claims(ddbench, home, made, monkeypatch):
    asked = ("verify", made, "--published", "--seeds", "2", "--home", home, "-q")
    assert "nothing is printed of mtt on digits" in ddbench.refused(*asked)

    def printed(accuracy):
        key = ("mtt", "digits", 1, "convnet-d1-w4")
        claim = Published(
            method="mtt", dataset="digits", ipc=1, network=key[3], accuracy=accuracy, std=0.01, source="x"
        )
        monkeypatch.setattr("ddbench.evaluate.claims.published_numbers", lambda: {key: claim})

    printed(0.02)
    assert "the claim holds" in ddbench.done(*asked)
    printed(0.999)
    found = ddbench(*asked, "--format", "json")
    assert found.status == 2 and json.loads(found.out)["holds"] is False and "could not be had" in found.err
    assert "--method goes with --published" in ddbench.refused("verify", made, "--method", "mtt", "--home", home)
