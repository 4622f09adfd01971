"""Scoring, selecting and verifying synthetic sets."""

from dataclasses import replace

import pytest
import torch
from helpers.command_line import only
from helpers.computing import computing
from helpers.evaluation_makers import NETWORK, short, tiny_real, tiny_synthetic

from ddbench.errors import UserError
from ddbench.evaluate import selection
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.evaluate.score import Scores, score
from ddbench.evaluate.score_real import score_real
from ddbench.evaluate.selection import select, selection_seeds
from ddbench.runtime.executors import Local
from ddbench.synthetic.synthetic_set import load_synthetic


@pytest.fixture
def real():
    return tiny_real()


class Meter:
    """Remembers what it was told."""

    def __init__(self):
        self.total, self.done, self.closed = 0, [], False

    def start(self, total, what, done=0):
        self.total = total

    def update(self, done, **facts):
        self.done.append(done)

    def close(self):
        self.closed = True


def test_one_accuracy_a_seed_and_each_seed_for_itself(real, device):
    syn = tiny_synthetic(real)
    both = score(syn, real, protocol=short(epochs=20), seeds=(3, 0), compute=computing(device=device))
    alone = score(syn, real, protocol=short(epochs=20), seeds=(0,), compute=computing(device=device))
    assert both.seeds == (3, 0) and both.split == "test" and both.network == NETWORK and both.protocol == "mtt-v1"
    if device.type == "cpu":
        assert both.accuracy[1] == alone.accuracy[0]
    assert both.accuracy_mean > 0.6 and both.seconds > 0 and both.peak_bytes > 0 and not both.notes


def test_scoring_learns_from_the_set_alone(real):
    syn = tiny_synthetic(real)
    wrong = replace(syn, labels=(syn.labels + 1) % real.classes)
    asked = {"protocol": short(epochs=20), "seeds": (0, 1)}
    assert score(syn, real, **asked).accuracy_mean > score(wrong, real, **asked).accuracy_mean + 0.3


def test_global_random_state_and_threads_are_left_alone(real):
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    score(tiny_synthetic(real), real, protocol=short(), seeds=(0,))
    assert torch.equal(state, torch.random.get_rng_state()) and torch.get_num_threads() == threads


def test_progress_counts_epochs_and_is_closed(real):
    meter = Meter()
    score(tiny_synthetic(real), real, protocol=short(epochs=3), seeds=(0, 1), compute=computing(progress=meter))
    assert meter.total == 8 and meter.done[-1] == 8 and meter.done == sorted(meter.done) and meter.closed


def rates_used(monkeypatch, syn, real, protocol):
    seen = []
    monkeypatch.setattr(
        "ddbench.evaluate.training.train_and_test.train_epochs",
        lambda optimizer, *rest, **more: seen.append(optimizer.rate(0)) or (),
    )
    scores = score(syn, real, protocol=protocol, seeds=(0,))
    return seen, scores.notes


def test_learned_rate_is_used_by_mtt_alone(monkeypatch, real):
    syn = tiny_synthetic(real, lr=0.25)
    assert rates_used(monkeypatch, syn, real, short("mtt-v1")) == ([0.25], ())
    assert rates_used(monkeypatch, syn, real, short("dsa-v1")) == ([0.01], ())
    assert rates_used(monkeypatch, syn, real, short("dc-v1", augmentation="none")) == ([0.01], ())


def test_set_without_learned_rate_is_noted(monkeypatch, real):
    rates, notes = rates_used(monkeypatch, tiny_synthetic(real, lr=None), real, short("mtt-v1"))
    assert rates == [0.01]
    assert notes == ("no learned learning rate: trained with 0.01",)


@pytest.mark.parametrize("lr", [0.0, -0.01, float("nan"), float("inf")])
def test_learned_rate_that_sgd_can_not_use(real, lr):
    with pytest.raises(UserError, match="learned learning rate") as caught:
        score(tiny_synthetic(real, lr=lr), real, protocol="mtt-v1")
    assert "dsa-v1" in caught.value.fix
    assert score(tiny_synthetic(real, lr=lr), real, protocol=short("dsa-v1"), seeds=(0,)).accuracy


