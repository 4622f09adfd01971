"""The JSON schema of recipes: what ships is valid, what is wrong is not."""

import json

import pytest
from helpers.command_line import written

from ddbench.commands import main
from ddbench.recipe.recipe import load_recipe, shipped_recipes

jsonschema = pytest.importorskip("jsonschema")

BASE = {"dataset": "digits", "network": "convnet-d1-w4", "ipc": 1, "methods": {"random": None}}


@pytest.fixture(scope="module")
def validator():
    from ddbench.pipeline.recipe_schema import recipe_schema

    schema = recipe_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def errors(validator, data):
    return [error.message for error in validator.iter_errors(json.loads(json.dumps(data)))]


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_shipped_recipe_is_valid(validator, name):
    assert errors(validator, load_recipe(name).source.data) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"ipc": [1, 10]},
        {"methods": {"mtt": {"labels": "learned", "unroll": "tesla"}}},
        {"methods": {"mtt": {"labels": {"lr": 5}, "by_ipc": {10: {"inner_steps": 3, "experts": {"count": 2}}}}}},
        {"methods": {"long": {"method": "mtt", "inner_steps": 3}, "mtt": {"method": "ftd", "ema_decay": 0.9}}},
        {"experts": {"optimizer": "gsam"}},
        {"experts": {"optimizer": {"alpha": 0.3}}},
        {"evaluation": {"networks": "mtt-pool"}},
        {"sweep": {"first-order": {"method.unroll": "tesla"}}},
    ],
)
def test_form_that_a_recipe_may_have_is_valid(validator, changed):
    assert errors(validator, {**BASE, **changed}) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"datasets": "digits"},
        {"ipc": 0},
        {"ipc": "ten"},
        {"experts": {"cuont": 2}},
        {"experts": {"optimizer": "adam"}},
        {"methods": {"mtt": {"iner_steps": 3}}},
        {"methods": {"mtt": {"by_ipc": {10: {"iner_steps": 3}}}}},
        {"methods": {"mtt": {"unroll": "exact"}}},
        {"methods": {"long": {"inner_steps": 3}}},
        {"methods": {"long": {"method": "mmt"}}},
        {"methods": {"long": {"method": "mtt", "iner_steps": 3}}},
        {"evaluation": {"selection": "test"}},
    ],
)
def test_wrong_key_or_value_is_not_valid(validator, changed):
    assert errors(validator, {**BASE, **changed})


def test_command_prints_the_schema(capsys, tmp_path):
    assert main(["recipes", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["title"] == "ddbench recipe" and "mtt" in schema["properties"]["methods"]["properties"]
    assert errors(jsonschema.Draft7Validator(schema), load_recipe(str(written(tmp_path))).source.data) == []
