"""Sweeps: every method again under each entry that changes it, and what an entry may say."""

import json
from pathlib import Path

import pytest
from helpers.command_line import RECIPE, only, written
from helpers.recipe_makers import by_label, jobs, line_of, refusal, text_of

from ddbench.pipeline.jobs import jobs_of, resolved
from ddbench.recipe.recipe import load_recipe

SWEEP = """\
sweep:
  tesla-gradient: {method.unroll: tesla}
  no-momentum: {methods.ast.student_momentum: 0, method.match: final}
  sgd-experts: {experts.optimizer: sgd}
"""


class TestSweep:
    def test_every_method_again_under_each_entry_that_changes_it(self, tmp_path):
        found = jobs(tmp_path, text_of("random", "mtt", "ast", more=SWEEP))
        want = [
            "random",
            "mtt",
            "mtt-tesla-gradient",
            "ast",
            "ast-tesla-gradient",
            "ast-no-momentum",
            "ast-sgd-experts",
        ]
        assert [(job.label, job.ipc) for job in found] == [(label, ipc) for label in want for ipc in (1, 10)]
        made = by_label(found)
        assert (made["ast"].method.unroll.kind, made["ast-tesla-gradient"].method.unroll.kind) == ("adjoint", "tesla")
        plain, bare = made["ast"].method, made["ast-no-momentum"].method
        assert (plain.student_momentum, plain.match.kind) == (0.9, "intermediate")
        assert (bare.student_momentum, bare.match.kind, bare.balanced_loss) == (0, "final", True)
        folders = {made[label].buffer.folder for label in ("mtt", "ast", "ast-no-momentum", "ast-sgd-experts")}
        experts = made["ast-sgd-experts"].buffer.recipe
        assert len(folders) == 3 and (experts.optimizer.kind, experts.momentum) == ("sgd", 0.9)
        assert len({job.folder for job in found}) == len(found)
        assert {job.name for job in found if job.label.startswith("ast")} == {"ast"}

    def test_without_it_nothing_is_named_anew(self, tmp_path):
        """A sweep may be added to a recipe that was run: its runs and rows stay."""
        plain, swept = (by_label(jobs(tmp_path, text_of("mtt", "ast", more=more))) for more in ("", SWEEP))
        assert len(swept) > len(plain) == 2
        assert all(swept[label].folder == job.folder for label, job in plain.items())
        loaded = [load_recipe(str(written(tmp_path, text_of("mtt", "ast", more=more)))) for more in ("", SWEEP)]
        said = [resolved(one, plain["mtt"], ["mlp"]) for one in loaded]
        assert said[0] == said[1] and "sweep" not in said[0]

    def test_the_settings_of_a_row_are_the_final_ones(self, tmp_path):
        loaded = load_recipe(str(written(tmp_path, text_of("ast", more=SWEEP))))
        job = by_label(jobs_of(loaded, "convnet-d1-w4", tmp_path))["ast-no-momentum"]
        said = resolved(loaded, job, ["mlp"])
        settings = said["methods"]["ast-no-momentum"]
        assert (settings["method"], settings["student_momentum"], settings["match"]) == ("ast", 0, {"kind": "final"})
        assert said["experts"]["optimizer"]["kind"] == "smooth"

    def test_only_where_it_changes_something(self, tmp_path):
        """At ipc 10 the entry has that number of iterations already."""
        text = text_of("mtt", more="sweep: {long: {method.iterations: 9}}\n")
        text = text.replace("    image_lr: 10\n", "    image_lr: 10\n    by_ipc: {10: {iterations: 9}}\n")
        assert [(job.label, job.ipc) for job in jobs(tmp_path, text)] == [("mtt", 1), ("mtt", 10), ("mtt-long", 1)]

    def test_it_beats_by_ipc_and_leaves_an_entrys_experts(self, tmp_path):
        text = text_of("mtt", "ftd", more="sweep: {x: {method.iterations: 8, experts.optimizer: smooth}}\n")
        text = text.replace("    image_lr: 10\n", "    image_lr: 10\n    by_ipc: {10: {iterations: 9}}\n")
        found = {(job.label, job.ipc): job for job in jobs(tmp_path, text, "methods.ftd.experts.optimizer=gsam")}
        assert {found[f"{label}-x", ipc].method.iterations for label in ("mtt", "ftd") for ipc in (1, 10)} == {8}
        assert found["mtt", 10].method.iterations == 9
        kinds = [found[f"{label}-x", 1].buffer.recipe.optimizer.kind for label in ("mtt", "ftd")]
        assert kinds == ["smooth", "gsam"]

    def test_the_command_line_applies_to_all_and_wins(self, tmp_path):
        text = text_of("random", "mtt", more="sweep: {t: {method.unroll: tesla}, n: {method.inner_steps: 9}}\n")
        found = by_label(jobs(tmp_path, text, "method.iterations=3"))
        assert {found[label].method.iterations for label in ("mtt", "mtt-t", "mtt-n")} == {3}
        assert set(by_label(jobs(tmp_path, text, "method.unroll=full"))) == {"random", "mtt", "mtt-n"}
        assert set(by_label(jobs(tmp_path, text, "methods={random: {}}"))) == {"random"}

    def test_the_sweep_itself_is_changed_on_the_command_line(self, tmp_path):
        text = text_of("mtt", more=SWEEP.replace("methods.ast.student_momentum: 0, ", ""))
        assert set(by_label(jobs(tmp_path, text, "sweep={}"))) == {"mtt"}
        assert "mtt-short" in by_label(jobs(tmp_path, text, "sweep.short={method.inner_steps: 1}"))

    def test_experts_alone_make_no_second_job_of_what_needs_none(self, tmp_path):
        text = text_of("random", "mtt", more="sweep: {few: {experts.count: 1}}\n")
        found = by_label(jobs(tmp_path, text))
        assert set(found) == {"random", "mtt", "mtt-few"}
        assert found["mtt-few"].buffer.folder == found["mtt"].buffer.folder
        assert found["mtt-few"].folder != found["mtt"].folder

    @pytest.mark.parametrize(
        ("entry", "problem"),
        [
            ("{dataset: mnist}", "it varies methods and experts, so that its rows can be ranked together"),
            ("{evaluation.seeds: 1}", "can not change 'evaluation.seeds'"),
            ("{network: mlp}", "can not change 'network'"),
            ("{method: {unroll: tesla}}", "as in  method.unroll: tesla"),
            ("{methods.mtt: {}}", "begin the key with  method."),
            ("{method..unroll: tesla}", "begin the key with  method."),
            ("{methods.mt.unroll: tesla}", "did you mean 'mtt'?"),
            ("{method.unrol: tesla}", "did you mean 'unroll'?"),
            ("{methods.mtt.unrol: tesla}", "did you mean 'unroll'?"),
            ("{method.unroll: telsa}", "did you mean 'tesla'?"),
            ("{experts.optimiser: sgd}", "did you mean 'optimizer'?"),
            ("{experts.lr: -1}", "greater than 0"),
            ("{experts.epochs: 1, method.inner_steps: 5}", "looks at 3 epochs"),
            ("{method.image_lr.x: 1}", "no keys of its own"),
            ("{}", "changes nothing"),
            ("", "changes nothing"),
            ("3", "a mapping"),
        ],
    )
    def test_mistakes_name_the_line_of_the_entry(self, tmp_path, entry, problem):
        text = text_of("random", "mtt", more=f"sweep:\n  x: {entry}\n")
        said = refusal(tmp_path, text)
        assert problem in said and f"my.yaml, line {line_of(text, 'x:')}: sweep.x" in said, said

    def test_a_combination_that_does_not_work_names_the_entry(self, tmp_path):
        """Nothing in the sweep is wrong by itself, nor in the recipe."""
        text = text_of("mtt", more="sweep: {noise: {method.init: noise}}\n")
        text = text.replace("    image_lr: 10\n", "    image_lr: 10\n    labels: learned\n")
        said = refusal(tmp_path, text)
        assert "noise shows nothing" in said and f"under my.yaml, line {line_of(text, 'sweep:')}: sweep.noise" in said

    @pytest.mark.parametrize("name", ["a/b", "'a b'", "-x", "''"])
    def test_names_are_labels(self, tmp_path, name):
        text = text_of("mtt", more=f"sweep:\n  {name}: {{method.unroll: tesla}}\n")
        said = refusal(tmp_path, text)
        assert "can not be the name of an entry of the sweep" in said
        assert f"my.yaml, line {line_of(text, name)}: sweep." in said

    def test_a_number_is_a_name(self, tmp_path):
        assert "mtt-3" in by_label(jobs(tmp_path, text_of("mtt", more="sweep: {3: {method.inner_steps: 5}}\n")))

    def test_labels_stay_apart(self, tmp_path):
        text = text_of("mtt", "mtt-x", more="sweep: {x: {method.unroll: tesla}}\n")
        text = text.replace("mtt-x:", "mtt-x:\n    method: mtt")
        said = refusal(tmp_path, text)
        assert "two methods would be labeled 'mtt-x'" in said
        assert f"mtt under my.yaml, line {line_of(text, 'sweep:')}: sweep.x" in said
        assert f"mtt-x of my.yaml, line {line_of(text, 'mtt-x:')}: methods.mtt-x" in said
        text = text_of("ftd", more="sweep: {plain: {method.ema_decay: null}}\n")
        assert "two methods would be labeled 'ftd-plain'" in refusal(tmp_path, text)


