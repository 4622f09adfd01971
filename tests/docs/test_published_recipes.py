"""The shipped recipes of trajectory matching hold the published numbers, which stand in a helper once more."""

import re
from pathlib import Path

import pytest
from helpers.published_settings import PUBLISHED

from ddbench.evaluate.leaderboard.published import look_up
from ddbench.methods import METHODS
from ddbench.networks import canonical_network_name
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.jobs import jobs_of
from ddbench.pipeline.pipeline import Pipeline
from ddbench.recipe.experts import Curriculum, ExpertRecipe
from ddbench.recipe.recipe import load_recipe, shipped_recipes

NETWORKS = {"cifar10": "convnet-d3", "cifar100": "convnet-d3", "tiny-imagenet": "convnet-d4"}
NETWORKS |= {"imagenette": "convnet-d5", "imagenet": "convnet-d4"}
NAMED = {"imagenet-subset": ("imagenette", 128), "imagenet1k": ("imagenet", 64)}
ABLATION = "ast-ablation-cifar100-ipc10"


TRAJECTORY = [name for name in shipped_recipes() if re.match(r"(mtt|ftd|tesla|datm|ast|att|pad)-", name)]


def jobs(name, *overrides):
    loaded = load_recipe(name, overrides)
    network = canonical_network_name(loaded.recipe.network)
    return loaded.recipe, {job.label: job for job in jobs_of(loaded, network, Path("home"))}


def published_job(name):
    recipe, found = jobs(name)
    return recipe, found[name.split("-")[0]]


