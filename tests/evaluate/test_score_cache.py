"""The cache of scores: what it finds again, what it refuses, and what an older ddbench left."""

import json
import multiprocessing
from dataclasses import replace

import pytest
from helpers.command_line import only
from helpers.computing import computing
from helpers.evaluation_makers import NETWORK, short, tiny_real, tiny_synthetic
from hypothesis import given
from hypothesis import strategies as st

from ddbench.artifact import fingerprint, write_json
from ddbench.errors import UserError
from ddbench.evaluate import selection
from ddbench.evaluate.leaderboard.known_rows import completed, known_rows
from ddbench.evaluate.leaderboard.make_row import make_row
from ddbench.evaluate.leaderboard.test_split import image_test_split
from ddbench.evaluate.nas import proxies
from ddbench.evaluate.nas.network_scores import NetworkScores
from ddbench.evaluate.score import score
from ddbench.evaluate.score_cache import ScoreCache
from ddbench.evaluate.scores import Scores
from ddbench.evaluate.selection import select

KEY = {"set": "a", "lr": 0.1, "split": "test"}
SCORES = Scores(
    accuracy=(0.25, 0.5, 1.0),
    seeds=(4, 0, 40),
    network="mlp",
    protocol="mtt-v1",
    split="test",
    seconds=6.0,
    peak_bytes=10,
    notes=("of all", "seed 4: of one", "seed 40: of another"),
)


def never(*arguments, **more):
    raise AssertionError("trained again")


def test_seeds_are_found_again_each_with_its_share(tmp_path):
    cache = ScoreCache(tmp_path)
    kept = cache.keep_seeds(KEY, SCORES, "mlp")
    for seed, accuracy, notes in ((4, 0.25, 1), (0, 0.5, 0), (40, 1.0, 2)):
        found = ScoreCache(tmp_path).find({**KEY, "seed": seed}, "mlp")
        assert found == kept[seed]
        assert (found["accuracy"], found["seconds"], found["peak_bytes"]) == (accuracy, 2.0, 10)
        assert found["notes"] == ["of all", *SCORES.notes[notes : notes + 1]] if notes else ["of all"]
    assert cache.find({**KEY, "seed": 1}, "mlp") is None
    assert cache.find({**KEY, "seed": 4, "lr": 0.2}, "mlp") is None
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"mlp"}


def test_without_a_folder_nothing_is_remembered():
    cache = ScoreCache(None)
    assert cache.keep_seeds(KEY, SCORES)[0]["accuracy"] == 0.5
    assert cache.find({**KEY, "seed": 0}) is None


@given(
    key=st.dictionaries(st.text("abc é"), st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)),
    accuracy=st.lists(st.floats(0, 1), min_size=1),
)
def test_any_key_is_found_under_itself_alone(tmp_path_factory, key, accuracy):
    cache = ScoreCache(tmp_path_factory.mktemp("scores"))
    key = {**key, "seeds": list(range(len(accuracy)))}
    cache.keep(key, {"accuracy": accuracy})
    assert cache.find(key) == {"accuracy": accuracy, "seconds": 0.0, "peak_bytes": 0, "notes": []}
    assert cache.find({**key, "seeds": [*key["seeds"], -1]}) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": {**KEY, "seed": 1}}, "it is of another training"),
        ({"accuracy": 1.5}, "not one fraction a seed"),
        ({"accuracy": [0.5]}, "not one fraction a seed"),
        ({"accuracy": True}, "not one fraction a seed"),
        ({"seconds": -1}, "its costs are no amounts"),
        ({"peak_bytes": "10"}, "its costs are no amounts"),
        ({"notes": "seed 0"}, "its notes are no text"),
        ({"schema": 2}, "written by a newer ddbench"),
    ],
)
def test_damaged_files_are_one_clear_error(tmp_path, change, message):
    cache, key = ScoreCache(tmp_path), {**KEY, "seed": 0}
    cache.keep(key, {"accuracy": 0.5})
    write_json(cache.path(key), {**json.loads(cache.path(key).read_text()), **change})
    with pytest.raises(UserError, match=message) as error:
        cache.find(key)
    assert str(cache.path(key)) in str(error.value)


