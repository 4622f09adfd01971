"""Measuring: equal budgets of rates for every side, random images from the seed, labels, and what is kept."""

import json
from collections import Counter
from dataclasses import replace

import pytest
import torch
from helpers.computing import computing
from helpers.evaluation_makers import NETWORK, tiny_real, tiny_synthetic

from ddbench.errors import UserError
from ddbench.evaluate.ddranking import baselines
from ddbench.evaluate.ddranking.baselines import random_set
from ddbench.evaluate.ddranking.measure import measure
from ddbench.evaluate.ddranking.measurement import load_measurement
from ddbench.evaluate.lr_search import RATES
from ddbench.evaluate.scores import Scores
from ddbench.networks import build_network
from ddbench.randomness import derive
from ddbench.runtime.executors import Local
from ddbench.training.teachers import Teachers

QUICK = {"epochs": 2, "rates": (0.01, 0.1), "seeds": (0, 1)}


@pytest.fixture(scope="module")
def real():
    return tiny_real()


@pytest.fixture(scope="module")
def teachers(real):
    state = build_network(NETWORK, channels=1, size=8, classes=3, seed=5).state_dict()
    return Teachers(
        networks=(NETWORK,),
        states=({name: 3 * tensor for name, tensor in state.items()},),
        channels=1,
        size=8,
        classes=3,
        dataset=real.name,
        preprocessing=real.preprocessing.describe(),
        accuracy=(0.4,),
    )


def soft(syn, teachers):
    return replace(syn, labels=teachers.logits(syn.images), label_kind="logits", student_lr=None)


class Referee:
    """Stands in for the trainings: remembers what was asked, and answers from the seed and the rate."""

    def __init__(self, monkeypatch):
        self.asked = []
        monkeypatch.setattr(baselines, "score", lambda syn, real, **given: self.answer(syn, **given))
        monkeypatch.setattr(baselines, "score_real", lambda real, **given: self.answer(None, **given))

    def answer(self, syn, *, protocol, network, seeds, compute, split, lr, teachers=None):
        who = "real" if syn is None else syn.method
        self.asked += [(who, protocol.key, syn and syn.label_kind, split, lr, seed) for seed in seeds]
        accuracy = tuple(derive(seed, who, protocol.key, str(lr), split) % 1000 / 1000 for seed in seeds)
        return Scores(
            accuracy=accuracy,
            seeds=tuple(seeds),
            network=network,
            protocol=protocol.key,
            split=split,
            seconds=1.0 * len(seeds),
            peak_bytes=1,
            lr=lr,
            notes=tuple(f"seed {seed}: the training did not stay finite" for seed in seeds if seed == 1),
        )


@pytest.fixture
def referee(monkeypatch):
    return Referee(monkeypatch)


SIDES = {"hard": {"syn", "random", "real"}, "soft": {"syn", "random", "syn_hard", "real"}}


@pytest.mark.parametrize("ars", [False, True])
@pytest.mark.parametrize(("track", "mode"), [("hard", "S"), ("soft", "S"), ("soft", "M")])
def test_every_side_has_the_same_budget(referee, real, teachers, track, mode, ars):
    syn = tiny_synthetic(real) if track == "hard" else soft(tiny_synthetic(real), teachers)
    given = teachers if track == "soft" else None
    found = measure(syn, real, track=track, labels=mode, teachers=given, seeds=range(4), searches=2, ars=ars)
    assert set(found.sides) == SIDES[track] | ({"syn_plain", "random_plain"} if ars else set())
    each = 2 * len(RATES) + 4
    assert found.trainings == len(referee.asked) == each * len(found.sides)
    by_side = Counter((who, recipe, kind) for who, recipe, kind, *_ in referee.asked)
    assert set(by_side.values()) == {each} and len(by_side) == len(found.sides)
    judged = {(who, recipe, kind): set() for who, recipe, kind, *_ in referee.asked}
    for who, recipe, kind, split, lr, seed in referee.asked:
        if split == "validation":
            judged[who, recipe, kind].add((lr, seed))
            assert seed not in range(4)
    assert all(tried == {(lr, seed) for lr in RATES for seed in found.search_seeds} for tried in judged.values())


def test_mirroring_and_the_meaning_of_labels_are_part_of_the_question(referee, real, tmp_path):
    syn = tiny_synthetic(real, labels=torch.rand(6, 3), label_kind="logits")
    asked = {"seeds": (0,), "rates": (0.01,), "folder": tmp_path / "trainings"}
    paths = set()
    for number, (mirror, changes) in enumerate(
        [(True, {}), (False, {}), (True, {"label_kind": "probabilities"}), (True, {"formation": 2})]
    ):
        found = measure(replace(syn, **changes), replace(real, mirror=mirror), **asked)
        paths.add(found.save(tmp_path / "measured"))
        assert len(paths) == number + 1 and load_measurement(found.path(tmp_path / "measured")) == found
        assert number != 1 or len(referee.asked) == 6


