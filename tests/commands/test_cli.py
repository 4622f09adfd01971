"""The command line through its real entry point: what each command does, prints, and leaves alone."""

import csv
import io
import json
import math
import time

import pytest
import torch
from helpers.command_line import one_error, only, process, times, written

from ddbench.artifact import load, read_json, write_json
from ddbench.synthetic.synthetic_set import load_synthetic


class TestRun:
    def test_everything_from_the_recipe_to_the_table(self, tmp_path):
        home = tmp_path / "new"
        done = process("run", written(tmp_path), "--home", home)
        assert done.returncode == 0, done.stderr
        for expected in ("digits · dc-v1 · convnet-d1-w4", "mtt", "random", "what to try next", f"--home {home}"):
            assert expected in done.stdout
        assert "distill mtt ipc 1: 100%" in done.stderr and "experts: 100%" in done.stderr and "100%" not in done.stdout
        for name in ("mtt", "random"):
            assert only(home, f"runs/digits-ipc1-{name}-*/synthetic.safetensors").is_file()
            assert only(home, f"runs/digits-ipc1-{name}-*/synthetic.png").is_file()
            assert only(home, f"results/digits/ipc1/{name}-*.json").is_file()
        again = next(line for line in done.stdout.splitlines() if "unroll=tesla" in line)
        assert str(tmp_path / "tiny.yaml") in again

    def test_a_second_time_changes_nothing_and_takes_little(self, ddbench, recipe, home):
        before, began = times(home), time.monotonic()
        first = ddbench.done("run", recipe, "--home", home)
        assert times(home) == before
        assert time.monotonic() - began < 5
        assert "%" in first

    @pytest.mark.slow
    def test_several_networks_select_for_themselves_and_a_second_time_changes_nothing(self, ddbench, recipe, home):
        asked = ("run", recipe, "--home", home, "--format", "json", "-o", "evaluation.selection=validation")
        asked += ("-o", "evaluation.selection_seeds=1", "-o", "evaluation.networks=[convnet-d1-w4, convnet-d1-w5]")
        first = json.loads(ddbench.done(*asked))
        assert {row["network"] for row in first} == {"convnet-d1-w4", "convnet-d1-w5"} and len(first) == 4
        before = times(home)
        assert json.loads(ddbench.done(*asked)) == first
        assert times(home) == before
        for row in sorted(home.glob("results/digits/ipc1/mtt-*.json")):
            assert "verified: identical" in ddbench.done("verify", row, "--home", home)

    def test_a_row_says_how_it_was_evaluated_and_not_how_another_was(self, ddbench, recipe, home):
        out = ddbench.done("run", recipe, "--home", home, "--format", "json", "-o", "evaluation.seeds=2")
        assert {len(row["accuracy"]) for row in json.loads(out)} == {2}
        rows = [read_json(path, "row") for path in home.glob("results/digits/ipc1/*.json")]
        assert {(len(row["seeds"]), row["recipe"]["evaluation"]["seeds"]) for row in rows} == {(1, 1), (2, 2)}

    def test_quiet_says_only_the_table(self, ddbench, recipe, home, tmp_path):
        called = ddbench("run", recipe, "--home", tmp_path / "new", "--quiet")
        assert called.status == 0 and called.err == "" and "what to try" not in called.out
        assert "mtt" in called.out

    @pytest.mark.parametrize(
        ("unroll", "same"), [("adjoint", True), ("full", True), ("tesla", False), ("{kind: truncated, last: 2}", False)]
    )
    def test_the_unroll_is_chosen_on_the_command_line(self, ddbench, recipe, home, unroll, same):
        want = load_synthetic(only(home, "runs/*-mtt-*/synthetic.safetensors"))
        out = ddbench.done("distill", recipe, "--home", home, "-q", "-o", f"method.unroll={unroll}")
        got = load_synthetic(out.splitlines()[-1].split(":  ")[1])
        start = (want.images - got.images).abs().max()
        assert (start < 1e-5) == same and (want.images.std() > 0)
        assert got.provenance["recipe"]["methods"]["mtt"]["unroll"]["kind"] in unroll

    def test_a_seed_gives_another_set_and_another_row(self, ddbench, recipe, home):
        asked = ("evaluate", recipe, "--home", home, "-o", "methods={random: {}}", "--format", "json", "-q")
        (base,), (other,) = json.loads(ddbench.done(*asked)), json.loads(ddbench.done(*asked, "--seed", 3))
        assert base["seeds"] == [0] and other["seeds"] == [3]
        assert base["synthetic_sha256"] != other["synthetic_sha256"]

    def test_home_from_the_environment(self, tmp_path, finished_home):
        done = process("leaderboard", "--format", "json", env={"DDBENCH_HOME": str(finished_home)}, cwd=tmp_path)
        assert done.returncode == 0 and len(json.loads(done.stdout)) == 2
        assert list(tmp_path.iterdir()) == []


