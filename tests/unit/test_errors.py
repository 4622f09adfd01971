"""Errors name the problem, the facts and the fix, and survive being sent between processes."""

import pickle

import pytest

from ddbench.errors import UserError, unknown
from ddbench.registry import Registry


def test_unknown_offers_the_nearest_name():
    error = unknown("method", "mmt", ["mtt", "dm", "tesla"], "mtt.yaml, line 2: method: mmt")
    assert str(error) == (
        "there is no method 'mmt'\n"
        "  from  mtt.yaml, line 2: method: mmt\n"
        "  known dm, mtt, tesla\n"
        "  fix: did you mean 'mtt'?"
    )


def test_unknown_without_a_near_name_says_what_to_do():
    assert unknown("method", "zzzzzz", ["mtt"], fix="ddbench methods").fix == "ddbench methods"


def test_of_many_names_the_three_nearest_are_listed():
    error = unknown("recipe", "mtt-cifr10", [f"mtt-cifar{n}" for n in range(100)])
    assert error.fix == "did you mean 'mtt-cifar10'?" and "mtt-cifar55" not in str(error)
    assert str(error).count("mtt-cifar") == 4


def test_error_survives_pickling():
    error = UserError("a problem", "fact 1", "fact 2", fix="mend it")
    again = pickle.loads(pickle.dumps(error))
    assert (again.problem, again.facts, again.fix, str(again)) == (
        "a problem",
        ("fact 1", "fact 2"),
        "mend it",
        str(error),
    )


class TestRegistry:
    def test_builtin_is_imported_when_asked_for(self):
        table = Registry("thing", {"pi": "math:pi", "broken": "no_such_module:x"})
        assert table.names() == ["broken", "pi"]
        assert 3.14 < table.get("pi") < 3.15

    @pytest.mark.parametrize("target", ["no_such_module:x", "math:tau.pie", "math", "math:"])
    def test_a_plugin_that_does_not_load_is_named(self, target):
        with pytest.raises(UserError, match="the thing 'bad' can not be loaded from") as caught:
            Registry("thing", {"bad": target}).get("bad")
        assert target in str(caught.value)

    def test_registering_a_taken_name_names_both(self):
        table = Registry("thing", {"pi": "math:pi"})
        with pytest.raises(UserError, match="two things are named 'pi'") as caught:
            table.register("pi")(Registry)
        assert "math:pi" in str(caught.value) and "ddbench.registry:Registry" in str(caught.value)

    def test_registering_the_same_definition_again_is_allowed(self):
        table = Registry("thing", {})
        assert table.register("r")(Registry) is table.register("r")(Registry)
        assert table.get("r") is Registry

    def test_wrong_name(self):
        with pytest.raises(UserError, match="there is no thing 'pie'") as caught:
            Registry("thing", {"pi": "math:pi"}).get("pie", "my.yaml, line 3")
        assert "did you mean 'pi'?" in str(caught.value) and "my.yaml, line 3" in str(caught.value)

    def test_every_builtin_method_loads(self):
        from ddbench.methods import METHODS

        for name in METHODS.names():
            assert METHODS.get(name).__doc__, f"{name} has no docstring"
