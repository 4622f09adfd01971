"""Rows: what they refuse, where they lie, and how a bad file is reported."""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import PurePosixPath

import pytest
from helpers.evaluation_makers import PRINTABLE, make_tiny_row
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.page.document import page
from ddbench.evaluate.leaderboard.render import render
from ddbench.evaluate.leaderboard.row import SCHEMA, load_row, load_rows, without_paths

fractions = st.floats(0, 1, allow_nan=False)
rows = st.lists(st.tuples(fractions, st.integers(0, 2**62)), min_size=1, max_size=9).flatmap(
    lambda pairs: st.builds(
        make_tiny_row,
        accuracy=st.just(tuple(accuracy for accuracy, _ in pairs)),
        seeds=st.just(tuple(seed for _, seed in pairs)),
        method=st.sampled_from(["mtt", "k-center", "a method/with (signs)"]),
        label=st.text(PRINTABLE, min_size=1, max_size=9),
        dataset=st.sampled_from(["digits", "folder:cats & dogs", "..", "ns/name"]),
        ipc=st.integers(1, 1000),
        student=st.none() | st.just("convnet-d3"),
        selection=st.sampled_from(["last", "validation", "oracle"]),
        selected_step=st.none() | st.integers(0, 10**6),
        seconds=st.floats(0, 1e6),
        reported=st.none() | fractions,
        note=st.text(PRINTABLE, max_size=20),
        recipe=st.dictionaries(
            st.text(PRINTABLE, max_size=5), st.none() | st.booleans() | st.integers() | fractions, max_size=4
        ),
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
        ({"seconds": float("nan")}, "seconds is a finite"),
        ({"expert_seconds": float("inf")}, "expert_seconds is a finite"),
        ({"evaluation_seconds": -1.0}, "evaluation_seconds is a finite"),
        ({"ipc": 0}, "ipc is from 1"),
        ({"ipc": 2**63}, "ipc is from 1"),
        ({"selected_step": -1}, "selected_step is from 0"),
        ({"peak_bytes": 10**30}, "peak_bytes is from 0"),
        ({"bytes": {"images": -5}}, "bytes is from 0"),
        ({"bytes": {"images": 2**62, "labels": 2**62}}, "bytes is from 0"),
        ({"teachers": {"mlp": -1}}, "teachers is from 0"),
        ({"label_versions": 0}, "label_versions is from 1"),
        ({"seeds": (0, 2**63)}, "seeds is from"),
        ({"lr": float("nan")}, "positive numbers"),
        ({"lr": 0.0}, "positive numbers"),
        ({"lr_tried": (0.01, float("inf"))}, "positive numbers"),
        ({"note": "\0"}, "zero character"),
        ({"recipe": {"student": ["\ud800"]}}, "surrogate"),
    ],
)
def test_values_that_are_refused(changed, says):
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
        (lambda document: document.update(schema=SCHEMA + 1), "newer ddbench"),
        (lambda document: document.update(seconds=float("inf")), "Infinity is no number of JSON"),
        (lambda document: document.update(ipc=10**30), "ipc is from 1"),
        (lambda document: document.update(bytes={"images": 10**400}), "a number of 401 digits"),
        (lambda document: document.update(bytes={"images": 10**35}), "bytes"),
        (lambda document: document.update(lr=float("nan")), "NaN is no number of JSON"),
        (lambda document: document.update(lr=-1.0), "positive numbers"),
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


numbers = st.floats() | st.integers(-5, 5) | st.sampled_from([1e308, 5e-324, 2**63 - 1, 2**62, 10**30, -(2**63)])
texts = st.text(max_size=5) | st.sampled_from(["\ud800", "a|b\nc", "</script>", "../..", "[0,1]", ",,"])
counts = st.dictionaries(texts, st.integers(0, 2**62) | numbers, max_size=3)
nested = st.recursive(numbers | texts | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=6)
changes = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("method", "label", "dataset", "network", "note", "device", "synthetic_sha256"), texts),
        **dict.fromkeys(("student", "pool", "teachers_fingerprint", "buffer_fingerprint"), st.none() | texts),
        **dict.fromkeys(("seconds", "expert_seconds", "evaluation_seconds", "peak_bytes", "ipc"), numbers),
        **dict.fromkeys(("selected_step", "lr", "reported"), st.none() | numbers),
        "lr_policy": st.sampled_from(["protocol", "search"]),
        "lr_tried": st.lists(st.floats(1e-9, 1e9) | numbers, max_size=2),
        "label_versions": numbers,
        "seeds": st.lists(numbers, min_size=2, max_size=2),
        "bytes": counts,
        "teachers": counts,
        "versions": st.dictionaries(texts, texts, max_size=2),
        "recipe": st.dictionaries(texts, nested, max_size=3),
    },
)


@settings(max_examples=30, deadline=None)
@given(given=st.lists(changes, min_size=1, max_size=3))
def test_every_row_that_loads_can_be_shown(tmp_path_factory, given):
    folder, loaded = tmp_path_factory.mktemp("hostile"), []
    for number, changed in enumerate(given):
        path = folder / f"{number}.json"
        path.write_text(json.dumps({**asdict(make_tiny_row()), **changed}))
        with suppress(UserError):
            loaded.append(load_row(path))
    for form in ("text", "markdown", "csv", "json"):
        assert render(loaded, form).encode()
        assert render(loaded, form, details=True).encode()
    json.loads(render(loaded, "json"), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert page(loaded).encode()


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
    assert json.loads(path.read_text()).keys() == asdict(row).keys() - {"precision"}, "which is float32"


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
