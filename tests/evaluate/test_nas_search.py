"""Searching with Optuna: the same way again, budgets, random search beside it; and a set in a study of one's own."""

import json
import sys

import optuna
import pytest
from helpers.evaluation_makers import tiny_real, tiny_synthetic
from helpers.nas_makers import Counted, tiny_space

from ddbench.errors import UserError
from ddbench.evaluate.nas import recipe, search
from ddbench.evaluate.nas.search_report import chosen, render_search
from ddbench.evaluate.score import score

PROTOCOL = recipe(epochs=2, augmentation="none")


@pytest.fixture
def counted(monkeypatch):
    return Counted(monkeypatch)


def searched(folder, **changes):
    real = tiny_real()
    asked = {"space": tiny_space(), "trials": 3, "top": 2, "protocol": PROTOCOL, **changes}
    return search(tiny_synthetic(real), real, folder=folder, **asked)


def test_a_search_tries_different_networks_and_trains_the_best_on_real_images(tmp_path, counted):
    found = searched(tmp_path)
    assert len(found.trials) == 3 and set(found.trials) <= set(tiny_space().networks)
    ordered = sorted(found.trials, key=lambda network: -found.trials[network])
    assert [(one.network, one.by) for one in found.found] == [
        (ordered[0], "search"),
        (ordered[1], "search"),
        ("convnet-d3", "default"),
    ]
    real = tiny_real()
    for network, accuracy in found.trials.items():
        common = {"protocol": PROTOCOL, "network": network, "seeds": (0,), "split": "validation"}
        assert score(tiny_synthetic(real), real, **common).accuracy == (accuracy,)
    assert chosen(found).validation == max(one.validation for one in found.found[:2])
    assert len(counted.trained) == 3 + 2 * 3


def test_a_whole_space_is_enough_however_many_trials_are_left(tmp_path):
    assert set(searched(tmp_path, trials=30).trials) == set(tiny_space().networks)


def test_the_same_search_goes_the_same_way_and_an_interrupted_one_goes_on(tmp_path, counted):
    counted.stop = 2
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "here")
    counted.stop = None
    resumed = searched(tmp_path / "here")
    trainings = len(counted.trained)
    assert trainings == len(set(counted.trained)) == 3 + 2 * 3
    assert searched(tmp_path / "here") == resumed and len(counted.trained) == trainings
    assert list(searched(tmp_path / "there").trials.items()) == list(resumed.trials.items())


def test_the_budget_of_seconds_ends_a_search(tmp_path):
    assert len(searched(tmp_path, seconds=0.0).trials) == 1


def test_random_search_has_the_same_budget(tmp_path):
    found = searched(tmp_path, compare=True)
    assert len(found.compared) == 3 and [one.by for one in found.found].count("random search") == 1


def test_networks_that_do_not_fit_the_images_are_gone_round(tmp_path):
    found = searched(tmp_path, space=tiny_space(depth=(1, 4)), trials=4)
    assert set(found.trials) == set(tiny_space().networks)
    with pytest.raises(UserError, match="no network of tiny that was tried"):
        searched(tmp_path, space=tiny_space(depth=(4,)))


def test_every_form_says_what_was_found(tmp_path):
    found = searched(tmp_path, compare=True)
    for form in ("text", "markdown", "csv", "json"):
        assert all(one.network in render_search(found, form) for one in found.found)
    assert json.loads(render_search(found, "json"))["trials"] == dict(found.trials)
    with pytest.raises(UserError, match="no format 'html'"):
        render_search(found, "html")


def test_without_optuna_the_way_out_is_told(tmp_path, monkeypatch, counted):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match="pip install 'optuna>=3.6'"):
        searched(tmp_path)
    assert not counted.trained


def test_nothing_is_no_budget(tmp_path):
    with pytest.raises(UserError, match="at least one trial"):
        searched(tmp_path, trials=0)


def test_a_set_serves_a_study_of_ones_own(tmp_path):
    """The three lines of the README: load, to_dataset, train on it, in an objective that knows nothing of ddbench."""
    import torch
    from torch.utils.data import DataLoader

    import ddbench

    real = tiny_real()
    tiny_synthetic(real, ipc=2).save(tmp_path / "synthetic.safetensors")
    syn = ddbench.load_synthetic(tmp_path / "synthetic.safetensors")
    train = syn.to_dataset()
    questions, answers = real.inputs(real.validation), real.validation.labels

    def objective(trial):
        torch.manual_seed(0)
        width, rate = trial.suggest_int("width", 2, 8), trial.suggest_float("lr", 1e-3, 1e-1, log=True)
        network = torch.nn.Sequential(
            torch.nn.Conv2d(1, width, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(36 * width, syn.classes)
        )
        optimizer = torch.optim.Adam(network.parameters(), lr=rate)
        for _ in range(30):
            for images, labels in DataLoader(train, batch_size=256, shuffle=True):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(network(images), labels).backward()
                optimizer.step()
        return (network(questions).argmax(1) == answers).double().mean().item()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=4)
    assert study.best_value > 0.6  # three classes, told by their brightness
