"""Ranking networks by sets, baselines and real data: what is trained, what is kept, and what is said of it."""

import json
from statistics import fmean

import numpy as np
import pytest
from helpers.computing import computing
from helpers.evaluation_makers import tiny_real, tiny_synthetic
from helpers.nas_makers import Counted, tiny_space

from ddbench.errors import UserError
from ddbench.evaluate.nas import GroundTruth, rank, recipe, true_accuracies
from ddbench.evaluate.nas.proxies import ProxySetup, random_proxy, updates
from ddbench.evaluate.nas.rank_correlation import measures
from ddbench.evaluate.nas.report import as_dict, render
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import score_real

PROTOCOL = recipe(epochs=2, augmentation="none")


@pytest.fixture
def counted(monkeypatch):
    return Counted(monkeypatch)


def ranked(folder, sets=None, **changes):
    real = changes.pop("real", None) or tiny_real()
    sets = [tiny_synthetic(real, ipc=2)] if sets is None else sets
    asked = {"space": tiny_space(), "seeds": 2, "protocol": PROTOCOL, **changes}
    return rank(sets, real, folder=folder, **asked)


def test_every_score_is_that_of_the_engine_and_every_measure_that_of_the_scores(tmp_path):
    real = tiny_real()
    syn = tiny_synthetic(real, ipc=2)
    found = ranked(tmp_path, [syn], real=real, baselines=("random", "early-stopping", "parameters"))
    assert [entry.label for entry in found.entries] == [
        "mtt ipc 2",
        "random images ipc 2",
        "early stopping, 2 updates",
        "number of parameters",
    ]
    common = {"protocol": PROTOCOL, "seeds": (0, 1), "split": "validation"}
    for network in found.networks:
        ours, by_random, stopped, counts = (entry.scores[network] for entry in found.entries)
        assert ours == score(syn, real, network=network, **common).accuracy
        assert stopped == score_real(real, network=network, steps=2, **common).accuracy
        assert counts == (found.parameters[network],) and len(by_random) == 2
        true = score_real(real, network=network, **{**common, "seeds": (1000, 1001)}).accuracy
        assert found.truth.accuracy[network] == true
    for entry in found.entries:
        proxy = np.array([fmean(entry.scores[network]) for network in found.networks]).round(12)
        truth = np.array([fmean(found.truth.accuracy[network]) for network in found.networks]).round(12)
        for name, value in measures(proxy, truth).items():
            assert entry.measures[name].value == (None if np.isnan(value) else pytest.approx(value))
        assert entry.chosen == found.networks[int(proxy.argmax())] and entry.chosen in found.truth.test
    assert set(found.truth.test) == {found.best, *(entry.chosen for entry in found.entries)}


def test_what_is_told_of_cost_is_what_it_costs(tmp_path):
    found = ranked(tmp_path)
    ours, by_random, stopped = found.entries
    assert (ours.images, ours.bytes) == (6, 6 * (64 * 4 + 8) + 4)
    assert (by_random.images, by_random.bytes) == (6, 6 * (64 * 4 + 8))
    assert (stopped.images, stopped.bytes) == (found.real_images, found.real_bytes) == (30, 30 * (64 + 8))
    assert all(entry.seconds > 0 for entry in found.entries) and found.real_seconds > 0


def test_early_stopping_has_as_many_updates_as_the_set():
    real = tiny_real()
    bench = ProxySetup(real=real, protocol=recipe(epochs=7), compute=computing(device=real.device))
    assert updates(tiny_synthetic(real, ipc=2), bench) == 7  # six images are one batch of 256
    assert updates(tiny_synthetic(real, ipc=2, formation=2), bench) == 7
    assert PROTOCOLS["nas-v1"].batch == 256


