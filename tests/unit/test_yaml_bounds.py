"""Recipes that no reader should have to read: each is one error, at once, in little memory."""

import os
import subprocess
import sys
import time

import pytest
from helpers.command_line import ENVIRONMENT, RECIPE

from ddbench.data.memory_limits import require_resized_fit
from ddbench.errors import UserError
from ddbench.recipe.recipe import load_recipe
from ddbench.recipe.yaml_source import YamlSource, read_source
from ddbench.recipe.yaml_text import parse_yaml

HEAD = "a: &a [x,x,x,x,x,x,x,x,x]\n"
PAIRS = zip("abcdefghi", "bcdefghij", strict=True)
LAUGHS = HEAD + "".join(f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in PAIRS)


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        (LAUGHS + RECIPE, "more than 10,000 values", True),
        ("a: &a [*a]\n" + RECIPE, "endless", 1),
        ("a: &a {b: {c: *a}}\n" + RECIPE, "endless", 1),
        (RECIPE + "? [a, b]\n: 1\n", "a list or a mapping for a key", 20),
        (RECIPE + "? {a: b}\n: 1\n", "a list or a mapping for a key", 20),
        (RECIPE + "seed: 2001-99-99\n", "month must be in 1..12", 20),
        (RECIPE + "seed: 2001-02-30\n", "day is out of range", 20),
        (RECIPE + "seed: 2001-01-01 25:61:00\n", "hour must be in", 20),
        (RECIPE + f"seed: {'9' * 5000}\n", "too many digits", 20),
        (RECIPE + f"seed: {2**63}\n", "beyond 9223372036854775807", 20),
        (RECIPE + "seed: 0x_\n", "invalid literal", 20),
        (RECIPE + "seed: !!python/name:os.system x\n", "could not determine a constructor", 20),
        (RECIPE + 'description: "a\\0b"\n'.replace("description", "network"), "twice", 20),
        (RECIPE + 'seed: "a\\0b"\n', "zero character", 20),
        (RECIPE + "seed: 'a" + "\0" + "'\n", "special characters are not allowed", False),
        (RECIPE + f"seed: {'a' * 20_001}\n", "more than 20,000 characters", 20),
        (RECIPE + "seed: [" * 20_000, "levels", False),
        (RECIPE + "seed: " + "{a: " * 6_000 + "}" * 6_000, "levels", False),
        (RECIPE + "seed: " + "[" * 40 + "]" * 40, "more than 32 levels", False),
        (RECIPE + "seed:\n" + "- x\n" * 60_000, "more than 10,000 values", True),
        (RECIPE + "---\nseed: 1\n", "another document", True),
    ],
    ids=lambda value: str(value)[-20:].strip() if isinstance(value, str) else "",
)
def test_a_text_out_of_bounds_is_one_error_at_once(text, why, line):
    began = time.process_time()
    with pytest.raises(UserError) as caught:
        parse_yaml(text, "mine.yaml")
    assert time.process_time() - began < 1.5, "it takes as long as it is nested or repeated"
    said = str(caught.value)
    assert why in said and "mine.yaml" in said and len(said) < 1000
    if line is not False:
        assert "line " in said and (line is True or f"line {line}" in said)


def test_aliases_that_repeat_little_are_read():
    text = "a: &a {x: 1}\nb: *a\nc: [*a, *a]\nd:\n  <<: *a\n  y: 2\n"
    data = parse_yaml(text, "mine.yaml").data
    assert data == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}] * 2, "d": {"x": 1, "y": 2}}


def test_integers_of_64_bits_and_floats_are_read_as_they_are():
    data = parse_yaml("a: 9223372036854775807\nb: 1e-5\nc: -1.5E3\nd: 2001-01-31\n", "mine.yaml").data
    assert data["a"] == 2**63 - 1 and data["b"] == 1e-5 and data["c"] == -1500.0 and data["d"].day == 31


