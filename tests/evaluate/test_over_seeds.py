"""Rows of several distillation seeds: merged by setting, each spread named, and made in one go."""

import csv
import io
import json
import math
from statistics import fmean, pstdev

import numpy as np
import pytest
from helpers.command_line import written
from helpers.evaluation_makers import make_tiny_row
from hypothesis import given
from hypothesis import strategies as st

from ddbench.evaluate.leaderboard.over_seeds import plus_minus, settings_of, spread
from ddbench.evaluate.leaderboard.page.page_rows import page_rows
from ddbench.evaluate.leaderboard.ranking import leaderboard
from ddbench.evaluate.leaderboard.render import render
from ddbench.evaluate.leaderboard.row import load_rows


def row_of_seed(seed, accuracy, label="mtt", **changes):
    fields = {
        "label": label,
        "accuracy": tuple(accuracy),
        "seeds": tuple(range(len(accuracy) * seed, len(accuracy) * (seed + 1))),
        "recipe": {"dataset": "digits", "ipc": [1], "seed": 0, **({"seeds": [seed]} if seed else {})},
        "distillation_seed": seed,
        "synthetic_sha256": f"{label}-{seed}",
    }
    return make_tiny_row(**{**fields, **changes})


ROWS = [row_of_seed(0, (0.5, 0.7)), row_of_seed(1, (0.7, 0.9)), row_of_seed(2, (0.6, 0.6))]


class TestSpread:
    @given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=6), min_size=1, max_size=5))
    def test_against_numpy(self, values):
        found = spread(values)
        means = [np.mean(scores) for scores in values]
        assert found.mean == pytest.approx(np.mean(means))
        if len(values) == 1:
            assert found.distillation_std is None
        else:
            assert found.distillation_std == pytest.approx(np.std(means), abs=1e-12)
        several = [np.var(scores) for scores in values if len(scores) > 1]
        if several:
            assert found.evaluation_std == pytest.approx(math.sqrt(np.mean(several)), abs=1e-12)
        else:
            assert found.evaluation_std is None

    @pytest.mark.parametrize(
        ("values", "text"),
        [
            ([(0.5, 0.7)], "10.0"),
            ([(0.5,)], ""),
            ([(0.5,), (0.7,)], "10.0 / -"),
            ([(0.5, 0.7), (0.7, 0.9)], "10.0 / 10.0"),
        ],
    )
    def test_as_text(self, values, text):
        assert plus_minus(vars(spread(values))) == text


class TestSettings:
    def test_rows_that_differ_in_the_distillation_seed_share_one(self):
        assert len(set(settings_of(ROWS, [""] * 3))) == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"recipe": {"dataset": "digits", "ipc": [1], "seed": 0, "seeds": [1], "size": 9}},
            {"network": "resnet18"},
            {"selection": "oracle"},
            {"label": "mtt-long"},
            {"steps": 100},
        ],
    )
    def test_rows_that_differ_in_anything_else_do_not(self, other):
        assert len(set(settings_of([ROWS[0], row_of_seed(1, (0.7, 0.9), **other)], ["", ""]))) == 2

    def test_the_same_seed_twice_is_not_two_distillations(self):
        again = row_of_seed(1, (0.2, 0.2), synthetic_sha256="another code")
        first, second, third = settings_of([ROWS[0], ROWS[1], again], [""] * 3)
        assert first == second != third

    def test_sets_that_came_as_they_are_stand_alone(self):
        given_sets = [row_of_seed(s, (0.5, 0.6), selection="given", distillation_seed=None) for s in (0, 1)]
        assert len(set(settings_of(given_sets, ["", ""]))) == 2

    def test_a_row_of_the_old_schema_says_its_seed_in_the_recipe(self):
        old = row_of_seed(0, (0.5, 0.7), distillation_seed=None, schema=1)
        assert old.made_with_seed == 0 and len(set(settings_of([old, ROWS[1]], ["", ""]))) == 1


