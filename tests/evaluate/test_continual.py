"""Class-incremental evaluation: orders, steps, memories and points, against numpy and hand-worked cases."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.evaluation_makers import short, tiny_real, tiny_synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.data.class_subset import only_classes
from ddbench.errors import UserError
from ddbench.evaluate.continual.class_order import class_order, class_steps
from ddbench.evaluate.continual.evaluator import ContinualEvaluator
from ddbench.evaluate.continual.replay_memory import StepSet, merge_memory, seen_test, split_by_class
from ddbench.evaluate.continual.step_score import known_score
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.evaluate.score import score


@settings(max_examples=30, deadline=None)
@given(classes=st.integers(1, 200), order=st.integers(0, 2**32 - 1))
def test_orders_are_numpys_rule_and_leave_its_state_alone(classes, order):
    before = np.random.get_state()
    try:
        np.random.seed(order)
        want = np.random.permutation(classes).tolist()
    finally:
        np.random.set_state(before)
    assert list(class_order(classes, order)) == want
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), before, strict=True))


def test_known_orders():
    assert class_order(10, 0) == (2, 8, 4, 9, 1, 6, 7, 3, 0, 5)
    assert class_order(100, 0)[:5] == (26, 86, 2, 55, 75)
    assert class_steps(10, 5, 0) == [(2, 8), (4, 9), (1, 6), (7, 3), (0, 5)]
    assert [len(step) for step in class_steps(10, 3, 1)] == [4, 3, 3]


@settings(max_examples=30, deadline=None)
@given(data=st.data(), classes=st.integers(1, 60), order=st.integers(0, 9))
def test_steps_share_all_classes_out_nearly_equally(data, classes, order):
    steps = class_steps(classes, data.draw(st.integers(1, classes)), order)
    assert tuple(label for step in steps for label in step) == class_order(classes, order)
    sizes = [len(step) for step in steps]
    assert max(sizes) - min(sizes) <= 1 and sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("steps", [0, -1, 4])
def test_bad_steps_and_orders_are_refused(steps):
    with pytest.raises(UserError, match=f"3 classes can not come in {steps} steps"):
        class_steps(3, steps, 0)
    with pytest.raises(UserError, match="no class order -1"):
        class_order(3, -1)


def part_of(real, classes, ipc=2, **changes):
    """A set made of some classes alone, as a distillation of one step leaves it."""
    return StepSet(tiny_synthetic(only_classes(real, classes), ipc=ipc, **changes), tuple(classes))


def test_a_union_of_memories_has_the_labels_of_the_whole_data():
    real = tiny_real()
    parts = [part_of(real, [2, 0]), part_of(real, [1], ipc=3)]
    memory = merge_memory(parts, real)
    assert memory.labels.tolist() == [2, 2, 0, 0, 1, 1, 1]
    assert torch.equal(memory.images, torch.cat([part.syn.images for part in parts]))
    assert (memory.classes, memory.class_names, memory.dataset) == (3, real.class_names, "tiny")
    assert memory.label_kind == "hard"
    for label, image in zip(memory.labels.tolist(), memory.images, strict=True):
        assert (real.inputs(real.train, real.train.rows_of_class(label)) == image).flatten(1).all(1).any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), kind=st.sampled_from(["logits", "probabilities"]))
def test_soft_labels_are_probabilities_among_the_parts_own_classes(seed, kind):
    real = tiny_real()
    drawn = torch.randn(4, 2, generator=torch.Generator().manual_seed(seed)) * 3
    labels = drawn if kind == "logits" else drawn.softmax(1)
    soft = part_of(real, [2, 0], labels=labels, label_kind=kind)
    memory = merge_memory([soft, part_of(real, [1])], real)
    want = torch.zeros(6, 3)
    want[:4, 2], want[:4, 0] = drawn.softmax(1)[:, 0], drawn.softmax(1)[:, 1]
    want[4:, 1] = 1
    assert memory.label_kind == "probabilities"
    torch.testing.assert_close(memory.labels, want)
    torch.testing.assert_close(memory.labels.sum(1), torch.ones(6))


def test_rates_are_averaged_and_mosaics_decoded():
    real = tiny_real()
    memory = merge_memory([part_of(real, [0], lr=0.1), part_of(real, [1], lr=0.3, formation=2)], real)
    torch.testing.assert_close(memory.student_lr, torch.tensor(0.2))
    assert memory.labels.tolist() == [0] * 2 + [1] * 8
    assert merge_memory([part_of(real, [0], lr=0.1), part_of(real, [1], lr=None)], real).student_lr is None


def test_memories_that_do_not_fit_are_refused():
    real = tiny_real()
    with pytest.raises(UserError, match="classes of the steps do not fit"):
        merge_memory([part_of(real, [0, 1]), part_of(real, [1])], real)
    with pytest.raises(UserError, match="another preprocessing"):
        merge_memory([part_of(tiny_real(mean=0.3), [0])], real)
    with pytest.raises(UserError, match="no memory of tiny"):
        merge_memory([StepSet(tiny_synthetic(real), (0, 1))], real)


@settings(max_examples=20, deadline=None)
@given(classes=st.permutations([0, 1, 2]), count=st.integers(1, 3), soft=st.booleans())
def test_a_whole_set_parted_and_put_together_again_is_the_same(classes, count, soft):
    real = tiny_real()
    syn = tiny_synthetic(real, ipc=2)
    if soft:
        syn = replace(syn, labels=torch.eye(3)[syn.labels] * 9, label_kind="logits")
    parts = [split_by_class(syn, [label]) for label in classes[:count]]
    memory = merge_memory(parts, real)
    rows = [row for label in classes[:count] for row in (2 * label, 2 * label + 1)]
    assert torch.equal(memory.images, syn.images[rows])
    assert memory.hard_labels().tolist() == [label for label in classes[:count] for _ in range(2)]


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_labels_that_say_nothing_of_a_step_are_the_class_an_image_was_made_for(kind):
    real = tiny_real()
    sure = torch.tensor([[1.0, 0.0, 0.0]] * 6)
    syn = tiny_synthetic(real, labels=sure if kind == "probabilities" else 300 * sure - 200, label_kind=kind)
    part = split_by_class(syn, [2, 1])
    if kind == "probabilities":
        assert part.syn.labels.tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]
    else:
        assert part.syn.labels.tolist() == [[0.5, 0.5]] * 4
    assert merge_memory([split_by_class(syn, [0]), part], real).labels.isfinite().all()


def test_only_seen_classes_are_tested():
    real = tiny_real()
    seen = seen_test(real, [2, 0])
    assert sorted(set(seen.test.labels.tolist())) == [0, 2]
    assert len(seen.test) == 10 and seen.classes == 3
    assert seen_test(real, [2, 1, 0]) is real


def evaluator(home, real, epochs=2, **changes):
    about = {"network": "convnet-d1-w4", "protocol": short("dsa-v1", epochs), "seeds": (0, 1)}
    return ContinualEvaluator(real=real, home=home, **{**about, **changes})


def evaluate_step(who, parts, step=0, label="mtt"):
    return who.evaluate_step(label, 2, parts, order=0, step=step, steps=3, how="by hand")


def test_a_point_is_a_plain_score_and_is_not_computed_twice(tmp_path, monkeypatch):
    real = tiny_real()
    parts = [part_of(real, [2]), part_of(real, [0])]
    point = evaluate_step(evaluator(tmp_path, real), parts, step=1)
    want = score(
        merge_memory(parts, real),
        seen_test(real, [2, 0]),
        protocol=short("dsa-v1", 2),
        network="convnet-d1-w4",
        seeds=(0, 1),
    )
    assert point.accuracy == want.accuracy
    assert point.question.seen == (2, 0)
    assert (point.memory_images, point.memory_bytes) == (4, sum(sum(part.syn.bytes.values()) for part in parts))
    assert known_score(point.question, tmp_path) == point

    def never(*arguments, **more):
        raise AssertionError("trained again")

    monkeypatch.setattr("ddbench.evaluate.continual.evaluator.score", never)
    assert evaluate_step(evaluator(tmp_path, real), parts, step=1) == point
    for changed in (
        {"seeds": (0, 1, 2)},
        {"epochs": 3},
        {"network": "convnet-d1-w8"},
    ):
        with pytest.raises(AssertionError, match="trained again"):
            evaluate_step(evaluator(tmp_path, real, **changed), parts, step=1)
    with pytest.raises(AssertionError, match="trained again"):
        evaluate_step(evaluator(tmp_path, replace(real, mirror=False)), parts, step=1)
    with pytest.raises(AssertionError, match="trained again"):
        evaluate_step(evaluator(tmp_path, real), [part_of(real, [2], seed=1), parts[1]], step=1)


def test_pixels_that_have_run_away_are_noted(tmp_path):
    real = tiny_real()
    wild = part_of(real, [2])
    wild = StepSet(replace(wild.syn, images=wild.syn.images * 40), wild.classes)
    assert not any("deviation" in note for note in evaluate_step(evaluator(tmp_path, real), [part_of(real, [2])]).notes)
    (note,) = [note for note in evaluate_step(evaluator(tmp_path, real), [wild]).notes if "deviation" in note]
    assert note.startswith("mtt: pixels of a step") and note.endswith("lower image_lr")


def test_the_bound_trains_on_all_images_of_the_classes_seen(tmp_path, monkeypatch):
    seen = {}

    def score_real(real, *, rows, **more):
        seen.update(
            labels=set(real.train.labels[rows].tolist()), tested=set(real.test.labels.tolist()), count=len(rows)
        )
        return score(tiny_synthetic(real), real, protocol=short(), seeds=(0, 1))

    monkeypatch.setattr("ddbench.evaluate.continual.evaluator.score_real", score_real)
    point = evaluator(tmp_path, tiny_real()).ask_whole_data(
        [2, 0], PROTOCOLS["real-v1"].with_epochs(1), order=0, step=0, steps=2
    )
    assert seen == {"labels": {0, 2}, "tested": {0, 2}, "count": 20}
    assert (point.question.method, point.question.ipc, point.memory_images) == ("real", None, 20)


def test_teachers_who_know_classes_to_come_are_refused(tmp_path):
    with pytest.raises(UserError, match="classes that have not come yet"):
        evaluator(tmp_path, tiny_real(), protocol=PROTOCOLS["rded-v1"])


@given(epochs=st.integers(1, 50))
def test_shorter_protocols_are_told_apart(epochs):
    for key in ("dsa-v1", "dc-v1", "real-v1"):
        changed = PROTOCOLS[key].with_epochs(epochs)
        assert changed.setting.epochs == epochs
        assert all(setting.epochs == epochs for _, setting in changed.by_dataset)
        assert changed.fingerprint != PROTOCOLS[key].fingerprint
        assert changed.key == key
    with pytest.raises(UserError, match="follow from a rule"):
        PROTOCOLS["idc-v1"].with_epochs(epochs)
