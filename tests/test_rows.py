"""Rows: what they refuse, where they lie, and how a bad file is reported."""

import json
from dataclasses import asdict, replace
from pathlib import PurePosixPath

import pytest
from evaluation_makers import make_tiny_row
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.evaluate.rows import load_row, load_rows, without_paths

fractions = st.floats(0, 1, allow_nan=False)
rows = st.lists(st.tuples(fractions, st.integers(0, 2**62)), min_size=1, max_size=9).flatmap(
    lambda pairs: st.builds(
        make_tiny_row,
        accuracy=st.just(tuple(accuracy for accuracy, _ in pairs)),
        seeds=st.just(tuple(seed for _, seed in pairs)),
        method=st.sampled_from(["mtt", "k-center", "a method/with (signs)"]),
        label=st.text(min_size=1, max_size=9),
        dataset=st.sampled_from(["digits", "folder:cats & dogs", "..", "ns/name"]),
        ipc=st.integers(1, 1000),
        student=st.none() | st.just("convnet-d3"),
        selection=st.sampled_from(["last", "validation", "oracle"]),
        selected_step=st.none() | st.integers(0, 10**6),
        seconds=st.floats(0, 1e6),
        reported=st.none() | fractions,
        note=st.text(max_size=20),
        recipe=st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | fractions, max_size=4),
    )
)


@settings(max_examples=15, deadline=None)
@given(row=rows)
def test_round_trip(tmp_path_factory, row):
    folder = tmp_path_factory.mktemp("results")
    path = row.save(folder)
    assert load_row(path) == row
    assert path.parent.parent.parent == folder and path.parent.name == f"ipc{row.ipc}"


def test_path_and_question(tmp_path):
    row = make_tiny_row()
    path = row.save(tmp_path)
    assert path == tmp_path / "digits" / "ipc1" / f"mtt-{row.question}.json"
    answered_again = replace(row, accuracy=(0.6, 0.7), seconds=1.0, code="f00", synthetic_sha256="other", device="GPU")
    assert answered_again.save(tmp_path) == path
    assert load_rows([tmp_path]) == [answered_again]


@pytest.mark.parametrize(
    "asked",
    [
        {"network": "mlp"},
        {"student": None},
        {"protocol": "dsa-v1"},
        {"selection": "last"},
        {"seeds": (1, 2)},
        {"label": "mtt-long"},
        {"recipe": {"ipc": [2]}},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_other_questions_have_other_files(tmp_path, asked):
    row = make_tiny_row()
    assert row.save(tmp_path) != replace(row, **asked).save(tmp_path)
    assert len(load_rows([tmp_path])) == 2


def test_set_without_recipe_is_asked_about_by_its_hash():
    row = make_tiny_row(recipe={})
    assert row.question != replace(row, synthetic_sha256="other").question


def test_statistics():
    row = make_tiny_row(accuracy=(0.5, 0.6, 0.7), seeds=(0, 1, 2))
    assert row.accuracy_mean == pytest.approx(0.6)
    assert row.accuracy_std == pytest.approx((2 / 3) ** 0.5 / 10)
    assert make_tiny_row(accuracy=(0.5,), seeds=(0,)).accuracy_std == 0
    assert row.total_bytes == 2644


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"accuracy": (60.1, 0.5)}, "fractions in"),
        ({"accuracy": (-0.1, 0.5)}, "fractions in"),
        ({"accuracy": (float("nan"), 0.5)}, "fractions in"),
        ({"accuracy": (0.5,)}, "1 accuracies for 2 seeds"),
        ({"accuracy": (), "seeds": ()}, "at least one accuracy"),
        ({"reported": 46.3}, "fractions in"),
    ],
)
def test_numbers_that_are_refused(changed, says):
    with pytest.raises(ValueError, match=says):
        make_tiny_row(**changed)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda document: document.update(accuracy=[60.1, 0.5]), "fractions in"),
        (lambda document: document.update(ipc="1"), "key   ipc"),
        (lambda document: document.update(selection="best"), "key   selection"),
        (lambda document: document.update(seeds=[0.5, 1]), r"key   seeds\.0"),
        (lambda document: document.pop("protocol"), "key   protocol"),
        (lambda document: document.update(acuracy=document.pop("accuracy")), "did you mean 'accuracy'"),
        (lambda document: document.update(schema=2), "newer ddbench"),
    ],
)
def test_file_that_is_no_row(tmp_path, spoil, says):
    make_tiny_row().save(tmp_path)
    (path,) = tmp_path.rglob("*.json")
    document = json.loads(path.read_text())
    spoil(document)
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=says) as caught:
        load_rows([tmp_path])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00"])
def test_file_that_is_no_json_object(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json"):
        load_rows([tmp_path])


def test_folders(tmp_path):
    first, second = make_tiny_row(), make_tiny_row(dataset="mnist")
    path = first.save(tmp_path / "one")
    second.save(tmp_path / "two")
    assert load_rows([tmp_path / "one", tmp_path / "two", tmp_path / "one", path]) == [first, second]
    assert load_rows([]) == []
    with pytest.raises(UserError, match="no folder of results"):
        load_rows([tmp_path / "three"])
    with pytest.raises(UserError, match="no row"):
        load_row(tmp_path / "three.json")


def test_saving_leaves_one_file(tmp_path):
    row = make_tiny_row()
    row.save(tmp_path)
    path = row.save(tmp_path)
    assert list(path.parent.iterdir()) == [path]
    assert json.loads(path.read_text()).keys() == asdict(row).keys()


def test_paths_of_a_machine_are_cut():
    document = {
        "dataset": "folder:/home/someone/cats",
        "roots": ["/data/x/", "~/data", PurePosixPath("/a/b.npz"), r"C:\Users\x\set.npz"],
        "kept": ["torchvision:resnet18", "a/b", "ns/name", "3/4", 5, None, 0.1, True, ""],
    }
    assert without_paths(document) == {
        "dataset": "folder:cats",
        "roots": ["x", "data", "b.npz", "set.npz"],
        "kept": document["kept"],
    }
