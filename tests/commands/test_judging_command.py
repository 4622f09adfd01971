"""Teachers, pools, searched rates and printed claims through the command line."""

import json

import pytest
from helpers.command_line import written

from ddbench.evaluate.leaderboard.published import PublishedResult
from ddbench.evaluate.protocols.network_pools import POOLS, Pool


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
    assert "the recipe names no teachers" in ddbench.refused(*asked)
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
    monkeypatch.setattr("ddbench.evaluate.protocols.network_pools.POOLS", {**POOLS, "small": small})
    text = ddbench.done("evaluate", made, "--network", "small", "--seeds", "1", "--home", home, "-q")
    block = text.split("small: digits · ipc 1 · dc-v1\n")[1].splitlines()
    assert block[0].split() == ["method", "mean", "convnet-d1-w4", "mlp"] and block[1].startswith("mtt ")
    assert "small: digits" in ddbench.done("leaderboard", "--home", home)


def test_printed_claims(ddbench, home, made, monkeypatch):
    asked = ("verify", made, "--published", "--seeds", "2", "--home", home, "-q")
    assert "nothing is printed of mtt on digits" in ddbench.refused(*asked)

    def printed(accuracy):
        key = ("mtt", "digits", 1, "convnet-d1-w4")
        claim = PublishedResult(
            method="mtt", dataset="digits", ipc=1, network=key[3], accuracy=accuracy, std=0.01, source="x"
        )
        monkeypatch.setattr("ddbench.evaluate.published_claims.published_numbers", lambda: {key: claim})

    printed(0.02)
    monkeypatch.setattr("ddbench.evaluate.published_claims.WIDEST", 10.0)
    assert "the claim holds" in ddbench.done(*asked)
    with monkeypatch.context() as narrow:
        narrow.setattr("ddbench.evaluate.published_claims.WIDEST", 0.0)
        found = ddbench(*asked)
        assert found.status == 2 and "can not be told" in found.out and "--seeds 10" in found.err
    printed(0.999)
    found = ddbench(*asked, "--format", "json")
    assert found.status == 2 and json.loads(found.out)["holds"] is False and "could not be reproduced" in found.err
    assert "--method goes with --published" in ddbench.refused("verify", made, "--method", "mtt", "--home", home)


def test_several_teachers_are_found_again(ddbench, tmp_path):
    recipe, home = written(tmp_path), tmp_path / "home"
    changes = (
        "-o",
        "evaluation.protocol=infer-dynamic-v1",
        "-o",
        "evaluation.teachers={networks: [mlp, mlp], epochs: 1}",
    )
    ddbench.done("run", recipe, "--home", home, "-q", *changes)
    for row in (home / "results").rglob("*.json"):
        assert "verified: identical" in ddbench.done("verify", row, "--home", home, "-q")


def test_soft_labels_are_asked_for_before_anything_is_distilled(ddbench, tmp_path):
    asked = ("run", written(tmp_path), "--home", tmp_path / "home", "-o", "evaluation.protocol=infer-static-v1")
    assert "soft labels, which random has not" in ddbench.refused(*asked)
    assert not (tmp_path / "home" / "runs").exists()


def test_a_candidate_is_no_row_of_its_run(ddbench, home, made):
    """Evaluated by itself, it came as it is: the run's own row stays."""
    before = {path: path.read_bytes() for path in (home / "results").rglob("*.json")}
    for candidate in sorted((made / "candidates").glob("*.safetensors")):
        asked = ("evaluate", candidate, "--seeds", "1", "--home", home, "-q", "--format", "json")
        assert json.loads(ddbench.done(*asked))[0]["selection"] == "given"
    assert before == {path: path.read_bytes() for path in before}
    assert len(list((home / "results").rglob("*.json"))) > len(before)


def test_all_networks_of_a_pool_judge_one_set(ddbench, tmp_path, monkeypatch):
    small = Pool(name="small", networks=("convnet", "mlp"), lr_policy="protocol", title="", source="")
    monkeypatch.setattr("ddbench.evaluate.protocols.network_pools.POOLS", {"small": small})
    asked = ("run", written(tmp_path), "--home", tmp_path / "home", "-q", "--format", "json")
    asked += ("-o", "evaluation.selection=validation", "-o", "evaluation.networks=small", "-o", "mtt.keep_every=1")
    rows = json.loads(ddbench.done(*[a.replace("mtt.keep_every", "methods.mtt.keep_every") for a in map(str, asked)]))
    sets = {(row["label"], row["synthetic_sha256"]) for row in rows}
    assert len(rows) == 4 and len(sets) == 2


def test_a_set_made_without_validation_images(ddbench, home, made, tmp_path):
    out = tmp_path / "out"
    ddbench.done("export", made, out, "--format", "pt", "--home", home)
    ddbench.done(
        "import", out, "--format", "mtt", "--dataset", "digits", "--space", "meanstd", "--lr", "0.02",
        "--mean", "0.305522", "--std", "0.376121",
        "--network", "convnet-d1-w4", "--out", tmp_path / "s.safetensors", "--home", home, "-q",
    )  # fmt: skip
    asked = ("evaluate", tmp_path / "s.safetensors", "--protocol", "dc-v1", "--seeds", "1", "--home", home, "-q")
    assert "--validation" in ddbench.refused(*asked, "--lr", "search")
    row = json.loads(ddbench.done(*asked, "--lr", "search", "--validation", "0.2", "--format", "json"))[0]
    assert row["lr_policy"] == "search" and "may be chosen on images that the set was made from" in row["note"]
    path = next(path for path in (home / "results").rglob("*.json") if '"given"' in path.read_text())
    assert "verified" in ddbench.done("verify", path, "--set", tmp_path / "s.safetensors", "--home", home, "-q")
    assert "made with a validation split" in ddbench.refused("evaluate", made, "--validation", "0.2", "--home", home)