def test_rate_is_the_best_on_validation_and_all_runs_have_it(referee, real):
    found = measure(tiny_synthetic(real), real, seeds=(0, 1, 2))
    for name, side in found.sides.items():
        best = max(side.tried, key=lambda tried: (sum(tried[1]), -tried[0]))[0]
        assert side.lr == best and [rate for rate, _ in side.tried] == list(RATES)
        who = {"syn": "mtt", "random": "random", "real": "real"}[name]
        tested = [(lr, seed) for asked, _, _, split, lr, seed in referee.asked if (asked, split) == (who, "test")]
        assert tested == [(best, seed) for seed in (0, 1, 2)]


def test_a_learned_rate_is_nobodys(referee, real):
    syn = tiny_synthetic(real, lr=0.0321)
    found = measure(syn, real, seeds=(0,))
    assert all(lr in RATES for *_, lr, _ in referee.asked)
    assert any("learned was not used" in note for note in found.notes)


def test_a_single_rate_is_not_judged_and_needs_no_validation(referee):
    real = tiny_real(validation=0)
    found = measure(tiny_synthetic(real), real, rates=(0.05,), seeds=(0, 1))
    assert found.trainings == len(referee.asked) == 6 and found.search_seeds == ()
    assert {(split, lr) for _, _, _, split, lr, _ in referee.asked} == {("test", 0.05)}
    with pytest.raises(UserError, match="validation split") as caught:
        measure(tiny_synthetic(real), real)
    assert "--rates" in caught.value.fix


def test_a_given_real_accuracy_is_not_trained_and_is_marked(referee, real):
    found = measure(tiny_synthetic(real), real, seeds=(0, 1), real_accuracy=0.848)
    assert found.sides["real"].given and found.sides["real"].accuracy == (0.848, 0.848)
    assert found.sides["real"].lr is None and found.sides["real"].trainings == 0
    assert not [who for who, *_ in referee.asked if who == "real"]