def write_some(folder, first):
    for seed in range(first, first + 40):
        ScoreCache(folder).keep({**KEY, "seed": seed}, {"accuracy": seed / 100})


def test_processes_that_share_a_folder_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_some, args=(tmp_path, first)) for first in (0, 30)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [ScoreCache(tmp_path).find({**KEY, "seed": seed})["accuracy"] for seed in range(70)] == [
        seed / 100 for seed in range(70)
    ]


def test_scores_of_candidates_that_an_older_ddbench_kept_are_not_trained_again(tmp_path, monkeypatch):
    real = tiny_real()
    for step in (1, 2):
        tiny_synthetic(real, seed=step).save(tmp_path / f"{step:06d}.safetensors")
    first = select(tmp_path, "validation", real, protocol=short())
    entries = {}
    for path in (tmp_path / "scores").iterdir():
        document = json.loads(path.read_text())
        entries[fingerprint(document["question"])] = {**document["question"], "accuracy": document["accuracy"]}
        path.unlink()
    write_json(tmp_path / "scores.json", entries)
    with monkeypatch.context() as patch:
        patch.setattr(selection, "score", never)
        assert select(tmp_path, "validation", real, protocol=short()) == first
    one = next(iter(entries.values()))
    for damage in ({"accuracy": [2.0]}, {"split": "test"}, {"accuracy": []}):
        write_json(tmp_path / "scores.json", {**entries, next(iter(entries)): {**one, **damage}})
        assert select(tmp_path, "validation", real, protocol=short()) == first
        only(tmp_path, "scores/*.json").unlink()


def test_scores_of_networks_that_an_older_ddbench_kept_are_not_trained_again(tmp_path, monkeypatch):
    bench = proxies.ProxySetup(real=tiny_real(), protocol=proxies.recipe(1, "none"), compute=computing())
    proxy = proxies.real_proxy(bench)
    cache = NetworkScores(proxy, bench, tmp_path)
    want = cache.scores(NETWORK, (0, 1), "validation")
    files = list((tmp_path / "nas").rglob("*.json"))
    known = {}
    for path in files:
        document = json.loads(path.read_text())
        known[str(document["question"]["seed"])] = {name: document[name] for name in ("accuracy", "seconds")}
        path.unlink()
    write_json(files[0].parent / f"{NETWORK}.json", {"network": NETWORK, "validation": known})
    monkeypatch.setattr(proxies, "score_real", never)
    assert NetworkScores(proxy, bench, tmp_path).scores(NETWORK, (0, 1), "validation") == want
    assert cache.missing(NETWORK, (0, 1, 2), "validation") == [2] and cache.missing(NETWORK, (0,), "test") == [0]
    other = NetworkScores(proxy, replace(bench, protocol=proxies.recipe(2, "none")), tmp_path)
    assert other.missing(NETWORK, (0,), "validation") == [0]
    write_json(files[0].parent / f"{NETWORK}.json", {"network": "mlp", "validation": known})
    assert cache.missing(NETWORK, (0, 1), "validation") == [0, 1]


def test_rows_are_known_by_their_fields_and_completed_once(tmp_path):
    real = tiny_real()
    syn = tiny_synthetic(real)
    scores = score(syn, real, protocol=short(epochs=1), seeds=(0,))
    row = replace(make_row(syn, real, scores, selection="given", device="cpu"), tested_on=None)
    assert not list(known_rows(tmp_path, real.name, row.ipc))
    path = row.save(tmp_path)
    assert list(known_rows(tmp_path, real.name, row.ipc, seeds=(0,), network=row.network)) == [row]
    assert not list(known_rows(tmp_path, real.name, row.ipc, seeds=(1,)))
    whole, where = completed(row, tmp_path, image_test_split(real), ["small"])
    assert where == path and whole.pools == ("small",) and whole.tested_on == image_test_split(real)
    written = path.stat().st_mtime_ns
    assert completed(whole, tmp_path, image_test_split(real), ["small"]) == (whole, path)
    assert path.stat().st_mtime_ns == written