class TestTables:
    RIVAL = row_of_seed(0, (0.66, 0.66), label="random")

    def test_one_line_a_setting_with_both_spreads(self):
        means = [fmean(row.accuracy) for row in ROWS]
        within = math.sqrt(fmean(pstdev(row.accuracy) ** 2 for row in ROWS))
        expected = f"{100 * fmean(means):.1f} ± {100 * pstdev(means):.1f} / {100 * within:.1f} %"
        text = render([*ROWS, self.RIVAL], details=True)
        (line,) = [line for line in text.splitlines() if line.startswith("mtt")]
        assert line.startswith("mtt *") and expected in line and "seeds 0, 1, 2" in line
        assert "over distillation seeds" in text and "over evaluation seeds" in text
        by_ipc = render([*ROWS, self.RIVAL, row_of_seed(0, (0.9, 0.9), ipc=10)])
        assert expected.removesuffix(" %") in by_ipc

    def test_ranked_by_the_mean_over_seeds_not_by_the_luckiest(self):
        lucky = [row_of_seed(0, (0.9,), label="lucky"), row_of_seed(1, (0.1,), label="lucky")]
        table = leaderboard([*lucky, self.RIVAL])
        assert table["label"].tolist() == ["random", "lucky", "lucky"]
        assert table["best"].tolist() == [True, False, False]

    def test_json_and_csv_keep_every_row(self):
        rows = json.loads(render([*ROWS, self.RIVAL], "json"))
        assert [row["distillation_seed"] for row in rows if row["label"] == "mtt"] == [0, 1, 2]
        assert {tuple(row["over_seeds"]["distillation_seeds"]) for row in rows if row["label"] == "mtt"} == {(0, 1, 2)}
        lines = list(csv.DictReader(io.StringIO(render([*ROWS, self.RIVAL], "csv"))))
        assert len(lines) == 4 and len({line["setting"] for line in lines}) == 2

    def test_the_page_has_one_line_with_all_its_runs(self):
        line, rival = page_rows([*ROWS, self.RIVAL], {})
        assert len(line.runs) == 3 and (line.rank, line.rivals, rival.rank) == (1, 2, 2)
        assert line.mean == pytest.approx(fmean(fmean(row.accuracy) for row in ROWS))

    def test_a_single_network_has_no_spread(self):
        text = render([row_of_seed(0, (0.5,))])
        assert "50.0 %" in text and "±" not in text


class TestUnranked:
    def test_no_star_and_the_reason_is_said(self):
        stuck = row_of_seed(0, (0.8, 0.9), unranked="its images and labels are those that its distillation began with")
        low, other = row_of_seed(0, (0.2, 0.3), label="random"), row_of_seed(0, (0.1, 0.1), label="herding")
        text = render([stuck, low, other])
        assert "mtt ~" in text and "random *" in text and f"mtt: {stuck.unranked}" in text
        assert [line.rank for line in page_rows([stuck, low, other], {})] == [None, 1, 2]

    def test_a_run_whose_every_step_was_undone(self, ddbench, tmp_path):
        home = tmp_path / "home"
        ddbench.done("run", written(tmp_path), "--home", home, "-q", "-o", "methods.mtt.image_lr=1e30")
        rows = {row.label: row for row in load_rows([home / "results"])}
        assert rows["mtt"].unranked == "its images and labels are those that its distillation began with"
        assert rows["random"].unranked == ""


class TestRun:
    def test_all_seeds_in_one_go_with_the_same_experts(self, ddbench, tmp_path):
        home, recipe = tmp_path / "home", written(tmp_path)
        out = ddbench.done("run", recipe, "--home", home, "--seeds", "0,2")
        assert "mtt ipc 1 seed 0" in out and "mtt ipc 1 seed 2" in out and "--seeds 0,2" in out
        rows = load_rows([home / "results"])
        assert sorted((row.label, row.distillation_seed) for row in rows) == [
            ("mtt", 0), ("mtt", 2), ("random", 0), ("random", 2)
        ]  # fmt: skip
        assert len({row.synthetic_sha256 for row in rows}) == 4 and len(list((home / "buffers").iterdir())) == 1
        alone = ddbench.done("run", recipe, "--home", tmp_path / "alone", "-q")
        single = {row.label: row for row in load_rows([tmp_path / "alone" / "results"])}
        for row in rows:
            if row.distillation_seed == 0:
                assert row.accuracy == single[row.label].accuracy and row.recipe == single[row.label].recipe
        assert "seed" not in alone.splitlines()[2]

    def test_the_recipe_says_the_same(self, ddbench, tmp_path):
        for name, more in (("option", ("--seeds", "1,3")), ("key", ("-o", "seeds=[1, 3]"))):
            ddbench.done("run", written(tmp_path), "--home", tmp_path / name, "-q", *more)
        option, key = (
            {row.path(tmp_path): row.accuracy for row in load_rows([tmp_path / name / "results"])}
            for name in ("option", "key")
        )
        assert option == key and len(key) == 4

    @pytest.mark.parametrize("seeds", ["0,x", "", "1,1", "-1", "1.5", "9" * 30])
    def test_what_is_no_list_of_seeds_is_refused(self, ddbench, recipe, tmp_path, seeds):
        assert "seeds" in ddbench.refused("run", recipe, "--home", tmp_path / "home", "--seeds", seeds)
