"""``ddbench methods NAME``: every setting, its default, and what it means."""

import json

import pytest
from helpers.command_line import Ddbench

from ddbench.commands.method_docs import REQUIRED, settings_table
from ddbench.methods import METHODS


@pytest.fixture
def ddbench(capsys):
    return Ddbench(capsys)


def table(name):
    return {line["setting"]: line for line in settings_table(METHODS.get(name))}


@pytest.mark.parametrize("name", METHODS.names())
def test_every_setting_is_there_and_says_what_it_is(name):
    found = table(name)
    assert set(METHODS.get(name).model_fields) <= set(found)
    assert [setting for setting, line in found.items() if not line["what"]] == []


def test_defaults_are_those_of_the_method_and_not_of_the_family():
    datm, ast = table("datm"), table("ast")
    assert (datm["labels"]["default"], ast["labels"]["default"]) == ("learned", "hard")
    assert (datm["guard.threshold"]["default"], ast["guard.threshold"]["default"]) == ("1.0", "null")
    assert (datm["guard.patience"]["default"], ast["guard.patience"]["default"]) == ("500", "50")
    assert (datm["inner_steps"]["default"], datm["growth.first"]["default"]) == (REQUIRED, REQUIRED)
    assert ast["student_momentum"]["default"] == "0.9" and "velocity" in ast["student_momentum"]["what"]


def test_kinds_of_a_part_are_named_with_what_is_theirs():
    datm = table("datm")
    assert datm["labels"]["what"].endswith("One of hard, target, learned, static")
    assert datm["labels.lr"]["what"].startswith("learned: ")
    assert datm["unroll"]["what"].endswith("One of adjoint, full, tesla, truncated")
    assert datm["augmentation"]["what"].endswith("One of dsa, none")


def test_the_page(ddbench):
    out = ddbench.done("methods", "ast")
    assert out.startswith("AST: alignment with smooth experts. Shen et al. 2023, https://arxiv.org/abs/2310.10541.")
    assert "experts, where a recipe does not say: optimizer: smooth, lr: 0.003, momentum: 0.9" in out
    assert max(map(len, out.splitlines())) < 160
    read = json.loads(ddbench.done("methods", "ast", "--format", "json"))
    assert read[0] == {"setting": "inner_steps", "default": REQUIRED, "what": read[0]["what"]}
    assert "did you mean 'datm'?" in ddbench.refused("methods", "datn")