@pytest.mark.slow
def test_a_sweep_with_soft_labels_from_the_recipe_to_the_table(ddbench, tmp_path):
    more = "sweep: {tesla-gradient: {method.unroll: tesla}, soft: {methods.mtt.labels: static}}\n"
    recipe, home = written(tmp_path, RECIPE + more), tmp_path / "new"
    labels = ["random", "mtt", "mtt-tesla-gradient", "mtt-soft", "random-soft"]
    plan = json.loads(ddbench.done("plan", recipe, "--home", home, "--format", "json"))
    assert [row["method"] for row in plan["sets"]] == labels
    assert "5 fresh networks" in plan["evaluation"]
    rows = json.loads(ddbench.done("run", recipe, "--home", home, "-q", "--format", "json"))
    assert sorted(row["label"] for row in rows) == sorted(labels)
    assert {row["label"]: row["method"] for row in rows}["mtt-tesla-gradient"] == "mtt"
    board = ddbench.done("leaderboard", "--home", home)
    assert all(any(line.split()[0] == label for line in board.splitlines() if line) for label in labels)
    row = json.loads(Path(only(home, "results/digits/ipc1/random-soft-*.json")).read_text())
    epochs = row["recipe"]["experts"]["epochs"]
    said = {"method": "random-soft", "label_expert_epoch": epochs, "teachers": "all"}
    assert row["recipe"]["methods"] == {"random-soft": said} and "sweep" not in row["recipe"] and epochs > 1
    assert "verified: identical" in ddbench.done("verify", only(home, "results/*/*/random-soft-*.json"), "--home", home)


