"""INFER's recipes hold the published numbers, which stand here once more; what is not published says so."""

import re
from pathlib import Path

import pytest

from ddbench.evaluate.leaderboard.published import look_up
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.methods.infer.budget import Budget
from ddbench.methods.infer.method import INFER
from ddbench.networks import canonical_network_name
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.jobs import jobs_of
from ddbench.pipeline.pipeline import Pipeline
from ddbench.recipe.recipe import load_recipe, shipped_recipes

# iterations, lr, bn_weight, shift, crop, teachers, epochs of the rendered images
TABLE = """
cifar10-ipc10        1000  0.25     1   4  no   4  400
cifar10-ipc50        1000  0.25     1   4  no   4  400
cifar100-ipc10       1000  0.25     1   4  no   4  400
cifar100-ipc50       1000  0.25     1   4  no   4  400
cifar100-ipc100      1000  0.25     1   4  no   4  400
tiny-imagenet-ipc10  2000   0.1     1   4  no   4  200
tiny-imagenet-ipc50  2000   0.1     1   4  no   4  200
tiny-imagenet-ipc100 2000   0.1     1   4  no   4  200
imagenet-ipc10       2000  0.25  0.01  32  yes  3  300
imagenet-ipc50       2000  0.25  0.01  32  yes  3  300
"""
CLASSES = {"cifar10": 10, "cifar100": 100, "tiny-imagenet": 200, "imagenet": 1000}
LINES = {line.split()[0]: line.split()[1:] for line in TABLE.strip().splitlines()}
ABLATION = "infer-ablation-cifar100-ipc10"
SMOKE = "smoke/cifar10-jpeg-infer"
NAMES = [name for name in shipped_recipes() if "infer" in name]


def jobs(name, *overrides):
    loaded = load_recipe(name, overrides)
    network = canonical_network_name(loaded.recipe.network)
    return loaded.recipe, {job.label: job for job in jobs_of(loaded, network, Path("home"))}


def test_every_recipe_is_in_the_table():
    assert set(NAMES) == {*(f"infer-{name}" for name in LINES), ABLATION, SMOKE}


@pytest.mark.parametrize("name", LINES)
def test_the_values(name):
    iterations, lr, bn_weight, shift, crop, teachers, _ = LINES[name]
    recipe, found = jobs(f"infer-{name}")
    method = found["infer"].method
    assert isinstance(method, INFER) and (recipe.dataset, recipe.ipc) == (
        name.rpartition("-ipc")[0],
        (int(name.rpartition("-ipc")[2]),),
    )
    assert (method.iterations, method.lr, method.bn_weight) == (int(iterations), float(lr), float(bn_weight))
    assert (method.shift, method.crop, len(method.teachers.networks)) == (int(shift), crop == "yes", int(teachers))
    assert (method.betas, method.first_bn, method.shared, method.blocks) == ((0.5, 0.9), 10, True, "both")
    assert method.labels == "static" and "random" in found
    assert recipe.size == (224 if recipe.dataset == "imagenet" else None)


@pytest.mark.parametrize("name", [*(f"infer-{name}" for name in LINES), ABLATION, SMOKE])
def test_equal_steps_and_the_same_teachers(name):
    """Steps are those of the published epochs of the set that INFER renders; random images take as many."""
    recipe, found = jobs(name)
    method = found["infer"].method
    dataset = recipe.dataset.removesuffix("-jpeg")
    teachers, classes, ipc = len(method.teachers.networks), CLASSES[dataset], recipe.ipc[0]
    rendered = Budget(ipc=ipc, classes=classes, teachers=teachers).sets * (1 + teachers) * classes
    asked, config = recipe.evaluation, PROTOCOLS["infer-static-v1"]
    epochs = int(LINES.get(f"{dataset}-ipc{ipc}", "0")[-1]) if name not in (SMOKE, ABLATION) else config.setting.epochs
    assert asked.protocol == config.key and asked.steps == epochs * -(-rendered // config.batch)
    assert method.required_teachers().networks == asked.teachers.networks
    if "imagenet1k" not in method.teachers.networks[0].lower():
        assert method.teachers == asked.teachers and asked.teachers.protocol == "squeeze-v1"
    assert (asked.selection, recipe.validation) == ("last", 0)


@pytest.mark.parametrize("name", [*(f"infer-{name}" for name in LINES)])
def test_sources_say_what_is_not_official(name):
    sources = " ".join(load_recipe(name).recipe.sources)
    assert ("unofficial" in sources) == ("imagenet" in name)
    budget = re.search(r"budget: (\d+) natural images a class and (\d+) compensators are charged as (\d+) of", sources)
    recipe, found = jobs(name)
    wanted = Budget(
        ipc=recipe.ipc[0], classes=CLASSES[recipe.dataset], teachers=len(found["infer"].method.teachers.networks)
    )
    assert [int(group) for group in budget.groups()] == [wanted.sets, wanted.compensators, wanted.charged]


ADVICE = [
    (name, overrides)
    for name in NAMES
    for source in load_recipe(name).recipe.sources
    if (overrides := [given.strip(",;.") for given in re.findall(r"-o (\S+)", source)])
]


@pytest.mark.parametrize(("name", "overrides"), ADVICE)
def test_overrides_that_sources_name_can_be_given(name, overrides, tmp_path):
    Pipeline(load_recipe(name, overrides), RunContext(tmp_path, device="cpu", quiet=True))


def test_dynamic_labels_take_their_share_of_the_steps():
    for name, given in ADVICE:
        if "evaluation.protocol=infer-dynamic-v1" in given:
            recipe, found = jobs(name)
            blocks = 1 + len(found["infer"].method.teachers.networks)
            epochs = int(LINES[name.removeprefix("infer-")][-1])
            batches = recipe.evaluation.steps // epochs
            assert f"evaluation.steps={-(-epochs // blocks) * batches}" in given


@pytest.mark.parametrize("name", [name for name in LINES if name != "tiny-imagenet-ipc100"])
def test_a_printed_accuracy_stands_beside(name):
    recipe, _ = jobs(f"infer-{name}")
    network = {"tiny-imagenet": "resnet18-bn"}.get(recipe.dataset, recipe.network)
    printed = look_up("infer", recipe.dataset, recipe.ipc[0], network)
    assert printed is not None and printed.std is not None


def test_each_idea_goes_alone():
    _, found = jobs(ABLATION)
    whole = found["infer"].method.model_dump()
    changed = {
        label.removeprefix("infer-"): {key for key, value in job.method.model_dump().items() if whole[key] != value}
        for label, job in found.items()
        if label.startswith("infer-")
    }
    assert changed == {
        "natural-only": {"blocks"},
        "additive-only": {"blocks"},
        "one-teacher": {"teachers"},
        "of-each-class": {"shared"},
        "no-batch-statistics": {"bn_weight"},
    }
    assert found["infer"].method == jobs("infer-cifar100-ipc10")[1]["infer"].method


def test_the_same_words_are_the_same_teachers_wherever_they_stand(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "dataset: digits\nnetwork: mlp\nipc: 4\nvalidation: 0\n"
        "methods: {infer: {teachers: &t {networks: convnet-d1-w4-bn, epochs: 1}}}\n"
        "evaluation: {protocol: infer-static-v1, selection: last, teachers: *t}\n"
    )
    loaded = load_recipe(str(recipe))
    method = INFER.model_validate(loaded.recipe.methods["infer"])
    assert method.teachers == loaded.recipe.evaluation.teachers
    assert INFER().teachers.protocol == "squeeze-v1" and len(INFER().teachers.networks) == 4
