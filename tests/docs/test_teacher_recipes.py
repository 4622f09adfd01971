"""Published settings of RDED, SRe2L and CDA, as papers and repositories have them, against the recipes."""

from pathlib import Path

import pytest

from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.networks import canonical_network_name
from ddbench.pipeline.jobs import jobs_of
from ddbench.recipe import load_recipe, shipped_recipes

RDED = {
    "cifar10": ((1, 10, 50), "convnet-d3-bn", 1),
    "cifar100": ((1, 10, 50), "convnet-d3-bn", 1),
    "tiny-imagenet": ((1, 10, 50), "convnet-d4-bn", 1),
    "imagenet": ((1, 10, 50), "torchvision:resnet18@IMAGENET1K_V1", 2),
}
"""Images per class, the teacher, and patches along a side."""

SRE2L = {
    ("sre2l", "cifar100"): ((10, 50, 100), 1000, 4, "none"),
    ("sre2l", "imagenet"): ((10, 50, 100, 200), 4000, 32, "random"),
    ("cda", "imagenet"): ((50,), 4000, 32, "curriculum"),
    ("sre2l", "tiny-imagenet"): ((50, 100), 4000, 4, "random"),
    ("cda", "tiny-imagenet"): ((50,), 4000, 4, "curriculum"),
}
"""Images per class, iterations, the largest move, and crops."""

OF_TINY = {"sre2l": (0.1, 1.0), "cda": (0.4, 0.05)}
"""Learning rate, and weight of the statistics, on Tiny-ImageNet; elsewhere 0.25 and 0.01."""

EVERY = [f"rded-{name}-ipc{ipc}" for name, (ipcs, *_) in RDED.items() for ipc in ipcs]
EVERY += [f"{label}-{name}-ipc{ipc}" for (label, name), (ipcs, *_) in SRE2L.items() for ipc in ipcs]


def opened(name):
    loaded = load_recipe(name, ())
    network = canonical_network_name(loaded.recipe.network)
    return loaded.recipe, {job.label: job for job in jobs_of(loaded, network, Path("home"))}


def test_every_recipe_is_in_the_tables():
    assert {name for name in shipped_recipes() if name.startswith(("rded-", "sre2l-", "cda-"))} == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_random_images_with_the_same_labels_stand_beside(name):
    recipe, jobs = opened(name)
    label = name.partition("-")[0]
    assert set(jobs) == {label, "random"}
    assert jobs[label].method.teachers == recipe.evaluation.teachers
    assert recipe.validation == 0 and recipe.evaluation.selection == "last" and recipe.sources
    assert PROTOCOLS[recipe.evaluation.protocol].targets == "teacher"
    assert (recipe.size == 224) == (recipe.dataset == "imagenet")


@pytest.mark.parametrize(("name", "values"), RDED.items())
def test_rded(name, values):
    ipcs, teacher, factor = values
    for ipc in ipcs:
        recipe, jobs = opened(f"rded-{name}-ipc{ipc}")
        method = jobs["rded"].method
        assert (method.images_per_class, method.crops, method.min_area, method.factor) == (300, 5, 0.08, factor)
        assert method.teachers.networks == (teacher,) and recipe.evaluation.protocol == "rded-v1"


@pytest.mark.parametrize(("key", "values"), SRE2L.items())
def test_sre2l_and_cda(key, values):
    (label, name), (ipcs, iterations, shift, crop) = key, values
    for ipc in ipcs:
        recipe, jobs = opened(f"{label}-{name}-ipc{ipc}")
        method = jobs[label].method
        assert (method.iterations, method.shift, method.crop, method.classes_at_once) == (iterations, shift, crop, 100)
        lr, weight = OF_TINY[label] if name == "tiny-imagenet" else (0.25, 0.01)
        assert (method.lr, method.betas, method.bn_weight, method.first_bn) == (lr, (0.5, 0.9), weight, 10)
        assert method.both_ways == (name == "tiny-imagenet")
        assert recipe.evaluation.protocol == ("sre2l-tiny-v1" if name == "tiny-imagenet" else "sre2l-v1")
        assert len(method.teachers.networks) == 1
