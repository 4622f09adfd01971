"""``ddbench tune``: variants compared on validation alone."""

import json

from helpers.command_line import written

from ddbench.domains.images.tune import Trial, best_trials
from ddbench.evaluate import selection

TEXT = """\
dataset: digits
network: convnet-d1-w4
ipc: [1, 2]
methods:
  random:
  dm: {iterations: 4, keep_every: 2, real_batches: {per_class: 8}}
sweep:
  low: {method.image_lr: 0.1}
evaluation: {protocol: dc-v1, seeds: 1}
"""


def trial(method, variant, ipc, *accuracies, seed=0):
    return Trial(method=method, variant=variant, ipc=ipc, seed=seed, step=1, accuracies=accuracies)


def test_the_best_variant_is_that_of_the_highest_mean_over_seeds_the_first_of_equals():
    trials = [
        trial("dm", "", 1, 0.5, 0.5),
        trial("dm", "", 1, 0.9, 0.9, seed=1),
        trial("dm", "low", 1, 0.8, 0.8),
        trial("dm", "low", 1, 0.7, 0.7, seed=1),
        trial("dm", "", 2, 0.1),
        trial("dm", "low", 2, 0.1),
        trial("mtt", "", 1, 0.2),
        trial("mtt", "low", 1, 0.3),
    ]
    best = best_trials(trials)
    assert [(one.method, one.variant, one.ipc) for one in best] == [("dm", "low", 1), ("dm", "", 2), ("mtt", "low", 1)]
    assert best[0].seed == 0 and best[0].accuracy == 0.8


def test_variants_are_scored_on_validation_and_no_row_is_written(ddbench, tmp_path, monkeypatch):
    tested_on, job = [], selection.CandidateJob.__call__
    monkeypatch.setattr(
        selection.CandidateJob, "__call__", lambda self, *given: tested_on.append(self.split) or job(self, *given)
    )
    command = ["tune", written(tmp_path, TEXT), "--home", tmp_path / "home", "--quiet", "--device", "cpu"]
    command += ["--executor", "serial", "--networks", "1", "--format", "json"]
    trials = json.loads(ddbench.done(*command))
    named = [(one["method"], one["variant"], one["ipc"]) for one in trials]
    assert named == [(m, v, i) for m, v in (("random", ""), ("dm", ""), ("dm", "low")) for i in (1, 2)]
    assert set(tested_on) == {"validation"} and len(tested_on) == 2 + 2 * 2 * 2
    assert not (tmp_path / "home" / "results").exists()
    assert all(len(one["accuracies"]) == 1 and 0 <= one["accuracies"][0] <= 1 for one in trials)
    assert sum(one["best"] for one in trials) == 4
    tested_on.clear()
    assert json.loads(ddbench.done(*command)) == trials and tested_on == []
    text = ddbench.done(*command[:-2])
    assert "digits · dc-v1 · convnet-d1-w4 · validation" in text and "as written" in text and "low" in text


def test_a_recipe_without_validation_is_refused(ddbench, tmp_path):
    said = ddbench.refused(
        "tune",
        written(tmp_path, TEXT.replace("seeds: 1", "seeds: 1, selection: last") + "validation: 0\n"),
        "--home",
        tmp_path / "home",
    )
    assert "nothing was cut off" in said and "validation: 0.1" in said