class TestStages:
    def test_plan_writes_nothing(self, ddbench, recipe, tmp_path):
        out = ddbench.done("plan", recipe, "--home", tmp_path / "new")
        assert "experts" in out and "peak bytes" in out and "adjoint" in out
        assert "2 fresh networks of 301 epochs by dc-v1" in out
        assert not (tmp_path / "new").exists()

    def test_plan_as_json_agrees_with_what_is_then_there(self, ddbench, recipe, finished_home, tmp_path):
        new = json.loads(ddbench.done("plan", recipe, "--home", tmp_path / "new", "--format", "json"))
        done = json.loads(ddbench.done("plan", recipe, "--home", finished_home, "--format", "json"))
        assert [row["there"] for row in new["sets"]] == ["no", "no"]
        assert [row["there"] for row in done["sets"]] == ["yes", "yes"]
        (buffer,) = done["buffers"]
        assert (buffer["experts"], buffer["of them there"], buffer["epochs"]) == (2, 2, 3)
        tensors, _ = load(only(finished_home, "buffers/*/expert-0000.safetensors"), "expert")
        assert buffer["bytes"] == 2 * tensors["parameters"].numel() * 4
        assert done["parameters"] == tensors["parameters"].shape[1]
        assert done["sets"][1]["inner steps"] == 12 and done["sets"][1]["peak bytes"] > 0

    def test_plan_of_a_published_setting_downloads_nothing(self, ddbench, tmp_path):
        out = ddbench.done("plan", "mtt-cifar10-ipc10", "--home", tmp_path / "new", "--format", "markdown")
        assert "| 100 |" in " ".join(out.split()) and not (tmp_path / "new").exists()

    def test_buffer_then_distill_then_evaluate(self, ddbench, recipe, finished_home, tmp_path):
        home = tmp_path / "new"
        assert "2 experts of 3 epochs" in ddbench.done("buffer", recipe, "--home", home, "-q")
        assert not (home / "runs").exists()
        out = ddbench.done("distill", recipe, "--home", home, "-q")
        assert len(out.splitlines()) == 2 and not (home / "results").exists()
        rows = json.loads(ddbench.done("evaluate", recipe, "--home", home, "-q", "--format", "json"))
        want = json.loads(ddbench.done("leaderboard", "--home", finished_home, "--format", "json"))
        for key in ("method", "accuracy", "seeds", "synthetic_sha256"):
            assert [row[key] for row in rows] == [row[key] for row in want]

    def test_a_recipe_without_experts(self, ddbench, tmp_path):
        asked = ("buffer", written(tmp_path), "--home", tmp_path / "new", "-o", "methods={random: {}}")
        assert "needs no experts" in ddbench.done(*asked)

    def test_evaluate_a_set_by_other_protocols_networks_and_seeds(self, ddbench, home):
        run = only(home, "runs/*-mtt-*")
        out = ddbench.done(
            "evaluate", run, "--home", home, "--network", "mlp", "--network", "convnet-d1-w5", "--seeds", 2,
            "--seed", 5, "--format", "json", "-q",
        )  # fmt: skip
        rows = json.loads(out)
        assert {row["network"] for row in rows} == {"mlp", "convnet-d1-w5"}
        assert all(row["seeds"] == [10, 11] and row["method"] == "mtt" for row in rows)
        assert len(json.loads(ddbench.done("leaderboard", "--home", home, "--format", "json"))) == 4


