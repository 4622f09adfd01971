"""Every reader of files: a whole file of its kind, how it is damaged, how it is read, and what may come of it."""

import dataclasses
import hashlib
import io
import json
import math
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ddbench import artifact
from ddbench.artifact import fingerprint
from ddbench.data import load_dataset
from ddbench.data.rawdata import Request
from ddbench.distillation.run_dir import Run
from ddbench.evaluate.continual.step_score import StepKey, StepScore, known_score
from ddbench.evaluate.leaderboard.row import load_row
from ddbench.evaluate.nas import read_truth
from ddbench.evaluate.nas import space as space_named
from ddbench.evaluate.protocols.builtin import protocol
from ddbench.evaluate.selection import EARLIER_SCORES, CandidateJob, score_cache
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.expert_buffers.expert_training import train_experts
from ddbench.expert_buffers.metadata import describe_buffer
from ddbench.expert_buffers.replay_buffer import export_replay_buffer, import_replay_buffer
from ddbench.files.folder_lock import LOCK, holder_of
from ddbench.files.torch_file import read_torch
from ddbench.graphs import tu
from ddbench.graphs.download import fetch_texts
from ddbench.graphs.synthetic_graphs import SyntheticGraphs, load_synthetic_graphs
from ddbench.recipe.experts import ExpertRecipe
from ddbench.recipe.recipe import load_recipe
from ddbench.synthetic.description import GraphSetDescription, ImageSetDescription
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.training.teachers import Teachers, load_teachers
from helpers.command_line import RECIPE
from helpers.computing import computing
from helpers.data_makers import pixels, small_known, write_folder, write_parquet
from helpers.evaluation_makers import make_tiny_row, tiny_real, tiny_synthetic
from helpers.foreign_makers import MEAN, STD, drawn, imported, sorted_labels
from helpers.fuzz_mutants import mutated, mutated_document, mutated_json
from helpers.gnn_makers import random_graphs
from helpers.graph_files import triangles_and_paths, write_tu

Mutate = Callable[[random.Random, bytes], bytes]
EXACT, BOUNDED = "exact", "bounded"


@dataclasses.dataclass(frozen=True)
class Reader:
    """name: of the kind of file. make: writes whole files into a folder, and returns those that are damaged. read: of
    that folder, what a caller gets, as something that can be compared. promise: EXACT where what is accepted must equal
    what was written, because checksums cover the file; BOUNDED where a file has none, and ``read`` itself asserts that
    what it accepts is what the text says and within the bounds of its kind. count: how many mutants."""

    name: str
    make: Callable[[Path], list[Path]]
    read: Callable[[Path], Any]
    promise: str = BOUNDED
    mutate: Mutate = mutated
    count: int = 80


def digest(tensors) -> str:
    return artifact.tensors_sha256(tensors)


# Sets, states and experts of our own


def make_set(folder):
    tiny_synthetic(tiny_real()).save(path := folder / "set.safetensors")
    return [path]


def read_set(folder):
    syn = load_synthetic(folder / "set.safetensors")
    facts = (syn.ipc, syn.class_names, syn.method, syn.network, syn.dataset, syn.label_kind)
    return digest(syn.tensors()), artifact.canonical([syn.preprocessing, syn.provenance]), facts


def make_graph_set(folder):
    graphs = random_graphs(3, 6, least=2, most=5, chance=0.5, cardinalities=(3,), classes=2)
    SyntheticGraphs(
        payload=graphs,
        labels=graphs.y,
        frequency=torch.ones(6, dtype=torch.int64),
        ipc=3,
        dataset="tiny",
        class_names=("a", "b"),
        method="test",
        node_cardinalities=(3,),
        edge_cardinalities=(),
        provenance={"recipe": {"dataset": "motifs", "seed": 0}},
    ).save(path := folder / "set.safetensors")
    return [path]


def read_graph_set(folder):
    syn = load_synthetic_graphs(folder / "set.safetensors")
    return digest(syn.tensors()), artifact.canonical(syn.provenance), (syn.ipc, syn.class_names, syn.method)