def test_random_images_are_as_many_of_each_class_and_drawn_by_the_seed():
    real = tiny_real()
    bench = ProxySetup(real=real, protocol=PROTOCOL, compute=computing(device=real.device))
    identities = [random_proxy(3, bench, seed).identity for seed in (0, 0, 1)]
    assert identities[0] == identities[1] != identities[2]
    with pytest.raises(UserError, match="ipc 11 is larger than a class"):
        random_proxy(11, bench, 0)


def test_a_second_call_trains_nothing_and_says_the_same(tmp_path, counted):
    first = ranked(tmp_path)
    trainings = len(counted.trained)
    assert trainings == 4 * (1 + 3) + len(first.truth.test)
    assert as_dict(ranked(tmp_path)) == as_dict(first) and len(counted.trained) == trainings


@pytest.mark.parametrize("stop", [1, 6, 13])
def test_an_interrupted_call_goes_on_without_training_anything_twice(tmp_path, counted, stop):
    counted.stop = stop
    with pytest.raises(KeyboardInterrupt):
        ranked(tmp_path / "here")
    counted.stop = None
    resumed = ranked(tmp_path / "here")
    assert len(counted.trained) == len(set(counted.trained))
    scores = [dict(entry.scores) for entry in resumed.entries]
    assert scores == [dict(entry.scores) for entry in ranked(tmp_path / "there").entries]


def test_more_seeds_and_more_networks_train_only_those(tmp_path, counted):
    ranked(tmp_path, networks=2, baselines=())
    before = set(counted.trained)
    ranked(tmp_path, seeds=3, baselines=())
    after = [entry for entry in counted.trained if entry not in before]
    assert {seeds for kind, _, _, seeds, _ in after if kind == "score"} == {(2,), (0, 1, 2)}


def test_other_spaces_share_what_they_have_in_common(tmp_path, counted):
    ranked(tmp_path, space=tiny_space(norm=("in",)), baselines=())
    before = len(counted.trained)
    ranked(tmp_path, space=tiny_space(), baselines=())
    again = [entry for entry in counted.trained[before:] if entry[-1] == "validation"]
    assert {network for _, _, network, _, _ in again} == {"convnet-d1-w4-nonorm", "convnet-d1-w8-nonorm"}


def test_another_recipe_or_set_is_never_taken_for_the_same(tmp_path, counted):
    for changes in ({}, {"protocol": recipe(epochs=1, augmentation="none")}, {"real": tiny_real(mean=0.3)}):
        before = len(counted.trained)
        ranked(tmp_path, baselines=(), **changes)
        assert len(counted.trained) - before >= 8
    before = len(counted.trained)
    ranked(tmp_path, [tiny_synthetic(tiny_real(), ipc=2, seed=3)], baselines=())
    assert [kind for kind, *_ in counted.trained[before:] if kind == "score"] == ["score"] * 4


def test_parts_train_all_that_the_whole_needs(tmp_path, counted):
    for number in (1, 2, 3):
        part = ranked(tmp_path, part=(number, 3))
        assert f"part {number} of 3" in part.notes[-1] and not part.truth.test
    trainings = len(counted.trained)
    whole = ranked(tmp_path)
    assert trainings == 16 and {split for *_, split in counted.trained[16:]} == {"test"}
    assert len(whole.networks) == 4


def test_a_table_replaces_training_on_real_data(tmp_path, counted):
    networks = tiny_space().networks
    truth = GroundTruth(accuracy={name: (0.1 * number,) for number, name in enumerate(networks[:3], 1)}, where="t.csv")
    found = ranked(tmp_path, truth=truth)
    assert found.networks == networks[:3] and found.best == networks[2] and not found.truth.test
    assert {(kind, part) for kind, part, *_ in counted.trained} == {
        ("score", ""),
        ("score_real", "rows"),
        ("score_real", "steps"),
    }
    assert "t.csv does not say how its accuracies were measured" in found.notes
    assert "t.csv" in json.loads(render(found, "json"))["truth"]["from"]