class TestLeaderboard:
    KEYS = ("method", "dataset", "ipc", "network", "protocol", "selection", "accuracy", "accuracy_mean",
            "accuracy_std", "seeds", "seconds", "bytes")  # fmt: skip

    def test_json(self, ddbench, finished_home):
        rows = json.loads(ddbench.done("leaderboard", "--home", finished_home, "--format", "json"))
        assert {row["method"] for row in rows} == {"mtt", "random"}
        for row in rows:
            assert set(self.KEYS) <= set(row)
            assert isinstance(row["accuracy"], list) and all(0 <= value <= 1 for value in row["accuracy"])
            assert len(row["accuracy"]) == len(row["seeds"]) == 1
            assert row["accuracy_mean"] == row["accuracy"][0] and row["accuracy_std"] == 0
            assert row["bytes"] == 10 * 64 * 4 + 10 * 8 + 4 * (row["method"] == "mtt")
            assert (row["dataset"], row["ipc"], row["network"]) == ("digits", 1, "convnet-d1-w4")

    def test_csv_markdown_and_text_say_the_same(self, ddbench, finished_home):
        rows = json.loads(ddbench.done("leaderboard", "--home", finished_home, "--format", "json"))
        table = list(
            csv.DictReader(io.StringIO(ddbench.done("leaderboard", "--home", finished_home, "--format", "csv")))
        )
        assert [float(row["accuracy_mean"]) for row in table] == [row["accuracy_mean"] for row in rows]
        for form in ("text", "markdown"):
            out = ddbench.done("leaderboard", finished_home / "results", "--format", form)
            assert all(f"{100 * row['accuracy_mean']:.1f} " in out for row in rows)

    def test_only_what_is_asked_for(self, ddbench, finished_home):
        def count(*more):
            return len(json.loads(ddbench.done("leaderboard", "--home", finished_home, "--format", "json", *more)))

        assert count("--dataset", "digits", "--ipc", 1, "--protocol", "dc-v1") == 2
        assert count("--dataset", "mnist") == count("--ipc", 10) == count("--protocol", "mtt-v1") == 0

    def test_an_oracle_is_marked(self, ddbench, recipe, home):
        out = ddbench.done("run", recipe, "--home", home, "-q", "-o", "evaluation.selection=oracle")
        line = next(line for line in out.splitlines() if line.startswith("mtt"))
        assert "oracle !" in line and "*" not in line
        assert "! chosen on the test split" in out


class TestVerify:
    def test_a_row_and_a_set(self, ddbench, finished_home):
        row = only(finished_home, "results/digits/ipc1/mtt-*.json")
        assert "verified: identical" in ddbench.done("verify", row, "--home", finished_home, "-q")
        run = only(finished_home, "runs/*-random-*")
        (report,) = json.loads(ddbench.done("verify", run, "--home", finished_home, "-q", "--format", "json"))
        assert report["passed"] and report["identical"] and report["recorded"] == report["measured"]

    def test_a_row_that_was_changed(self, ddbench, home):
        path = only(home, "results/digits/ipc1/mtt-*.json")
        row = read_json(path, "row")
        row["accuracy"][0] = 1 - row["accuracy"][0]
        write_json(path, row)
        called = ddbench("verify", path, "--home", home, "-q")
        assert called.status == 2 and "NOT verified" in called.out
        assert str(path) in one_error(called.err) and "ddbench evaluate" in called.err

    def test_a_set_that_lies_elsewhere(self, ddbench, home, tmp_path):
        path = only(home, "runs/*-mtt-*/synthetic.safetensors").rename(tmp_path / "moved.safetensors")
        for candidate in home.glob("runs/*-mtt-*/candidates/*"):
            candidate.unlink()
        row = only(home, "results/digits/ipc1/mtt-*.json")
        assert "--set" in ddbench.refused("verify", row, "--home", home)
        assert "identical" in ddbench.done("verify", row, "--home", home, "--set", path)


def test_replay_buffers_go_out_and_come_back(ddbench, recipe, finished_home, tmp_path):
    """Every bit of the experts survives, and a recipe runs on the imported ones."""
    buffer = only(finished_home, "buffers/*")
    out = ddbench.done("export", buffer, tmp_path / "legacy", "--per-file", 1)
    assert [line.rsplit("/")[-1] for line in out.splitlines()] == ["replay_buffer_0.pt", "replay_buffer_1.pt"]
    assert len(torch.load(tmp_path / "legacy" / "replay_buffer_0.pt", weights_only=True)[0]) == 4
    home = tmp_path / "new"
    said = ddbench.done("import", tmp_path / "legacy", "--recipe", recipe, "--home", home)
    assert said.startswith("2 experts of 3 epochs")
    for expert in sorted(buffer.glob("expert-*")):
        want, _ = load(expert, "expert")
        got, _ = load(only(home, f"buffers/*/{expert.name}"), "expert")
        assert torch.equal(got["parameters"], want["parameters"])
    before = times(home / "buffers")
    ddbench.done("distill", recipe, "--home", home, "-q")
    assert times(home / "buffers") == before
    got = load_synthetic(only(home, "runs/*-mtt-*/synthetic.safetensors"))
    want = load_synthetic(only(finished_home, "runs/*-mtt-*/synthetic.safetensors"))
    assert torch.equal(got.images, want.images) and torch.equal(got.student_lr, want.student_lr)
    assert "has experts already" in ddbench.refused("import", tmp_path / "legacy", "--recipe", recipe, "--home", home)


def test_accuracies_are_no_accident(finished_home):
    """The tiny recipe learns something, or the tests above would compare chance with chance."""
    rows = [read_json(path, "row") for path in finished_home.glob("results/*/*/*.json")]
    assert len(rows) == 2 and all(row["accuracy"][0] > 0.4 for row in rows)
    assert all(math.isfinite(row["seconds"]) for row in rows)