def forged(dice: random.Random, content: bytes) -> bytes:
    """Another description with right checksums, as anybody can write: whatever it says is bounded."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    document = json.loads(header.pop("__metadata__")["ddbench"])
    body = content[8 + int.from_bytes(content[:8], "little") :]
    text = json.dumps(mutated_document(dice, document))
    about = {"ddbench": text, "ddbench-sha256": hashlib.sha256(text.encode()).hexdigest()}
    raw = json.dumps({"__metadata__": about, **header}).encode()
    raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw)) + raw + body


def read_forged_set(folder):
    path = folder / "set.safetensors"
    syn = load_synthetic(path)
    document = artifact.describe(path)
    ImageSetDescription.model_validate(document)
    seen = syn.decoded()
    assert len(seen.labels) == len(seen.images) and len(syn) // syn.classes == syn.ipc
    assert sum(syn.bytes.values()) > 0 and sum(syn.charged.values()) >= 0
    return None


def read_forged_graphs(folder):
    path = folder / "set.safetensors"
    syn = load_synthetic_graphs(path)
    GraphSetDescription.model_validate(artifact.describe(path))
    assert sum(syn.bytes.values()) > 0 and syn.charged_bytes > 0
    return None


def make_state(folder):
    artifact.save(
        path := folder / "state.safetensors",
        "distillation state",
        {"images": torch.arange(48.0).view(3, 1, 4, 4), "velocity.images": torch.ones(3, 1, 4, 4)},
        {"step": 3, "seconds": 1.5, "peak_bytes": 10, "guard": {}, "in_a_row": 0, "identity": {"method": "mtt"}},
    )
    return [path]


def read_state(folder):
    tensors, document = artifact.load(folder / "state.safetensors", "distillation state")
    return digest(tensors), artifact.canonical(document)


def make_teachers(folder):
    from ddbench.networks import build_network

    network = build_network("convnet-d1-w4", channels=1, size=8, classes=3, seed=0)
    Teachers(
        networks=("convnet-d1-w4",),
        states=(dict(network.state_dict()),),
        channels=1,
        size=8,
        classes=3,
        dataset="tiny",
        preprocessing=tiny_real().preprocessing.describe(),
        accuracy=(0.5,),
    ).save(path := folder / "teachers.safetensors")
    return [path]


def read_teachers(folder):
    found = load_teachers(folder / "teachers.safetensors")
    return found.fingerprint, found.channels, found.size, found.classes, found.dataset, found.accuracy


EXPERTS = ExpertRecipe(count=1, lr=0.02, batch=10, augmentation="none")


def make_buffer(folder):
    train_experts(folder / "buffer", tiny_real(), "convnet-d1-w4", EXPERTS, epochs=2, seed=0)
    return sorted(path for path in (folder / "buffer").iterdir() if path.suffix == ".safetensors")


def make_description(folder):
    make_buffer(folder)
    return [folder / "buffer" / "buffer.json"]


def read_buffer(folder):
    buffer = ExpertBuffer.open(folder / "buffer")
    rows = {str(epoch): buffer[0, epoch] for epoch in range(buffer.epochs + 1)}
    whole = buffer.trajectory(0).tensors()
    return digest(rows), digest(whole), buffer.fingerprint, buffer.seconds, digest(buffer.curves(0))


# JSON and YAML


def as_text_says(path: Path, found: Any) -> None:
    """What was read is what another reader of JSON reads, key by key."""
    said = json.loads(path.read_text(), parse_int=float)
    for key, value in json.loads(json.dumps(found), parse_int=float).items():
        assert key not in said or said[key] == value, key


def make_row_file(folder):
    row = make_tiny_row(recipe={"dataset": "digits", "evaluation": {"seeds": 3}})
    artifact.write_json(path := folder / "row.json", dataclasses.asdict(row))
    return [path]


def read_row_file(folder):
    row = load_row(folder / "row.json")
    assert all(0 <= value <= 1 for value in row.accuracy) and len(row.accuracy) == len(row.seeds)
    assert math.isfinite(row.seconds) and row.seconds >= 0 and row.ipc >= 1
    as_text_says(folder / "row.json", dataclasses.asdict(row))
    return None


def make_recipe(folder):
    (folder / "mine.yaml").write_text(RECIPE)
    return [folder / "mine.yaml"]


def read_recipe(folder):
    recipe = load_recipe(str(folder / "mine.yaml")).recipe
    assert 1 <= recipe.evaluation.seeds <= 10_000 and 0 <= recipe.validation < 1 and 0 <= recipe.seed < 2**63
    assert all(1 <= ipc <= 10**6 for ipc in recipe.ipc) and recipe.experts.lr > 0 and recipe.experts.count >= 1
    return None


def scores_of_candidates(folder):
    """The cache of two candidates in a folder, and the keys of their scores."""
    job = CandidateJob(
        real=tiny_real(),
        protocol=protocol("dc-v1"),
        network=None,
        seeds=(1, 2),
        split="validation",
        compute=computing(),
        steps=3,
        teachers=None,
    )
    return score_cache(folder), [job.key(folder / f"{seed:06d}.safetensors") for seed in range(2)]


def make_scores(folder):
    for seed in range(2):
        tiny_synthetic(tiny_real(), seed=seed).save(folder / f"{seed:06d}.safetensors")
    cache, (first, second) = scores_of_candidates(folder)
    cache.keep(first, {"accuracy": [0.25, 0.5]})
    cache.keep(second, {"accuracy": [0.25, 0.5], "seconds": 2.5, "peak_bytes": 10, "notes": ["seed 1: a note"]})
    return [cache.path(second)]


def make_earlier_scores(folder):
    """The one file in which an older ddbench kept the scores of all candidates."""
    make_scores(folder)
    cache, keys = scores_of_candidates(folder)
    entries = {fingerprint(key): {**key, "accuracy": [0.25, 0.5]} for key in keys}
    shutil.rmtree(cache.folder)
    (folder / EARLIER_SCORES).write_text(json.dumps(entries))
    assert all(cache.find(key)["accuracy"] == [0.25, 0.5] for key in keys)
    return [folder / EARLIER_SCORES]


def read_scores(folder):
    cache, keys = scores_of_candidates(folder)
    for found in map(cache.find, keys):
        assert found is None or (len(found["accuracy"]) == 2 and all(0 <= value <= 1 for value in found["accuracy"]))
        assert found is None or (
            found["seconds"] >= 0 and found["peak_bytes"] >= 0 and isinstance(found["notes"], list)
        )
    return None


def make_events(folder):
    run = Run(folder)
    for step in range(1, 6):
        run.log({"step": step, "loss": 0.5 * step, "refused": None})
    return [run.events]


def read_events(folder):
    run = Run(folder)
    run.forget_events_after(3)
    lines = [json.loads(line) for line in run.events.read_bytes().splitlines()]
    assert all(type(line["step"]) is int and line["step"] <= 3 for line in lines)
    return None


def make_lock(folder):
    path = folder / LOCK
    path.write_text(json.dumps({"host": "a", "space": "0" * 8, "pid": 3, "begun": "5", "since": "2026-01-01"}))
    return [path]


def read_lock(folder):
    assert holder_of(folder).in_words
    return None


def step_key():
    texts = {"method": "mtt", "dataset": "digits", "network": "n", "protocol": "p", "protocol_fingerprint": "f"}
    others = {"memory_sha256": "m", "real_fingerprint": "r", "how": "h", "mirror": False, "ipc": 1, "epochs": 1}
    return StepKey(**texts, **others, order=0, step=0, steps=2, seen=(0, 1), seeds=(0, 1))


def make_step(folder):
    score = StepScore(
        question=step_key(),
        accuracy=(0.5, 0.25),
        lr=0.1,
        memory_images=2,
        memory_bytes=10,
        distill_seconds=1.0,
        seconds=2.0,
        device="cpu",
        code="c",
        versions={"torch": "2"},
    )
    return [score.save(folder)]


def read_step(folder):
    (path,) = folder.rglob("*.json")
    score = known_score(step_key(), folder)
    assert len(score.accuracy) == len(score.question.seeds) and all(0 <= value <= 1 for value in score.accuracy)
    as_text_says(path, dataclasses.asdict(score))
    return None


def make_truth(folder):
    lines = [{"network": f"convnet-d{depth}", "accuracies": [0.1 * depth, 0.2]} for depth in (1, 2, 3)]
    (folder / "truth.json").write_text(json.dumps({"facts": {"by": "hand"}, "networks": lines}))
    return [folder / "truth.json"]


def read_truth_file(folder):
    truth = read_truth(folder / "truth.json", space_named("convnet-720"))
    assert all(0 <= value <= 1 for values in truth.accuracy.values() for value in values)
    return None


# Files of others


def make_mtt(folder):
    torch.save(drawn(3), folder / "images_best.pt")
    torch.save(sorted_labels(1), folder / "labels_best.pt")
    return sorted(folder.glob("*.pt"))


def finite_set(format: str, **facts: Any) -> Callable[[Path], Any]:
    def read(folder):
        syn = imported(format, folder, **{"lr": 0.02, "mean": MEAN, "std": STD, "labels": None, **facts})
        assert syn.images.isfinite().all() and syn.images.shape[1:] == (3, 8, 8)
        assert len(syn.images) == len(syn.labels) == 3 and 0 <= int(syn.hard_labels().min()) <= 2
        return digest(syn.tensors())

    return read


def make_tensors(folder):
    np.save(folder / "images.npy", drawn(3).numpy())
    np.save(folder / "labels.npy", sorted_labels(1).numpy())
    return sorted(folder.glob("*.npy"))


def make_kip(folder):
    images, labels = drawn(3).permute(0, 2, 3, 1).numpy(), torch.eye(3).numpy()
    np.savez(folder / "kip_x_ssize3.npz", images=images, labels=labels)
    return list(folder.glob("*.npz"))


def make_dc(folder):
    torch.save({"data": [[drawn(3), sorted_labels(1)]]}, folder / "res_DC_x_1ipc.pt")
    return list(folder.glob("*.pt"))


def make_replay(folder):
    make_buffer(folder)
    export_replay_buffer(ExpertBuffer.open(folder / "buffer"), folder / "replay")
    return list((folder / "replay").glob("*.pt"))


def read_replay(folder):
    """Through the reader of ``.pt`` and the import alike."""
    (path,) = (folder / "replay").glob("*.pt")
    description = describe_buffer(tiny_real(), "convnet-d1-w4", None, None)
    buffer = import_replay_buffer(path, folder / f"imported-{random.getrandbits(64)}", description)
    rows = {str(epoch): buffer[0, epoch] for epoch in range(buffer.epochs + 1)}
    assert all(row.isfinite().all() for row in rows.values())
    read_torch(path)
    return digest(rows)


def dataset(name: str) -> Callable[[Path], Any]:
    """Loads the data in a folder; whatever is accepted is a data set within its bounds."""

    def read(folder):
        with pytest.MonkeyPatch.context() as patch:
            small_known(patch, "mnist", classes=10, train=40, test=20)
            real = load_dataset(
                name.format(folder),
                home=folder / f"home-{random.getrandbits(64)}",
                data_root=folder,
                validation=0,
                quiet=True,
            )
        for split in (real.train, real.test):
            assert len(split.images) == len(split.labels) > 0
            assert 0 <= int(split.labels.min()) <= int(split.labels.max()) < real.classes <= 1000
            assert split.images.dtype == torch.uint8 or bool(
                ((split.images >= 0) & (split.images <= 1)).all() and split.images.isfinite().all()
            )
        return None

    return read


def make_npz(folder):
    labels = np.repeat([0, 1, 2], 4)
    parts = {
        "x_train": pixels(1, (12, 6, 6, 3)),
        "y_train": labels,
        "x_test": pixels(2, (12, 6, 6, 3)),
        "y_test": labels,
    }
    np.savez(folder / "data.npz", **parts)
    return [folder / "data.npz"]


def make_parquet(folder):
    for seed, part in enumerate(("train", "test")):
        write_parquet(folder / "data" / f"{part}.parquet", pixels(seed, (9, 6, 6, 3)), [0, 1, 2] * 3)
    return sorted((folder / "data").iterdir())


def make_folder(folder):
    for seed, part in enumerate(("train", "test")):
        write_folder(folder / "data" / part, {"a": 3, "b": 3}, seed=100 * seed)
    return sorted((folder / "data").rglob("*.png"))


def make_idx(folder):
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 40), ("t10k", 20)):
        images, labels = pixels(count, (count, 28, 28)), (np.arange(count) % 10).astype(np.uint8)
        head = struct.pack(">IIII", 2051, count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, count) + labels.tobytes())
    return sorted(raw.iterdir())


def make_tu(folder):
    write_tu(folder / "SMALL" / "raw", "SMALL", **triangles_and_paths())
    return sorted((folder / "SMALL" / "raw").iterdir())


def checked_graphs(raw):
    graphs = raw.graphs
    ends = graphs.edge_index
    assert not ends.numel() or (int(ends.min()) >= 0 and int(ends.max()) < len(graphs.node_features))
    assert len(graphs.y) == len(graphs) and 0 <= int(graphs.y.min()) <= int(graphs.y.max()) < len(raw.class_names)
    return None


def request(folder: Path) -> Request:
    return Request(what="SMALL", data_root=folder, home=folder / "home", quiet=True, where="mine.yaml")


def read_tu(folder):
    return checked_graphs(tu.load(request(folder)))


def make_tu_zip(folder):
    make_tu(folder / "made")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((folder / "made" / "SMALL" / "raw").iterdir()):
            archive.write(path, f"SMALL/{path.name}")
    (folder / "SMALL.zip").write_bytes(stream.getvalue())
    return [folder / "SMALL.zip"]


def read_tu_zip(folder):
    fresh = folder / f"fresh-{random.getrandbits(64)}"
    fetch_texts((folder / "SMALL.zip").as_uri(), fresh / "SMALL" / "raw", ".txt", request(fresh))
    return checked_graphs(tu.load(request(fresh)))


READERS = [
    Reader("synthetic set", make_set, read_set, EXACT, count=200),
    Reader("synthetic set, forged", make_set, read_forged_set, mutate=forged, count=200),
    Reader("set of graphs", make_graph_set, read_graph_set, EXACT, count=120),
    Reader("set of graphs, forged", make_graph_set, read_forged_graphs, mutate=forged, count=120),
    Reader("state of a distillation", make_state, read_state, EXACT, count=120),
    Reader("teachers", make_teachers, read_teachers, EXACT),
    Reader("expert", make_buffer, read_buffer, EXACT, count=120),
    Reader("buffer.json", make_description, read_buffer, EXACT, mutate=mutated_json, count=100),
    Reader("row", make_row_file, read_row_file, mutate=mutated_json, count=200),
    Reader("recipe", make_recipe, read_recipe, count=120),
    Reader("scores of a candidate", make_scores, read_scores, mutate=mutated_json, count=100),
    Reader("scores.json", make_earlier_scores, read_scores, mutate=mutated_json, count=60),
    Reader("events.jsonl", make_events, read_events, count=100),
    Reader("lock", make_lock, read_lock, count=60),
    Reader("step of a continual evaluation", make_step, read_step, mutate=mutated_json, count=80),
    Reader("table of true accuracies", make_truth, read_truth_file, mutate=mutated_json, count=60),
    Reader("mtt .pt", make_mtt, finite_set("mtt"), count=80),
    Reader("dc .pt", make_dc, finite_set("dc"), count=60),
    Reader("npy", make_tensors, finite_set("tensors", formation=1), count=60),
    Reader("kip .npz", make_kip, finite_set("kip", space="meanstd"), count=60),
    Reader("replay buffer", make_replay, read_replay, count=60),
    Reader("npz data", make_npz, dataset("npz:{}/data.npz"), count=60),
    Reader("Parquet data", make_parquet, dataset("parquet:{}/data"), count=60),
    Reader("pictures", make_folder, dataset("folder:{}/data"), count=60),
    Reader("idx", make_idx, dataset("mnist"), count=50),
    Reader("TU texts", make_tu, read_tu, count=100),
    Reader("TU zip", make_tu_zip, read_tu_zip, count=50),
]