def test_a_table_of_another_recipe_is_said_to_be_one(tmp_path):
    real = tiny_real()
    truth = true_accuracies(real, folder=tmp_path, space=tiny_space(), seeds=1, protocol=recipe(1, "none"))
    assert not truth.test
    same = ranked(tmp_path, protocol=recipe(1, "none"), truth=truth)
    other = ranked(tmp_path, truth=truth)
    assert not any("made with another" in note for note in same.notes)
    assert any("made with another protocol, epochs than" in note for note in other.notes)


def test_test_accuracies_are_asked_for(tmp_path, counted):
    asked = {"space": tiny_space(), "seeds": 1, "protocol": PROTOCOL, "folder": tmp_path}
    assert set(true_accuracies(tiny_real(), **asked, test=True).test) == set(tiny_space().networks)


def test_a_set_that_may_have_seen_the_validation_split_is_said_to(tmp_path):
    real = tiny_real()
    own = tiny_synthetic(real, provenance={"real_fingerprint": real.fingerprint})
    assert not ranked(tmp_path, [own], baselines=()).notes
    assert "may have seen validation images" in ranked(tmp_path, baselines=()).notes[0]


def test_equal_sets_are_ranked_once_and_equal_labels_are_numbered(tmp_path):
    real = tiny_real()
    sets = [tiny_synthetic(real, seed=0), tiny_synthetic(real, seed=0), tiny_synthetic(real, seed=4)]
    found = ranked(tmp_path, sets, baselines=("random",))
    assert [entry.label for entry in found.entries] == ["mtt ipc 2 (1)", "mtt ipc 2 (2)", "random images ipc 2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baselines": ("randm",)}, "did you mean 'random'"),
        ({"seeds": 0}, "at least one seed"),
        ({"sets": []}, "no synthetic set"),
        ({"real": tiny_real(validation=0)}, "not ranked on the test split"),
        ({"networks": 5}, "5 networks were asked for, and there are 4"),
        ({"space": tiny_space(depth=(1, 4))}, "too deep for 8-pixel images"),
        ({"space": "convnet-37"}, "did you mean 'convnet-36'"),
    ],
)
def test_what_can_not_be_ranked_is_refused_before_training(tmp_path, counted, changes, message):
    with pytest.raises(UserError, match=message):
        ranked(tmp_path, **changes)
    assert not counted.trained


def test_damaged_scores_are_told_by_file(tmp_path):
    ranked(tmp_path, baselines=())
    for path in tmp_path.rglob("convnet-d1-w4-????????????????.json"):
        path.write_text(path.read_text().replace('"accuracy": 0.', '"accuracy": 7.'))
    with pytest.raises(UserError, match=r"convnet-d1-w4-[0-9a-f]{16}\.json is damaged"):
        ranked(tmp_path, baselines=())


def test_ties_and_undefined_measures_are_told_in_words(tmp_path):
    found = ranked(
        tmp_path, truth=GroundTruth(accuracy=dict.fromkeys(tiny_space().networks, (0.5, 0.5)), where="t.csv")
    )
    said = render(found)
    assert "undefined for mtt ipc 2" in said and "nan" not in said
    assert all(
        measure["value"] is None
        for name, measure in as_dict(found)["rankings"][0]["measures"].items()
        if name != "regret"
    )
    assert ",," in render(found, "csv")


def test_every_form_says_the_same(tmp_path):
    found = ranked(tmp_path)
    document = json.loads(render(found, "json"))
    assert [entry["trained_on"] for entry in document["rankings"]] == [entry.label for entry in found.entries]
    assert render(found, "csv").startswith("trained_on,images,bytes,seconds,spearman,spearman_low")
    for form, head in (("text", "tiny · tiny, 4 networks"), ("markdown", "### tiny · tiny, 4 networks")):
        assert render(found, form).startswith(head) and found.best in render(found, form)
    with pytest.raises(UserError, match="did you mean 'json'"):
        render(found, "jsn")
