"""The shipped recipes of DC, DSA and DM hold the published numbers, which stand here once more."""

import re
from pathlib import Path

import pytest

from ddbench.evaluate.leaderboard.published import look_up
from ddbench.networks import canonical_network_name
from ddbench.pipeline.jobs import jobs_of
from ddbench.recipe.recipe import load_recipe, shipped_recipes

LOOPS = {1: (1, 1), 10: (10, 50), 50: (50, 10)}
SMALL = ("mnist", "fashion-mnist", "svhn", "cifar10")
PUBLISHED = {
    "dc": {**dict.fromkeys(SMALL, (1, 10, 50)), "cifar100": (1, 10)},
    "dsa": dict.fromkeys((*SMALL, "cifar100"), (1, 10, 50)),
    "dm": {
        "cifar10": (1, 10, 50, 100, 200, 500, 1000, 1250),
        "cifar100": (1, 10, 50, 100, 125),
        "tiny-imagenet": (1, 10, 50),
    },
}
NAMES = [f"{method}-{of}-ipc{ipc}" for method, sets in PUBLISHED.items() for of, ipcs in sets.items() for ipc in ipcs]
UNPRINTED = ("dm-cifar100-ipc100", "dm-cifar100-ipc125")
"""Settings for which the release gives a learning rate, and no figure."""


def parts_of(name):
    method, of, ipc = re.fullmatch(r"(dc|dsa|dm)-(.+)-ipc(\d+)", name).groups()
    return method, of, int(ipc)


def job_of(name):
    loaded = load_recipe(name)
    found = {job.label: job for job in jobs_of(loaded, canonical_network_name(loaded.recipe.network), Path("home"))}
    return loaded.recipe, found


def test_every_published_setting_has_a_recipe_and_no_other():
    assert {name for name in shipped_recipes() if re.match(r"(dc|dsa|dm)-", name)} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_method(name):
    (method, of, ipc), (_, found) = parts_of(name), job_of(name)
    settings = found[method].method
    loop = (1, 1) if method == "dm" else LOOPS[ipc]
    rate = {"dc": 0.1, "dsa": 0.1, "dm": 10 if of == "cifar10" and ipc >= 100 else 1}[method]
    assert (settings.image_steps, settings.inner_epochs, settings.image_lr) == (*loop, rate)
    assert settings.iterations == (20001 if method == "dm" else 1001 * loop[0])
    assert (settings.outer_momentum, settings.inner_lr, settings.inner_batch) == (0.5, 0.01, 256)
    assert settings.real_batches.model_dump() == {"kind": "random", "per_class": 256}
    assert settings.init.kind == ("noise" if method == "dc" else "real")
    assert settings.augmentation == ("none" if method == "dc" else "dsa")
    match = {"kind": "mean-embedding"} if method == "dm" else {"kind": "gradient", "distance": "cosine-rows"}
    assert settings.match.model_dump() == match
    assert found[method].buffer is None and found["random"].name == "random"


@pytest.mark.parametrize("name", NAMES)
def test_data_and_evaluation(name):
    (method, of, ipc), (recipe, _) = parts_of(name), job_of(name)
    assert (recipe.dataset, recipe.ipc, recipe.preprocessing) == (of, (ipc,), "meanstd")
    assert recipe.network == ("convnet-d4" if of == "tiny-imagenet" else "convnet-d3")
    protocol = "dc-v1" if method == "dc" else "dsa-v1"
    assert (recipe.evaluation.protocol, recipe.evaluation.seeds) == (protocol, 5 if method == "dm" else 20)
    assert recipe.evaluation.selection == "validation" and recipe.validation == 0.1
    assert len(recipe.sources) >= 4 and all(len(source.split()) > 3 for source in recipe.sources)


@pytest.mark.parametrize("name", NAMES)
def test_a_printed_accuracy_stands_beside(name):
    (method, of, ipc), (recipe, _) = parts_of(name), job_of(name)
    assert (look_up(method, of, ipc, recipe.network) is None) == (name in UNPRINTED)


def test_printed_accuracies_known_by_heart():
    by_heart = {("dc", "cifar10", 10): 0.449, ("dsa", "svhn", 50): 0.844, ("dm", "cifar10", 1250): 0.808}
    assert {key: look_up(*key, "convnet-d3").accuracy for key in by_heart} == by_heart
    assert look_up("dsa", "tiny-imagenet", 10, "convnet-d4").accuracy == 0.144
