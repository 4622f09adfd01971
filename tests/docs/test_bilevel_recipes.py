"""The shipped recipes of RaT-BPTT hold the numbers of the released commands, which stand here once more."""

import re
from pathlib import Path

import pytest

from ddbench.evaluate.leaderboard.published import look_up
from ddbench.networks import canonical_network_name
from ddbench.pipeline.jobs import jobs_of
from ddbench.recipe.recipe import load_recipe, shipped_recipes

COMMANDS = """
setting                     window total classes each real  steps start   lr     labels
cifar10-ipc10               60     200   -       -    5000  10    uniform 0.001  hard
cifar100-ipc10              100    300   -       1    5000  10    uniform 0.001  one-hot
cifar100-ipc1               90     130   -       -    5000  10    fixed   0.0003 one-hot
tiny-imagenet-ipc10         100    300   50      1    1000  100   uniform 0.0003 one-hot
fixed-tiny-imagenet-ipc10   90     270   50      1    2000  50    fixed   0.0003 one-hot
imagenet-ipc1               80     280   50      -    1500  855   fixed   0.0003 one-hot
"""
_HEAD, *_LINES = (line.split() for line in COMMANDS.strip().splitlines())
TABLE = {line[0]: dict(zip(_HEAD, line, strict=True)) for line in _LINES}
IMAGES = {"cifar10": 50000, "cifar100": 50000, "tiny-imagenet": 100000, "imagenet": 1281167}


def job_of(setting):
    loaded = load_recipe(f"rat-bptt-{setting}")
    found = {job.label: job for job in jobs_of(loaded, canonical_network_name(loaded.recipe.network), Path("home"))}
    return loaded.recipe, found


def test_every_published_setting_has_a_recipe_and_no_other():
    assert {name for name in shipped_recipes() if name.startswith("rat-bptt-")} == {
        f"rat-bptt-{name}" for name in TABLE
    }


@pytest.mark.parametrize("setting", TABLE)
def test_the_method(setting):
    wanted, (recipe, found) = TABLE[setting], job_of(setting)
    method = found["rat-bptt"].method
    assert (method.window, method.total_steps) == (int(wanted["window"]), int(wanted["total"]))
    counts = [None if wanted[name] == "-" else int(wanted[name]) for name in ("classes", "each")]
    assert [method.classes_per_step, method.images_per_class] == counts
    assert method.iterations == 60000 * int(wanted["steps"])
    assert int(wanted["steps"]) == -(-IMAGES[recipe.dataset] // method.real_batches.images)
    assert method.real_batches.images == int(wanted["real"])
    assert (method.start.kind, method.min_start, method.unroll) == (wanted["start"], 0, "truncated")
    assert (method.image_lr, method.labels.kind) == (float(wanted["lr"]), wanted["labels"])
    assert wanted["labels"] == "hard" or method.labels.lr == method.image_lr
    assert method.inner.model_dump() == {"kind": "adam", "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    assert method.clip.model_dump() == {"factor": 2.0, "decay": 0.9}
    assert (method.init.kind, method.augmentation) == ("unit-noise", "flip-rotate")
    assert found["rat-bptt"].buffer is None and "random-soft" not in found and found["random"].name == "random"


@pytest.mark.parametrize("setting", TABLE)
def test_data_and_evaluation(setting):
    recipe, _ = job_of(setting)
    of, ipc = re.fullmatch(r"(?:fixed-)?(.+)-ipc(\d+)", setting).groups()
    assert (recipe.dataset, recipe.ipc) == (of, (int(ipc),))
    assert recipe.network == ("convnet-d3" if of.startswith("cifar") else "convnet-d4")
    assert (recipe.preprocessing, recipe.size) == (("meanstd", 64) if of == "imagenet" else ("kip", None))
    assert (recipe.evaluation.protocol, recipe.evaluation.seeds, recipe.evaluation.steps) == ("rat-v1", 8, None)
    assert recipe.evaluation.selection == "validation" and recipe.validation == 0.1
    assert len(recipe.sources) >= 5 and all(len(source.split()) > 3 for source in recipe.sources)


@pytest.mark.parametrize("setting", [name for name in TABLE if name != "imagenet-ipc1"])
def test_a_printed_accuracy_stands_beside(setting):
    recipe, _ = job_of(setting)
    assert look_up("rat-bptt", recipe.dataset, recipe.ipc[0], recipe.network).std is not None


def test_printed_accuracies_known_by_heart():
    by_heart = {("rat-bptt", 10): 0.694, ("bptt", 10): 0.624, ("at-bptt", 10): 0.706, ("at-bptt", 50): 0.762}
    found = {(name, ipc): look_up(name, "cifar10", ipc, "convnet-d3").accuracy for name, ipc in by_heart}
    assert found == by_heart
    assert look_up("at-bptt", "tiny-imagenet", 1, "convnet-d4").accuracy == 0.212
