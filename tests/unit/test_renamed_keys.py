"""Recipe keys that were renamed: the old one is refused with the new one's name, and identities stay what they were."""

import json
from dataclasses import asdict

import pytest
from helpers.evaluation_makers import make_tiny_row

from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import load_row
from ddbench.methods import METHODS
from ddbench.recipe.renamed_keys import RENAMED_KEYS, recipe_with_current_names, recipe_with_former_names

OLD = {"pixels": {"kind": "real"}, "labels": {"kind": "hard"}, "teacher_epoch": None}
NEW = {"init": {"kind": "real"}, "labels": {"kind": "hard"}, "label_expert_epoch": None}


def recipe_of(settings, method="mtt"):
    return {"dataset": "digits", "methods": {"mine": {"method": method, **settings}}}


@pytest.mark.parametrize(("old", "new"), [("pixels: noise", "init"), ("teacher_epoch: 3", "label_expert_epoch")])
def test_recipe_with_an_old_key_is_refused_with_the_new_name(tmp_path, ddbench, old, new):
    path = tmp_path / "mine.yaml"
    path.write_text(f"dataset: digits\nnetwork: convnet-d3\nipc: [1]\nmethods:\n  mtt:\n    {old}\n    iterations: 5\n")
    called = ddbench("plan", path)
    assert called.status == 2
    assert f"is called {new!r} now" in called.err and "mine.yaml, line 6" in called.err


def test_settings_that_define_a_run_keep_the_names_of_its_folder():
    mtt = METHODS.get("mtt")(inner_steps=2, max_start_epoch=1, image_lr=1.0, init="noise")
    settings = mtt.defining_settings()
    assert settings["pixels"] == {"kind": "noise"} and settings["teacher_epoch"] is None
    assert not {"init", "label_expert_epoch"} & settings.keys()


@pytest.mark.parametrize("method", RENAMED_KEYS)
def test_every_new_name_is_a_setting_of_its_method(method):
    kind = METHODS.get(method)
    assert set(RENAMED_KEYS[method].values()) <= kind.model_fields.keys()
    assert RENAMED_KEYS[method] == kind.RENAMED


def test_recipe_names_go_there_and_back():
    assert recipe_with_current_names(recipe_of(OLD)) == recipe_of(NEW) == recipe_with_current_names(recipe_of(NEW))
    assert recipe_with_former_names(recipe_of(NEW)) == recipe_of(OLD) == recipe_with_former_names(recipe_of(OLD))
    assert list(recipe_with_former_names(recipe_of(NEW))["methods"]["mine"]) == ["method", *OLD]


def test_settings_of_other_methods_keep_their_names():
    assert recipe_with_current_names(recipe_of(OLD, "theirs")) == recipe_of(OLD, "theirs")


def test_row_made_before_is_shown_by_new_names_in_its_old_file(tmp_path):
    path = tmp_path / "row.json"
    path.write_text(json.dumps(asdict(make_tiny_row(recipe=recipe_of(OLD)))))
    row = load_row(path)
    assert row.recipe == recipe_of(NEW)
    assert row.question == make_tiny_row(recipe=recipe_of(OLD)).question


def test_unknown_key_is_refused_as_before(tmp_path):
    with pytest.raises(UserError, match="no recipe key"):
        from ddbench.recipe import load_recipe

        path = tmp_path / "mine.yaml"
        path.write_text("dataset: digits\nipc: [1]\npixels: noise\nmethods: {random: {}}\n")
        load_recipe(path)
