"""Sixty and more processes killed in all stages of small recipes: nothing is lost, and no bit differs from a run alone.

Stages: images that are decoded into the cache, experts, by one process and by workers of it, distillation with a
checkpoint after every step, selection, evaluation, pictures, and imports of sets and experts.
"""

import os
import random
import signal
from pathlib import Path

import pytest
import torch
from helpers.command_line import RECIPE, only, written
from helpers.data_makers import write_folder
from helpers.foreign_makers import sorted_labels
from helpers.killing import Nursery

from ddbench.artifact import load, read_json

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")]

LIVELY = (
    RECIPE.replace("selection: last", "selection: validation\n  selection_seeds: 1\n  steps: 20")
    .replace("iterations: 4", "iterations: 30\n    keep_every: 6")
    .replace("batch: 256", "batch: 16")
    .replace("seeds: 1", "seeds: 2", 1)
)
LEAST = 60
killed: dict[str, int] = {}
"""Processes that were killed, by what they did."""


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    found = Nursery(tmp_path_factory.mktemp("nursery"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "birds"
    for seed, part in enumerate(("train", "test")):
        write_folder(folder / part, {"a": 60, "b": 60, "c": 60}, size=(8, 8), seed=1000 * seed)
    return folder


def content(home: Path) -> dict[str, object]:
    """Everything in a home that does not depend on the clock, by path."""
    found: dict[str, object] = {}
    kinds = {"buffers/*/expert-*.safetensors": "expert", "runs/*/candidates*/*.safetensors": "synthetic set",
             "runs/*/synthetic*.safetensors": "synthetic set", "imported/*.safetensors": "synthetic set"}  # fmt: skip
    for pattern, kind in kinds.items():
        for path in home.glob(pattern):
            tensors = load(path, kind)[0]
            found[str(path.relative_to(home))] = {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}
    for path in home.glob("results/*/*/*.json"):
        row = read_json(path, "row")
        facts = ("label", "accuracy", "seeds", "synthetic_sha256", "selected_step", "real_fingerprint")
        found[str(path.relative_to(home))] = [row[fact] for fact in facts]
    found["pictures"] = sorted(str(path.relative_to(home)) for path in home.glob("runs/*/*.png"))
    return found


def assert_nothing_left(home: Path, nursery: Nursery) -> None:
    endings = (".part", ".unfinished", ".lock", ".breaking")
    left = [path for path in home.rglob("*") if path.name.endswith(endings)]
    assert left == [] and list(nursery.temporary.glob("ddbench-*")) == []


def campaign(nursery, folder, arguments, seed, least):
    """Rounds of one command, each in a home of its own, until as many processes were killed; each ends as it would."""
    whole = folder / "whole"
    alone = nursery.run(*arguments(whole))
    assert alone.status == 0, alone.said
    wanted, kills, rounds = content(whole), 0, 0
    assert len(wanted) > 1
    while kills < least:
        home, dice = folder / f"round {rounds}", random.Random(f"{seed} {rounds}")
        more, ended = nursery.run_killed(*arguments(home), dice=dice, mean=alone.seconds / 3)
        assert ended.status == 0, ended.said
        again = nursery.run(*arguments(home))
        assert again.status == 0 and content(home) == wanted, again.said
        assert_nothing_left(home, nursery)
        kills, rounds = kills + more, rounds + 1
    killed[f"command {seed}"] = kills


def test_killed_while_images_are_decoded_experts_trained_sets_distilled_and_judged(nursery, images, tmp_path):
    recipe = written(tmp_path, LIVELY.replace("dataset: digits", f"dataset: folder:{images}"))

    def arguments(home):
        return "run", recipe, "--home", home, "-q", "--checkpoint-seconds", "0", "--executor", "serial"

    campaign(nursery, tmp_path, arguments, 1, 40)


def test_killed_while_workers_train(nursery, tmp_path):
    recipe = written(tmp_path, LIVELY.replace("iterations: 30", "iterations: 2").replace("count: 2", "count: 4"))

    def arguments(home):
        return "run", recipe, "--home", home, "-q", "--checkpoint-seconds", "0", "--executor", "local", "--workers", "2"

    campaign(nursery, tmp_path, arguments, 2, 10)


def test_killed_while_a_set_is_imported(nursery, tmp_path):
    torch.save(torch.rand(10, 1, 8, 8), tmp_path / "images_best.pt")
    torch.save(sorted_labels(1, 10), tmp_path / "labels_best.pt")
    facts = (
        "--format",
        "mtt",
        "--dataset",
        "digits",
        "--lr",
        "0.02",
        "--network",
        "convnet-d1-w4",
        "--space",
        "pixels",
    )

    def arguments(home):
        return "import", tmp_path / "images_best.pt", *facts, "--home", home

    campaign(nursery, tmp_path, arguments, 3, 10)


def test_killed_while_experts_are_imported(nursery, tmp_path):
    recipe, home = written(tmp_path, LIVELY), tmp_path / "made"
    assert nursery.run("buffer", recipe, "--home", home, "-q").status == 0
    assert nursery.run("export", only(home, "buffers/*"), tmp_path / "replay").status == 0

    def arguments(home):
        return "import", tmp_path / "replay", "--recipe", recipe, "--home", home

    whole, dice, kills = tmp_path / "whole", random.Random(4), 0
    alone = nursery.run(*arguments(whole))
    assert alone.status == 0, alone.said
    for number in range(8):
        context = tmp_path / f"home {number}"
        ended = nursery.run(*arguments(context), kill_after=dice.uniform(0, alone.seconds))
        kills += ended.status == -signal.SIGKILL
        if ended.status != 0:
            ended = nursery.run(*arguments(context))
            assert ended.status == 0 or "already is an expert buffer" in ended.said, ended.said
        assert content(context) == content(whole)
    killed["import of experts"] = kills


def test_there_were_enough_kills(capsys):
    with capsys.disabled():
        print(f"\n{sum(killed.values())} processes were killed: {killed}")
    if len(killed) < 4:
        pytest.skip("only some stages were run")
    assert sum(killed.values()) >= LEAST