@pytest.mark.parametrize("lr", [0.0, -1.0, float("nan"), float("inf")])
def test_given_rate_that_sgd_can_not_use(real, lr):
    with pytest.raises(UserError, match="a learning rate is a positive number"):
        score(tiny_synthetic(real), real, protocol="dsa-v1", lr=lr)
    with pytest.raises(UserError, match="a learning rate is a positive number"):
        score_real(real, protocol="dsa-v1", network=NETWORK, lr=lr)


def test_training_that_diverges_is_noted(real):
    syn = tiny_synthetic(real, lr=1e30)
    scores = score(syn, real, protocol=short(epochs=6, augmentation="none"), seeds=(4,))
    assert scores.notes == ("seed 4: the training did not stay finite",)
    assert 0 <= scores.accuracy[0] <= 1


def test_other_preprocessing_is_refused(real):
    other = tiny_real(mean=0.5)
    with pytest.raises(UserError, match="another preprocessing") as caught:
        score(tiny_synthetic(other), real, protocol="mtt-v1")
    assert real.preprocessing.fingerprint in str(caught.value) and other.preprocessing.fingerprint in str(caught.value)


def test_other_shape_and_classes_are_refused(real):
    syn = tiny_synthetic(real)
    for wrong in (replace(syn, images=syn.images[..., :6, :6]), replace(syn, class_names=("a", "b"))):
        with pytest.raises(UserError, match="can not be tested on tiny"):
            score(wrong, real, protocol="mtt-v1")


def test_bad_questions(real):
    syn = tiny_synthetic(real)
    with pytest.raises(UserError, match="at least one seed"):
        score(syn, real, protocol="mtt-v1", seeds=())
    with pytest.raises(UserError, match="did you mean 'mtt-v1'"):
        score(syn, real, protocol="mtt-v2")
    with pytest.raises(UserError, match="no network"):
        score(syn, real, protocol="mtt-v1", network="perceptron")
    with pytest.raises(UserError, match="validation split of tiny is empty"):
        score(syn, tiny_real(validation=0), protocol="mtt-v1", split="validation")


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_soft_labels(real, kind):
    syn = tiny_synthetic(real)
    hot = torch.nn.functional.one_hot(syn.labels, real.classes).float()
    soft = replace(syn, labels=hot if kind == "probabilities" else 50 * hot, label_kind=kind)
    asked = {"protocol": short(epochs=10), "seeds": (0, 1)}
    assert score(soft, real, **asked).accuracy == score(syn, real, **asked).accuracy


def test_batch_norm_network_gets_its_own_setting(real):
    protocol = replace(PROTOCOLS["dc-v1"], batch_norm=short(epochs=2, augmentation="dc-bn").setting)
    meter = Meter()
    score(
        tiny_synthetic(real),
        real,
        protocol=protocol,
        network=f"{NETWORK}-bn",
        seeds=(0,),
        compute=computing(progress=meter),
    )
    assert meter.total == 3


class TestSingleImages:
    """Batch norm on maps of one pixel has nothing to normalize in a batch of one image."""

    NETWORK = "convnet-d3-w4-bn"

    def asked(self, real, rows, batch):
        protocol = replace(short("dsa-v1", epochs=1, augmentation="none"), batch=batch)
        return {"protocol": protocol, "network": self.NETWORK, "rows": torch.arange(rows)}

    @pytest.fixture
    def tall(self, real, monkeypatch):
        """Networks that end in batch norm on one pixel."""

        def built(name, shape, *, seed):
            norm = torch.nn.BatchNorm2d(shape.channels)
            return torch.nn.Sequential(
                torch.nn.AdaptiveAvgPool2d(1), norm, torch.nn.Flatten(), torch.nn.Linear(shape.channels, shape.classes)
            )

        monkeypatch.setattr("ddbench.evaluate.training.evaluation_config.build_network", built)
        return real

    def test_the_last_is_joined(self, tall):
        assert score_real(tall, **self.asked(tall, rows=10, batch=9)).accuracy

    @pytest.mark.parametrize(("rows", "batch"), [(1, 9), (4, 1)])
    def test_where_there_is_no_other_it_is_said_before_training(self, tall, rows, batch):
        with pytest.raises(UserError, match="has batch norm, which can not train on one image"):
            score_real(tall, **self.asked(tall, rows=rows, batch=batch))

    def test_larger_maps_have_numbers_enough(self, real):
        assert score_real(real, **{**self.asked(real, rows=1, batch=9), "network": f"{NETWORK}-bn"}).accuracy