def test_every_recipe_is_in_the_tables():
    others = {name for name in TRAJECTORY if not name.startswith("mtt-")}
    assert others == {*PUBLISHED, ABLATION} and len(PUBLISHED) == 10 + 3 + 12 + 5 + 10 + 12


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_window_and_the_rates(name):
    told, (_, job) = PUBLISHED[name], published_job(name)
    found = job.method.model_dump()
    assert (found["inner_steps"], found["expert_epochs"]) == (told["N"], told["M"])
    assert (found["min_start_epoch"], found["max_start_epoch"]) == (told.get("T-", 0), told["T+"])
    growth = {"first": told["grows"], "steps": told["within"]} if told.get("grows") else None
    assert found["growth"] == growth
    assert found["batch_syn"] == told["batch"] and found["image_lr"] == told["image_lr"]
    assert found["student_lr"] == told.get("student_lr", 0.01) and found["student_lr_lr"] == told["student_lr_lr"]
    assert (found["outer_momentum"], found["augmentation"], found["pixel_gradient"]) == (0.5, "dsa", 1.0)
    usual = {"ftd": 5000, "ast": 5000, "tesla": 10000, "datm": 10000, "pad": 10000}
    assert found["iterations"] == told.get("iterations", usual.get(job.name))


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_each_method_adds(name):
    told, (_, job) = PUBLISHED[name], published_job(name)
    found = job.method
    assert found.ema_decay == told.get("ema")
    assert found.guard.threshold == told.get("threshold")
    assert found.init.kind == told.get("init", "real")
    assert found.unroll.kind == ("tesla" if job.name == "tesla" else "adjoint")
    assert found.student_momentum == (0.9 if job.name == "ast" else 0)
    assert found.start_perturbation == told.get("perturb", 0) and found.balanced_loss is told.get("balanced", False)
    assert found.match.kind == told.get("match", "closest" if job.name == "att" else "final")
    dropped = None if job.name != "pad" else {"by": "loss", "drop": told["drop"]}
    assert found.match.model_dump().get("keep") == dropped
    assert getattr(found.match, "weights", "equal") == "equal" and getattr(found.init, "clusters", None) is None
    if job.name in ("datm", "pad"):
        assert found.labels.model_dump(include={"kind", "lr", "momentum"}) == {
            "kind": "learned",
            "lr": told["label_lr"],
            "momentum": 0.9,
        }
    else:
        assert found.labels.kind == told.get("labels", "hard")


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_data_and_the_evaluation(name):
    recipe, _ = published_job(name)
    of, ipc = re.fullmatch(r"[a-z]+-(.+)-ipc(\d+)", name).groups()
    assert (recipe.dataset, recipe.size) == NAMED.get(of, (of, None)) and recipe.ipc == (int(ipc),)
    assert recipe.network == NETWORKS[recipe.dataset]
    assert recipe.preprocessing == ("zca" if PUBLISHED[name].get("zca", True) else "meanstd")
    assert recipe.validation == 0.1 and recipe.evaluation.selection == "validation"
    own = {"datm": "datm-v1", "pad": "datm-v1", "tesla": "tesla-v1"}
    assert (recipe.evaluation.protocol, recipe.evaluation.seeds) == (own.get(name.split("-")[0], "mtt-v1"), 5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_experts(name):
    told, (_, job) = PUBLISHED[name], published_job(name)
    found = job.buffer.recipe
    batch = 512 if job.name == "att" else 256
    assert (found.batch, found.augmentation, found.count) == (batch, "dsa", told.get("experts", 100))
    plain = (found.lr, found.momentum, found.weight_decay, found.lr_drop_epoch)
    if job.name == "ast":
        # The released code lowers the rate after the epoch with index 26, counted from 0.
        assert plain == (0.003, 0.9, 1e-3, 27) and found.lr_drop_factor == 0.6
        clip = tuple(round(0.5 + 0.05 * epoch, 2) for epoch in range(10))
        assert found.optimizer.model_dump() == {"kind": "smooth", "clip": clip, "penalty": 2, "norm_over": "channel"}
    else:
        assert plain == (0.01, 0, 0, None)
    if job.name in ("ftd", "datm", "pad"):
        alpha = told.get("alpha", 0.3)
        assert found.optimizer.model_dump() == {"kind": "gsam", "rho": 0.01, "alpha": alpha, "adaptive": True}
    if job.name in ("tesla", "att"):
        assert found.optimizer.kind == "sgd"


@pytest.mark.parametrize("name", PUBLISHED)
def test_experts_are_as_long_as_is_looked_at(name):
    """The last start epoch is T+ - 1; DATM's, PAD's and AST's images are judged by the last of 100 and 50 epochs."""
    told, (_, job) = PUBLISHED[name], published_job(name)
    matched = told["T+"] - 1 + told["M"]
    judged = {"datm": 100, "pad": 100, "ast": 50 if told.get("init") == "representative" else None}.get(job.name)
    assert job.method.label_expert_epoch == judged
    assert job.buffer.epochs == max(matched, judged or 0) == job.method.needed_epochs()


def test_pads_experts_are_datms_with_a_curriculum():
    for setting in ("cifar10-ipc50", "cifar100-ipc10", "tiny-imagenet-ipc1"):
        datm, pad = (published_job(f"{method}-{setting}")[1].buffer for method in ("datm", "pad"))
        assert datm.folder != pad.folder
        assert (
            pad.recipe.curriculum == Curriculum() and pad.recipe.model_copy(update={"curriculum": None}) == datm.recipe
        )


def test_ftd_and_datm_share_a_buffer():
    """Both make experts for CIFAR-10 at 10 images per class by GSAM with rho 0.01 and alpha 0.3, under ZCA."""
    ftd, datm = (published_job(f"{method}-cifar10-ipc10")[1].buffer for method in ("ftd", "datm"))
    assert ftd.folder == datm.folder and (ftd.epochs, datm.epochs) == (21, 100)
    assert published_job("ftd-cifar10-ipc50")[1].buffer.folder != ftd.folder


@pytest.mark.parametrize("name", TRAJECTORY)
def test_a_baseline_and_sources(name):
    recipe, found = jobs(name)
    assert found["random"].name == "random" and found["random"].ipc == recipe.ipc[0]
    assert len(recipe.sources) >= 3 and all(len(source.split()) > 3 for source in recipe.sources)
    soft = name.startswith(("datm-", "pad-")) or PUBLISHED.get(name, {}).get("labels") == "target"
    assert ("random-soft" in found) is soft


def overrides_in(source):
    """The ``-o key=value`` of a sentence."""
    return [quoted or bare.strip(",;.") for quoted, bare in re.findall(r'-o (?:"([^"]+)"|(\S+))', source)]


ADVICE = [
    (name, given)
    for name in TRAJECTORY
    for source in load_recipe(name).recipe.sources
    if (given := overrides_in(source))
]


def test_sources_name_overrides():
    advice = [given for name, given in ADVICE if name == "tesla-imagenet1k-ipc1"]
    assert advice == [["method.labels={kind: target, keep: last}"], ["method.compat=true"], ["method.unroll=adjoint"]]
    assert len([name for name, _ in ADVICE if name.startswith(("ftd-", "att-"))]) == 10 + 10


@pytest.mark.parametrize(("name", "given"), ADVICE)
def test_overrides_that_sources_name_can_be_given(name, given, tmp_path):
    Pipeline(load_recipe(name, given), RunContext(tmp_path, device="cpu", quiet=True))


def test_the_released_quirks_can_be_had():
    halved = jobs("tesla-cifar10-ipc1", "method.compat=true")[1]["tesla"].method
    assert halved.outer_rates()["images"].lr == 500 and halved.outer_rates()["student_lr"].lr == 1e-7
    recipe, found = jobs("ftd-cifar10-ipc10", "method.compat=true", "evaluation.protocol=ftd-warm-ema-v1")
    assert found["ftd"].method.keep_warm_images and recipe.evaluation.protocol == "ftd-warm-ema-v1"


@pytest.mark.parametrize("name", [name for name in PUBLISHED if not name.startswith("ast-")])
def test_a_printed_accuracy_stands_beside(name):
    recipe, job = published_job(name)
    printed = look_up(job.name, recipe.dataset, job.ipc, recipe.network)
    assert printed is not None and printed.std is not None


def test_printed_accuracies_known_by_heart():
    assert look_up("datm", "cifar10", 1000, "convnet-d3").accuracy == 0.855
    assert look_up("ftd", "tiny-imagenet", 10, "convnet-d4").accuracy == 0.245
    assert [look_up("tesla", "imagenet", ipc, "convnet-d4").accuracy for ipc in (1, 2, 10, 50)] == [
        0.077,
        0.105,
        0.178,
        0.279,
    ]


def differing(one, other):
    return {key for key, value in one.items() if other[key] != value}


class TestAblation:
    WITHOUT = {
        "no-clip": {"optimizer"},
        "no-penalty": {"optimizer"},
        "no-inner-momentum": {"student_momentum"},
        "random-pixels": {"init"},
        "final-match": {"match"},
        "no-perturbation": {"start_perturbation"},
        "all-off": {"optimizer", "student_momentum", "init", "match", "start_perturbation"},
    }

    @pytest.fixture
    def found(self):
        return jobs(ABLATION)[1]

    def test_begins_with_the_published_setting(self, found):
        _, published = published_job("ast-cifar100-ipc10")
        assert found["ast"].method == published.method and found["ast"].buffer == published.buffer

    def test_each_component_goes_alone(self, found):
        assert {label for label, job in found.items() if job.name == "ast"} == {
            "ast",
            *(f"ast-{name}" for name in self.WITHOUT),
        }
        whole = found["ast"]
        for name, changed in self.WITHOUT.items():
            job = found[f"ast-{name}"]
            method = differing(whole.method.model_dump(), job.method.model_dump())
            experts = differing(whole.buffer.recipe.model_dump(), job.buffer.recipe.model_dump())
            assert method | experts == changed, name
            assert (job.buffer.folder == whole.buffer.folder) is ("optimizer" not in changed)
        assert len({job.buffer.folder for job in found.values() if job.buffer}) == 4

    def test_what_is_left_of_the_experts(self, found):
        published = ExpertRecipe(optimizer="smooth").optimizer
        clip, penalty, off = (
            found[f"ast-{name}"].buffer.recipe.optimizer for name in ("no-clip", "no-penalty", "all-off")
        )
        assert (clip.clip, clip.penalty) == ((), 2) and (penalty.clip, penalty.penalty) == (published.clip, 0)
        assert off.kind == "sgd"

    def test_all_off_is_mtt(self, found):
        off = found["ast-all-off"].method
        mtt = METHODS.get("mtt")
        same = off.model_dump(include=set(mtt.model_fields))
        numbers = ("inner_steps", "max_start_epoch", "batch_syn", "image_lr", "label_expert_epoch")
        assert mtt(**{key: same[key] for key in numbers}).model_dump() == same