def test_finished_trainings_are_not_done_again(referee, real, tmp_path):
    syn = tiny_synthetic(real)
    answer, limit = referee.answer, 9

    def until_limit(*given, **more):
        if len(referee.asked) >= limit:
            raise KeyboardInterrupt
        return answer(*given, **more)

    referee.answer = until_limit
    with pytest.raises(KeyboardInterrupt):
        measure(syn, real, seeds=(0, 1), folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == limit
    referee.answer = answer
    interrupted = measure(syn, real, seeds=(0, 1), folder=tmp_path)
    assert len(referee.asked) == interrupted.trainings == len(set(referee.asked))
    assert measure(syn, real, seeds=(0, 1), folder=tmp_path) == interrupted == measure(syn, real, seeds=(0, 1))


def test_baselines_are_shared_by_sets_and_more_seeds_only_add(referee, real, tmp_path):
    measure(tiny_synthetic(real), real, seeds=(0, 1), folder=tmp_path)
    before = len(referee.asked)
    measure(tiny_synthetic(real, seed=1, method="ftd"), real, seeds=(0, 1), folder=tmp_path)
    added = referee.asked[before:]
    assert {who for who, *_ in added} == {"ftd"} and len(added) == len(RATES) + 2
    measure(tiny_synthetic(real), real, seeds=(0, 1, 2), folder=tmp_path)
    assert {seed for *_, seed in referee.asked[before + len(added) :]} == {2}


def test_several_seeds_are_trained_together_where_there_are_workers(referee, real, tmp_path):
    sizes, answer = [], referee.answer

    def counted(syn, **given):
        sizes.append((syn and syn.method, len(given["seeds"])))
        return answer(syn, **given)

    referee.answer = counted
    asked = {"seeds": (0, 1, 2), "rates": (0.1,), "folder": tmp_path}
    side_by_side = measure(tiny_synthetic(real), real, compute=computing(executor=Local(2)), **asked)
    assert sizes == [("mtt", 2), ("mtt", 1), ("random", 1), ("random", 1), ("random", 1), (None, 2), (None, 1)]
    for seed_one, seconds in ((1, 1.0), (0, 1.0)):
        kept = [json.loads(path.read_text()) for path in tmp_path.iterdir()]
        alone = [document for document in kept if document["question"]["seed"] == seed_one]
        assert all(document["seconds"] == seconds for document in alone) and len(alone) == 3
        assert all(len(document["notes"]) == (seed_one == 1) for document in alone)
    assert side_by_side.sides["syn"].notes == ("seed 1: the training did not stay finite",)
    assert replace(side_by_side, seeds=(0, 1, 2)) == measure(tiny_synthetic(real), real, **asked)


def test_random_images_seen_are_those_of_the_run(monkeypatch, real):
    seen = {}
    monkeypatch.setattr(baselines, "score_real", lambda real, **given: pytest.fail("real data were trained on"))
    answer = Referee.answer

    def remember(self, syn, **given):
        if syn.method == "random":
            seen[given["seeds"][0]] = syn.images
        return answer(self, syn, **given)

    monkeypatch.setattr(Referee, "answer", remember)
    referee = Referee(monkeypatch)
    monkeypatch.setattr(baselines, "score", lambda syn, real, **given: referee.answer(syn, **given))
    measure(tiny_synthetic(real), real, seeds=(4, 5), rates=(0.1,), real_accuracy=0.5)
    assert set(seen) == {4, 5}
    for seed, images in seen.items():
        assert torch.equal(images, random_set(real, tiny_synthetic(real), seed).images)


def test_hard_track_of_a_soft_set_trains_on_classes(referee, real, teachers):
    logits = 5.0 * torch.nn.functional.one_hot(tiny_synthetic(real).labels, 3)
    syn = replace(tiny_synthetic(real), labels=logits, label_kind="logits")
    measure(syn, real, track="hard", seeds=(0,), rates=(0.1,))
    assert {kind for _, _, kind, *_ in referee.asked} == {"hard", None}


WRONG = [
    ({"track": "middle"}, "track"),
    ({"labels": "X"}, "label mode"),
    ({"rates": ()}, "learning rates"),
    ({"rates": (0.1, -1.0)}, "learning rates"),
    ({"rates": (float("nan"),)}, "learning rates"),
    ({"seeds": ()}, "at least one run"),
    ({"seeds": (1, 1)}, "no seed twice"),
    ({"searches": 0}, "at least one"),
    ({"epochs": 0}, "at least one"),
    ({"weight": 1.5}, "weight"),
    ({"ars_weight": float("nan")}, "weight"),
    ({"real_accuracy": 84.8}, "fraction"),
    ({"track": "soft"}, "needs teachers"),
    ({"network": "convnet-dd"}, "convnet"),
]


@pytest.mark.parametrize(("wrong", "says"), WRONG)
def test_questions_that_can_not_be_asked(referee, real, wrong, says):
    with pytest.raises(UserError, match=says):
        measure(tiny_synthetic(real), real, **wrong)
    assert not referee.asked


def test_data_that_do_not_fit(referee, real, teachers):
    with pytest.raises(UserError, match="another preprocessing"):
        measure(tiny_synthetic(tiny_real(mean=0.5)), real)
    with pytest.raises(UserError, match="larger than a class"):
        measure(replace(tiny_synthetic(real), ipc=11), real)
    with pytest.raises(UserError, match="hard track has no teachers"):
        measure(tiny_synthetic(real), real, teachers=teachers)
    strangers = replace(teachers, preprocessing=tiny_real(mean=0.9).preprocessing.describe())
    with pytest.raises(UserError, match="teachers were trained on other images"):
        measure(tiny_synthetic(real), real, track="soft", teachers=strangers)
    assert not referee.asked


@pytest.mark.parametrize(("track", "mode"), [("hard", "S"), ("soft", "S"), ("soft", "M")])
def test_a_tiny_measurement_from_end_to_end(real, teachers, tmp_path, track, mode):
    syn = tiny_synthetic(real) if track == "hard" else soft(tiny_synthetic(real), teachers)
    asked = {"track": track, "labels": mode, "teachers": teachers if track == "soft" else None, "ars": True, **QUICK}
    found = measure(syn, real, folder=tmp_path / "trainings", **asked)
    again = measure(syn, real, **asked)
    for name, side in found.sides.items():
        assert side.accuracy == again.sides[name].accuracy and side.tried == again.sides[name].tried
    assert found.network == NETWORK and found.labels == (None if track == "hard" else mode)
    assert (f"teachers: {NETWORK} (40.0 % on test)" in found.notes) == (track == "soft")
    path = found.save(tmp_path)
    assert load_measurement(path) == found
    document = json.loads(path.read_text())
    assert document["derived"]["alpha"] == list(found.label_robustness.alpha)
    weighted = load_measurement(path).weighted(0.7, 0.2)
    measured = measure(syn, real, folder=tmp_path / "trainings", weight=0.7, ars_weight=0.2, **asked)
    assert weighted == measured and weighted.derived()["lrs"] != found.derived()["lrs"]


def test_modes_of_the_soft_track_train_on_other_labels(real, teachers):
    """Mode S on labels that are the truth, and mode M on a teacher that knows nothing, are far apart."""
    true = 9.0 * torch.nn.functional.one_hot(tiny_synthetic(real).labels, 3)
    syn = replace(tiny_synthetic(real), labels=true, label_kind="logits")
    asked = {"track": "soft", "teachers": teachers, "rates": (0.1,), "seeds": (0,), "real_accuracy": 0.9, "epochs": 40}
    stored, asked_always = (measure(syn, real, labels=mode, **asked) for mode in ("S", "M"))
    assert stored.sides["syn"].accuracy[0] > asked_always.sides["syn"].accuracy[0] + 0.2
    assert stored.sides["syn_hard"] == replace(asked_always.sides["syn_hard"], seconds=stored.sides["syn_hard"].seconds)
