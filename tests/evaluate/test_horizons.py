"""A protocol that tries several numbers of steps: chosen on validation, on test only where that is said, or given."""

from dataclasses import replace

import pytest
import torch
from helpers.evaluation_makers import NETWORK, tiny_real, tiny_synthetic

from ddbench.errors import UserError
from ddbench.evaluate.horizon import choose_horizon
from ddbench.evaluate.leaderboard.make_row import make_row
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import score_real
from ddbench.evaluate.training.train_and_test import SeedResult
from ddbench.evaluate.verify import verify
from ddbench.runtime.compute import Compute

SHORT = replace(
    PROTOCOLS["rat-v1"],
    horizons=(2, 5, 9),
    setting=replace(PROTOCOLS["rat-v1"].setting, epochs=9),
    lr=0.02,
)


def scores_of(real, **options):
    return score(tiny_synthetic(real, lr=None), real, protocol=SHORT, **{"seeds": (0, 1), **options})


def after(real, steps, split="test"):
    """Mean accuracy after a given number of steps, of trainings that end there."""
    return scores_of(real, steps=steps, split=split).accuracy_mean


def results(*by_network):
    return [SeedResult(0.0, True, tuple(accuracies)) for accuracies in by_network]


class TestChoice:
    def test_the_highest_mean_on_the_chosen_split_decides_and_the_other_is_reported(self):
        chosen = choose_horizon((300, 600), results([(0.5, 0.9), (0.6, 0.1)], [(0.6, 0.8), (0.7, 0.2)]), "validation")
        assert (chosen.steps, chosen.accuracy) == (600, (0.1, 0.2))
        assert chosen.tried == pytest.approx({300: 0.55, 600: 0.65})
        assert chosen.note == "tested after 600 steps, chosen on validation (300: 55.0, 600: 65.0)"

    def test_of_equals_the_fewest_steps(self):
        chosen = choose_horizon((300, 600), results([(0.5, 0.5), (0.5, 0.5)]), "test")
        assert chosen.steps == 300 and "the best on TEST, so flattered" in chosen.note


class TestScores:
    def test_one_training_is_tested_as_those_that_end_at_each_horizon(self):
        real = tiny_real()
        validation = {steps: after(real, steps, "validation") for steps in SHORT.horizons}
        test = {steps: after(real, steps) for steps in SHORT.horizons}
        assert len({*validation.values()}) > 1 and len({*test.values()}) > 1
        on_validation, on_test = scores_of(real), scores_of(real, horizon_on="test")
        best = max(validation, key=lambda steps: (validation[steps], -steps))
        assert (on_validation.horizon, on_validation.accuracy_mean) == (best, test[best])
        assert on_test.accuracy_mean == max(test.values()) and "TEST" in on_test.notes[0]
        chosen = scores_of(real, split="validation")
        assert chosen.accuracy_mean == max(validation.values()) and "validation" in chosen.notes[0]

    def test_networks_side_by_side_are_tested_alike(self):
        real = tiny_real()
        alone, together = scores_of(real), scores_of(real, compute=Compute(together=2))
        assert together.accuracy == alone.accuracy and together.notes == alone.notes

    def test_a_given_number_is_not_chosen(self):
        scores = scores_of(tiny_real(), steps=5)
        assert (scores.horizon, scores.steps, scores.notes) == (None, 5, ())

    def test_without_validation_the_number_must_be_given(self):
        real = tiny_real(validation=0)
        with pytest.raises(UserError) as caught:
            scores_of(real)
        assert "rat-v1 chooses the number of steps on validation" in str(caught.value)
        assert "--steps 9" in str(caught.value)
        assert scores_of(real, steps=2).accuracy and scores_of(real, horizon_on="test").accuracy

    def test_sets_of_other_methods_and_real_images_are_scored_as_well(self):
        real = tiny_real()
        syn = tiny_synthetic(real)
        soft = replace(syn, labels=torch.eye(3)[syn.labels], label_kind="probabilities")
        assert all(0 <= score(one, real, protocol=SHORT, seeds=(0,)).accuracy_mean <= 1 for one in (syn, soft))
        assert score_real(real, protocol=SHORT, network=NETWORK).horizon in SHORT.horizons

    def test_a_fixed_number_of_epochs_is_a_fixed_horizon(self):
        real = tiny_real()
        fixed = SHORT.with_epochs(5)
        assert fixed.horizons == () and fixed.fingerprint != SHORT.fingerprint
        scores = score(tiny_synthetic(real, lr=None), real, protocol=fixed, seeds=(0, 1))
        assert scores.accuracy_mean == after(real, 5)


@pytest.mark.parametrize("selection", ["last", "oracle"])
def test_a_row_says_how_it_was_chosen_and_is_verified(selection, monkeypatch):
    monkeypatch.setattr("ddbench.evaluate.protocols.builtin.PROTOCOLS", {**PROTOCOLS, "rat-v1": SHORT})
    real = tiny_real()
    syn = tiny_synthetic(real, lr=None)
    scores = scores_of(real, horizon_on="test" if selection == "oracle" else "validation")
    row = make_row(syn, real, scores, selection=selection, device="cpu")
    assert ("TEST" in row.note) == (selection == "oracle") and row.steps is None
    assert verify(row, syn, real).identical
