"""Recipes: read once, whole; every mistake is named with file, line, key, and what would be right."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.methods.datm import DATM
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.recipe import load_recipe, shipped_recipes
from ddbench.recipe.settings import validate
from ddbench.recipe.yaml_source import YamlSource, read_source

GOOD = """\
dataset: digits
network: convnet-d2-w32
ipc: 1
experts:
  count: 2
  lr: 0.02
methods:
  random:
  mtt:
    inner_steps: 20
    max_start_epoch: 12
    image_lr: 1e2
    unroll: tesla
"""


def write(tmp_path, text, name="my.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def complaint(tmp_path, text, *overrides):
    with pytest.raises(UserError) as caught:
        load_recipe(write(tmp_path, text), list(overrides))
    return str(caught.value)


def test_a_good_recipe(tmp_path):
    loaded = load_recipe(write(tmp_path, GOOD))
    assert loaded.name == "my"
    assert loaded.recipe.ipc == (1,)
    assert loaded.recipe.experts.lr == 0.02 and loaded.recipe.experts.batch == 256
    entry = loaded.entry("mtt", 1)
    assert entry.name == "mtt" and entry.settings["image_lr"] == 100.0 and entry.experts == {}
    assert loaded.experts(entry, {}).count == 2 and loaded.sweep == {}


def test_unknown_key_offers_the_nearest_with_file_and_line(tmp_path):
    said = complaint(tmp_path, GOOD.replace("network:", "netwrok:"))
    assert "there is no recipe key 'netwrok' here" in said
    assert "my.yaml, line 2: netwrok" in said and "did you mean 'network'?" in said


def test_unknown_key_inside_a_part(tmp_path):
    said = complaint(tmp_path, GOOD.replace("  count: 2", "  cuont: 2"))
    assert "my.yaml, line 5: experts.cuont" in said and "did you mean 'count'?" in said


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("  count: 2", "  count: two", 5, "experts.count"),
        ("  count: 2", "  count: 0", 5, "greater than or equal to 1"),
        ("  lr: 0.02", "  lr: -1", 6, "greater than 0"),
        ("  lr: 0.02", "  lr: .nan", 6, "finite"),
        ("ipc: 1", "ipc: [1, 0]", 3, "ipc"),
        ("ipc: 1", "ipc: 1\npreprocessing: zcaa", 4, "did you mean 'zca'?"),
        ("ipc: 1", "ipc: 1\nvalidation: 1.5", 4, "less than 1"),
        ("ipc: 1", "ipc: true", 3, "ipc"),
    ],
)
def test_wrong_types_and_ranges(tmp_path, old, new, line, word):
    said = complaint(tmp_path, GOOD.replace(old, new))
    assert f"line {line}" in said and word in said


def test_missing_key(tmp_path):
    assert "the key 'dataset' is missing" in complaint(tmp_path, GOOD.replace("dataset: digits\n", ""))


def test_key_given_twice_names_both_lines(tmp_path):
    said = complaint(tmp_path, GOOD + "ipc: 10\n")
    assert "gives the key 'ipc' twice" in said and "line 3" in said and "line 14" in said


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "\tx: 1"])
def test_text_that_is_no_yaml_names_the_line(tmp_path, text):
    said = complaint(tmp_path, "dataset: digits\n" + text)
    assert "my.yaml is not YAML: line" in said


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_text_that_is_no_mapping(tmp_path, text):
    assert "does not hold a mapping" in complaint(tmp_path, text)


def test_yaml_runs_no_code(tmp_path):
    assert "not YAML" in complaint(tmp_path, "dataset: !!python/object/apply:os.system ['true']\n")


def test_unknown_recipe_and_missing_file():
    with pytest.raises(UserError, match="there is no recipe 'quikstart'") as caught:
        load_recipe("quikstart")
    assert "did you mean 'quickstart'?" in str(caught.value)
    with pytest.raises(UserError, match="there is no recipe nowhere.yaml"):
        load_recipe("nowhere.yaml")


class TestOverrides:
    def test_value_and_its_place_in_errors(self, tmp_path):
        path = write(tmp_path, GOOD)
        assert load_recipe(path, ["ipc=[1,10]"]).recipe.ipc == (1, 10)
        assert load_recipe(path, ["experts.lr=1e-3"]).recipe.experts.lr == 1e-3
        with pytest.raises(UserError, match="-o experts.lr=no"):
            load_recipe(path, ["experts.lr=no"])

    def test_method_means_every_method(self, tmp_path):
        loaded = load_recipe(write(tmp_path, GOOD), ["method.unroll=full"])
        assert loaded.entry("mtt", 1).settings["unroll"] == "full"
        assert ("methods", "random", "unroll") in loaded.source.broadcast

    @pytest.mark.parametrize("text", ["ipc", "=3", "a..b=1"])
    def test_malformed(self, tmp_path, text):
        with pytest.raises(UserError, match="form key.path=value"):
            load_recipe(write(tmp_path, GOOD), [text])

    def test_into_a_scalar(self, tmp_path):
        with pytest.raises(UserError, match="has no keys of its own"):
            load_recipe(write(tmp_path, GOOD), ["dataset.name=digits"])


def test_by_ipc_and_experts_of_a_method(tmp_path):
    text = GOOD + "    by_ipc: {10: {inner_steps: 5}}\n    experts: {lr: 0.5}\n"
    loaded = load_recipe(write(tmp_path, text))
    assert loaded.entry("mtt", 1).settings["inner_steps"] == 20
    entry = loaded.entry("mtt", 10)
    experts = loaded.experts(entry, {})
    assert (entry.name, entry.settings["inner_steps"], experts.lr, experts.count) == ("mtt", 5, 0.5, 2)


def test_label_and_method_may_differ(tmp_path):
    loaded = load_recipe(write(tmp_path, GOOD + "  again:\n    method: random\n"))
    assert loaded.entry("again", 1).name == "random"


@given(st.floats(min_value=1e-9, max_value=1e9, allow_nan=False))
def test_numbers_read_as_python_writes_them(value):
    for text in (repr(value), f"{value:e}", f"{value:.0e}"):
        data = read_source(__import__("pathlib").Path("x.yaml"), f"lr: {text}\n").data
        assert data["lr"] == float(text)


def test_where_of_a_key_that_is_not_there_is_its_nearest_parent():
    source = YamlSource("x.yaml", {}, {("a",): 3})
    assert source.where("a", "b") == "x.yaml, line 3: a.b"
    assert source.where("c") == "x.yaml: c"


GRAPH_BASELINE = re.compile("(random-items|random-bytes|herding-items|full)$")


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_whole(name, tmp_path):
    """Every key of every recipe is known to its method, its data set and its network; nothing in its sweep is idle."""
    from ddbench.pipeline.context import RunContext
    from ddbench.pipeline.open_recipe import open_recipe

    pipeline = open_recipe(name, None, None, None, RunContext(tmp_path, device="cpu", quiet=True))
    assert pipeline.recipe.description
    labels, plain = {job.label for job in pipeline.jobs}, set(pipeline.recipe.methods)
    swept = {label for name in pipeline.recipe.sweep for label in labels if label.endswith(f"-{name}")}
    by_experts = any(job.method.soft_labels() and job.buffer for job in pipeline.jobs)
    soft = {"random-soft"} if by_experts else {label for label in labels if GRAPH_BASELINE.search(label)}
    assert labels == plain | swept | soft and len(swept) >= len(pipeline.recipe.sweep)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "given", "fix"),
    [
        (ExpertRecipe, {"optimizer": {"alpha": 0.3}}, "say the kind that has it:  optimizer: {kind: gsam, alpha: ...}"),
        (ExpertRecipe, {"optimizer": {"kind": "gsam", "clip": []}}, "optimizer: {kind: smooth, clip: ...}"),
        (ExpertRecipe, {"optimizer": {"kind": "gsam", "rhoo": 1}}, "did you mean 'rho'?"),
        (DATM, {"labels": {"kind": "hard", "lr": 2}}, "labels: {kind: learned, lr: ...}"),
        (DATM, {"growth": {"first": 1, "stepz": 2}}, "did you mean 'steps'?"),
    ],
)
def test_a_key_of_another_kind_names_the_kind(model, given, fix):
    if model is DATM:
        given = {"inner_steps": 2, "max_start_epoch": 3, "image_lr": 1.0, **given}
    with pytest.raises(UserError) as caught:
        validate(model, given, YamlSource("r.yaml", {}), ())
    assert fix in caught.value.fix