def test_experts_of_a_sweep_are_trained_for_the_largest_wish(ddbench, tmp_path):
    recipe = written(tmp_path, RECIPE + "sweep: {few: {experts.count: 1}}\n")
    assert ddbench.done("buffer", recipe, "--home", tmp_path / "home", "-q").startswith("2 experts of ")


def test_a_mistake_in_a_sweep_on_the_command_line(ddbench, tmp_path):
    recipe = written(tmp_path, RECIPE + "sweep:\n  big:\n    dataset: mnist\n")
    said = ddbench.refused("run", recipe, "--home", tmp_path / "home", "-q")
    assert "tiny.yaml, line 22: sweep.big.dataset" in said and "methods and experts" in said
    assert not (tmp_path / "home").exists()


class TestIpcOfOneMethod:
    def test_it_is_run_at_some_of_the_recipes_numbers(self, tmp_path):
        text = text_of("random", "mtt", "ast", more=SWEEP).replace("  mtt:\n", "  mtt:\n    ipc: 10\n")
        found = [(job.label, job.ipc) for job in jobs(tmp_path, text) if "ast" not in job.label]
        assert found == [("random", 1), ("random", 10), ("mtt", 10), ("mtt-tesla-gradient", 10)]

    @pytest.mark.parametrize("wrong", ["2", "[1, 2]", "[]", "'1'", "true"])
    def test_another_number_is_refused(self, tmp_path, wrong):
        text = text_of("mtt", "ast").replace("  mtt:\n", f"  mtt:\n    ipc: {wrong}\n")
        said = refusal(tmp_path, text)
        assert f"my.yaml, line {line_of(text, 'ipc: ' + wrong)}: methods.mtt.ipc" in said and "1, 10" in said