@pytest.mark.parametrize("value", ["[" * 5000, "&a [*a]", "2001-99-99", "9" * 5000, "? [a]\n: 1", '"\\0"'])
def test_overrides_are_read_within_the_same_bounds(value):
    source = YamlSource("mine.yaml", {"seed": 0})
    with pytest.raises(UserError, match="the value in -o seed=") as caught:
        source.override(f"seed={value}")
    assert source.data == {"seed": 0} and len(str(caught.value)) < 1000


def test_what_is_no_regular_file_or_too_large_is_no_recipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe.yaml", tmp_path / "zero.yaml"):
        with pytest.raises(UserError):
            load_recipe(str(path))
        with pytest.raises(UserError, match="no regular file"):
            read_source(path)
    (tmp_path / "large.yaml").write_text("# " + "x" * 2**18 + "\n" + RECIPE)
    with pytest.raises(UserError, match="too large for a recipe"):
        load_recipe(str(tmp_path / "large.yaml"))
    (tmp_path / "latin.yaml").write_bytes(RECIPE.encode() + b"# caf\xe9\n")
    with pytest.raises(UserError, match="UTF-8"):
        load_recipe(str(tmp_path / "latin.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("seeds: 1", "seeds: 1000000000", "seeds"),
        ("ipc: 1", "ipc: 1000000000", "ipc"),
        ("seeds: 1", "seeds: 1\n  steps: 100000000000", "steps"),
        ("count: 2", "count: 100000000000000000", "count"),
        ("dataset: digits", "dataset: folder:" + "a" * 5000, "dataset"),
        ("dataset: digits", "dataset: folder:/" + "a/" * 3000, "dataset"),
        ("network: convnet-d1-w4", "network: " + "a" * 5000, "network"),
        ("network: convnet-d1-w4", f"network: convnet-d1-w4\nseed: {2**63 - 1}", "seed"),
    ],
)
def test_numbers_and_names_of_a_recipe_are_bounded(tmp_path, old, new, key):
    (tmp_path / "mine.yaml").write_text(RECIPE.replace(old, new))
    with pytest.raises(UserError) as caught:
        load_recipe(str(tmp_path / "mine.yaml"))
    assert key in str(caught.value) and "mine.yaml" in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is bounded as on Linux")
def test_a_plan_of_a_hostile_recipe_takes_little_memory(tmp_path):
    (tmp_path / "laughs.yaml").write_text(LAUGHS + RECIPE)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (400 << 20,) * 2)\n"
        "from ddbench.recipe.recipe import load_recipe; from ddbench.errors import UserError\n"
        "try: load_recipe(sys.argv[1])\n"
        "except UserError: sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "laughs.yaml")], env=ENVIRONMENT, timeout=30)
    assert done.returncode == 7


def test_images_are_not_resized_to_more_than_memory_holds(monkeypatch):
    import torch

    images = torch.zeros(2000, 1, 8, 8)
    monkeypatch.setattr("ddbench.data.memory_limits.free_bytes", lambda device: 8 * 10**9)
    require_resized_fit(images, 256)
    with pytest.raises(UserError, match="2,000 images of 4096 x 4096 pixels do not fit") as caught:
        require_resized_fit(images, 4096)
    largest = int(caught.value.fix.split("; ")[1].split()[0])
    require_resized_fit(images, largest)
    with pytest.raises(UserError):
        require_resized_fit(images, largest + 1)


def test_a_size_that_no_memory_holds_is_refused_by_the_plan(tmp_path, ddbench):
    (tmp_path / "huge.yaml").write_text(RECIPE.replace("dataset: digits", "dataset: digits\nsize: 4096"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ddbench.data.memory_limits.free_bytes", lambda device: 20 * 10**9)
        said = ddbench.refused("plan", tmp_path / "huge.yaml", "--home", tmp_path / "home")
    assert "1,797 images of 4096 x 4096 pixels" in said and "huge.yaml, line 3: size" in said
