"""Curves of a continual evaluation by hand, their tables, and documents that are whole or refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.evaluate.continual.curve import Curve, curves_of
from ddbench.evaluate.continual.step_score import StepKey, StepScore, known_score
from ddbench.evaluate.continual.table import caption, render


def point(order, step, accuracy, label="mtt", **changes):
    asked = {
        "method": label,
        "ipc": 2,
        "dataset": "tiny",
        "order": order,
        "step": step,
        "steps": 2,
        "seen": tuple(range(step + 1)),
        "network": "mlp",
        "protocol": "dsa-v1",
        "protocol_fingerprint": "f",
        "epochs": 1000,
        "seeds": (0, 1),
        "memory_sha256": f"{order}{step}",
        "real_fingerprint": "r",
        "mirror": True,
        "how": "by hand",
    }
    fields = {
        "accuracy": accuracy,
        "lr": 0.01,
        "memory_images": step + 1,
        "memory_bytes": 8 * (step + 1),
        "distill_seconds": 2.0,
        "seconds": 1.0,
        "device": "d",
        "code": "c",
        "versions": {"torch": "2"},
        "notes": (),
    }
    return StepScore(question=StepKey(**asked), **{**fields, **changes})


def points():
    return [point(0, 1, (0.4, 0.6)), point(0, 0, (1.0, 0.8)), point(1, 0, (0.9, 0.9)), point(1, 1, (0.2, 0.4))]


def test_a_curve_by_hand():
    (curve,) = curves_of(points())
    assert curve.accuracy == [[1.0, 0.8, 0.9, 0.9], [0.4, 0.6, 0.2, 0.4]]
    assert curve.mean == pytest.approx([0.9, 0.4])
    assert curve.std == pytest.approx([0.005**0.5, 0.02**0.5])
    assert curve.average == pytest.approx(0.65)
    assert curve.averages_by_order == pytest.approx([0.7, 0.6])
    document = curve.document()
    assert document["average_incremental_accuracy_std_over_orders"] == pytest.approx(0.05)
    assert document["final_accuracy_mean"] == pytest.approx(0.4)
    assert document["classes_seen"] == [1, 2]
    assert document["distill_seconds"] == pytest.approx(4.0)


@given(chosen=st.permutations(points()))
def test_methods_are_told_apart_whatever_the_order_of_points(chosen):
    other = [point(0, step, (0.1, 0.1), label="random") for step in (0, 1)]
    curves = {curve.label: curve for curve in curves_of([*chosen, *other])}
    assert set(curves) == {"mtt", "random"}
    assert [sum(step) for step in curves["mtt"].accuracy] == pytest.approx([3.6, 1.6])


def test_tables_in_every_form():
    curves = curves_of(points())
    assert "90.0 ± 7.1" in render(curves, "text")
    assert render(curves, "markdown").splitlines()[0].startswith("| method")
    assert render(curves, "csv").splitlines() == [
        "method,ipc,1 classes,1 classes std,2 classes,2 classes std,average",
        "mtt,2,90.00,7.07,40.00,14.14,65.00",
    ]
    assert '"final_accuracy_mean": 0.4' in render(curves, "json")


def test_the_caption_says_how_the_memories_came_about():
    noted = [replace(one, notes=("pixels ran away",)) for one in points()]
    said = caption(curves_of(noted))
    assert "tiny · mlp · 2 steps · 2 class orders · 2 networks each" in said
    assert "mtt (dsa-v1, 1000 epochs): by hand" in said
    assert "note: pixels ran away" in said


def test_documents_are_kept_whole(tmp_path):
    for one in points():
        one.save(tmp_path)
        assert known_score(one.question, tmp_path) == one
    assert known_score(replace(points()[0].question, epochs=7), tmp_path) is None
    curve = Curve(scores=curves_of(points())[0].scores)
    path = curve.save(tmp_path)
    written = path.stat().st_mtime_ns
    assert curve.save(tmp_path) == path and path.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: "{", "is not a file of scores"),
        (lambda document: [1], "is damaged"),
        (lambda document: {**document, "question": {}}, "of another training"),
        (lambda document: {**document, "lr": "fast"}, "its fields are not whole: lr"),
        (lambda document: {**document, "accuracy": [0.5, 1.5]}, "not one fraction a seed"),
        (lambda document: {**document, "accuracy": [0.5]}, "not one fraction a seed"),
        (lambda document: {**document, "schema": 9}, "newer ddbench"),
    ],
)
def test_damaged_documents_are_one_clear_error(tmp_path, change, message):
    saved = point(0, 0, (0.5, 0.25))
    path = saved.save(tmp_path)
    changed = change(json.loads(path.read_text()))
    path.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(UserError, match=message):
        known_score(saved.question, tmp_path)