@pytest.mark.slow
def test_workers_give_the_same_bits(real):
    syn, protocol = tiny_synthetic(real), short(epochs=10)
    alone = score(syn, real, protocol=protocol, seeds=range(3))
    with Local(2) as workers:
        assert (
            score(syn, real, protocol=protocol, seeds=range(3), compute=computing(executor=workers)).accuracy
            == alone.accuracy
        )


# --- selection -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(real, tmp_path):
    for step in (100, 200, 300):
        tiny_synthetic(real, seed=step // 100, provenance={"step": step}).save(tmp_path / f"{step:06d}.safetensors")
    return tmp_path


@pytest.fixture
def scripted(monkeypatch):
    """Scoring replaced by known accuracies; returns the calls that were made as (step, split)."""
    accuracy = {"validation": {100: 0.5, 200: 0.75, 300: 0.75}, "test": {100: 0.9, 200: 0.3, 300: 0.4}}
    calls = []

    def pretend(syn, real, *, seeds, split, **rest):
        step = syn.provenance["step"]
        calls.append((step, split))
        values = tuple(accuracy[split][step] for _ in seeds)
        return Scores(
            accuracy=values, seeds=seeds, network="", protocol="", split=split, seconds=0.0, peak_bytes=0, notes=()
        )

    monkeypatch.setattr(selection, "score", pretend)
    return calls


def test_rules(folder, real, scripted):
    last = select(folder, "last", real, protocol="mtt-v1")
    assert (last.step, last.scores, scripted) == (300, {}, [])
    validation = select(folder, "validation", real, protocol="mtt-v1", networks=2)
    assert validation.step == 300
    assert validation.scores == {100: (0.5, 0.5), 200: (0.75, 0.75), 300: (0.75, 0.75)}
    assert {split for _, split in scripted} == {"validation"}
    oracle = select(folder, "oracle", real, protocol="mtt-v1")
    assert oracle.step == 100 and oracle.path == folder / "000100.safetensors"


def test_scores_are_kept(folder, real, scripted):
    first = select(folder, "validation", real, protocol="mtt-v1")
    assert len(scripted) == 3
    assert select(folder, "validation", real, protocol="mtt-v1") == first and len(scripted) == 3
    for changed in ({"protocol": "dsa-v1"}, {"network": "mlp"}, {"networks": 2}, {"seed": 1}):
        before = len(scripted)
        select(folder, "validation", real, **{"protocol": "mtt-v1", **changed})
        assert len(scripted) == before + 3


def test_interrupted_selection_goes_on(folder, real, scripted):
    select(folder, "validation", real, protocol="mtt-v1")
    only(folder, "scores/000100-*.json").unlink()
    scripted.clear()
    assert select(folder, "validation", real, protocol="mtt-v1").step == 300
    assert scripted == [(100, "validation")]


def test_candidate_that_changed_is_judged_anew(folder, real, scripted):
    select(folder, "validation", real, protocol="mtt-v1")
    scripted.clear()
    tiny_synthetic(real, seed=5, provenance={"step": 200}).save(folder / "000200.safetensors")
    select(folder, "validation", real, protocol="mtt-v1")
    assert scripted == [(200, "validation")]


def test_single_candidate_needs_no_training(real, tmp_path, scripted):
    tiny_synthetic(real).save(tmp_path / "000000.safetensors")
    assert select(tmp_path, "validation", tiny_real(validation=0), protocol="mtt-v1").step == 0
    assert scripted == []


def test_selection_with_real_training(folder, real):
    chosen = select(folder, "validation", real, protocol=short(epochs=2))
    assert set(chosen.scores) == {100, 200, 300}
    assert load_synthetic(chosen.path).provenance["step"] == chosen.step


def test_selection_that_can_not_be(folder, real, tmp_path):
    with pytest.raises(UserError, match="validation split of tiny is empty") as caught:
        select(folder, "validation", tiny_real(validation=0), protocol="mtt-v1")
    assert "selection: last" in caught.value.fix
    with pytest.raises(UserError, match="did you mean 'validation'"):
        select(folder, "validate", real, protocol="mtt-v1")
    with pytest.raises(UserError, match="no synthetic set to choose from"):
        select(tmp_path / "nothing", "last", real, protocol="mtt-v1")


def test_judges_and_scorers_are_different_networks():
    assert not set(selection_seeds(0, 5)) & {0, 1, 2, 3, 4}
    assert selection_seeds(0, 2) == selection_seeds(0, 3)[:2]
