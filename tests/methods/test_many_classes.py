"""A thousand classes: the shipped ImageNet-1K recipe on a folder of images, what it takes and what it must not."""

import json
import os
import subprocess
import sys
import tracemalloc
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.command_line import only
from helpers.data_makers import small_known
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ddbench.data.folder_listing import list_classes
from ddbench.data.image_folder import pictures_of
from ddbench.data.realset import Split
from ddbench.data.whitening_cache import load_preprocessing
from ddbench.estimates.memory import distillation_bytes, outer_step_bytes
from ddbench.expert_buffers.buffer import ExpertBuffer
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, TeslaUnroll

RECIPE = "tesla-imagenet1k-ipc1"
BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "imagenet.py"
SMALL = {
    "network": "convnet-d4-w8",
    "experts.count": 2,
    "method.iterations": 3,
    "method.expert_epochs": 1,
    "method.max_start_epoch": 2,
    "method.image_lr": 100,
    "evaluation.selection": "last",
}


def color_of(label: int) -> np.ndarray:
    """A color for each of up to 4913 classes, no two alike, from 25 to 233 in steps of 13."""
    return 25 + 13 * np.array([label % 17, label // 17 % 17, label // 289])


def write_classes(root: Path, names: list[str], parts: dict[str, int], form: str = "JPEG") -> None:
    """``root/<part>/<class>/<number>.<form>``: 64 pixels of faint noise on the class's color, about 1 kB a file."""
    generator = np.random.default_rng(0)
    noise = generator.integers(-12, 13, (16, 64, 64, 3))
    for label, name in enumerate(names):
        for part, count in parts.items():
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                file = BytesIO()
                image = color_of(label) + noise[generator.integers(16)]
                Image.fromarray(image.astype(np.uint8)).save(file, format=form, quality=60)
                (folder / f"{name}_{number}.{form}").write_bytes(file.getvalue())


def overrides(**more) -> list[str]:
    return [text for key, value in {**SMALL, **more}.items() for text in ("-o", f"{key}={value}")]


def check_sets(home: Path, classes: int, experts: int, epochs: int) -> None:
    """The sets of TESLA and of random images are whole, their classes in order, and TESLA's pixels have moved."""
    buffer = ExpertBuffer.open(only(home, "buffers/*"))
    assert (len(buffer), buffer.epochs, buffer.description.classes) == (experts, epochs, classes)
    (tesla,) = home.glob("runs/*-ipc1-tesla-*")
    found = load_synthetic(tesla / "synthetic.safetensors")
    assert found.images.shape == (classes, 3, 64, 64) and found.labels.shape == (classes, classes)
    assert found.label_kind == "probabilities"
    assert torch.allclose(found.labels.sum(1), torch.ones(classes), atol=1e-5)
    start = load_synthetic(tesla / "start.safetensors")
    moved = (found.images - start.images).flatten(1).norm(dim=1)
    assert bool(moved.isfinite().all()) and bool((moved > 0).any())

    preprocessing = load_preprocessing(start.preprocessing, home)
    colors = torch.tensor(np.stack([color_of(label) for label in range(classes)]) / 255).float()
    (random,) = home.glob("runs/*-ipc1-random-[!s]*/synthetic.safetensors")
    for syn in (start, load_synthetic(random)):
        seen = preprocessing.inverse(syn.images).mean((2, 3))
        assert torch.cdist(seen, colors).argmin(1).tolist() == list(range(classes))
        assert syn.hard_labels().tolist() == list(range(classes))


def test_the_recipe_on_forty_classes(ddbench, tmp_path):
    write_classes(tmp_path / "forty", [f"class-{label:02d}" for label in range(40)], {"train": 3, "test": 1}, "PNG")
    small = overrides(**{"dataset": f"folder:{tmp_path / 'forty'}", "method.inner_steps": 3, "method.batch_syn": 10})
    ddbench.done("distill", RECIPE, *small, "--home", tmp_path / "home", "--quiet")
    check_sets(tmp_path / "home", classes=40, experts=2, epochs=2)


@pytest.mark.slow
def test_the_recipe_on_a_thousand_classes_in_imagenets_own_layout(ddbench, tmp_path, monkeypatch):
    from timm.data.imagenet_info import ImageNetInfo

    small_known(monkeypatch, "imagenet", classes=1000, train=3000, test=1000)
    write_classes(tmp_path / "data" / "imagenet", ImageNetInfo().label_names(), {"train": 3, "val": 1})
    places = ["--home", tmp_path / "home", "--data-root", tmp_path / "data", "--quiet"]
    ddbench.done("distill", RECIPE, *overrides(), *places)
    check_sets(tmp_path / "home", classes=1000, experts=2, epochs=2)
    cache = [np.load(path, mmap_mode="r").shape for path in (tmp_path / "home" / "data").glob("*/images.npy")]
    assert sorted(cache) == [(1000, 3, 64, 64), (3000, 3, 64, 64)]


class TestPlan:
    """By hand: ConvNet-D4 of width 128 on 3 x 64 x 64, 1000 classes; 1,281,167 images, a tenth of them cut off."""

    PARAMETERS = (3 * 9 + 1) * 128 + 3 * (128 * 9 + 1) * 128 + 4 * 2 * 128 + (128 * 4 * 4 + 1) * 1000
    ACTIVATIONS = sum(3 * 128 * side**2 + 128 * (side // 2) ** 2 for side in (64, 32, 16, 8)) + 1000

    def plan(self, ddbench, tmp_path, *more):
        asked = ["plan", RECIPE, "--home", tmp_path / "home", "--format", "json", "--device", "cpu", *more]
        found = json.loads(ddbench.done(*asked))
        assert not (tmp_path / "home").exists()
        return found

    def test_experts(self, ddbench, tmp_path):
        found = self.plan(ddbench, tmp_path)
        (experts,) = found["buffers"]
        assert found["parameters"] == self.PARAMETERS == 2_496_360
        assert experts["epochs"] == 10 - 1 + 3, "from the last start epoch, 9, three epochs on"
        assert experts["steps"] == 50 * 12 * 4505, "1,153,050 images in batches of 256"
        assert experts["bytes"] == 50 * 13 * 4 * self.PARAMETERS

    def test_experts_as_published(self, ddbench, tmp_path):
        (experts,) = self.plan(ddbench, tmp_path, "-o", "experts.epochs=50")["buffers"]
        assert experts["bytes"] == 50 * 51 * 4 * self.PARAMETERS == 25_462_872_000

    def test_velocities_of_experts_count(self, ddbench, tmp_path):
        (experts,) = self.plan(ddbench, tmp_path, "-o", "experts.momentum=0.9")["buffers"]
        assert experts["bytes"] == 50 * (13 + 1) * 4 * self.PARAMETERS

    def test_distillation(self, ddbench, tmp_path):
        tesla, random, soft = self.plan(ddbench, tmp_path, "--compile", "off")["sets"]
        assert [row["method"] for row in (tesla, random, soft)] == ["tesla", "random", "random-soft"]
        assert all(row["images"] == 1000 for row in (tesla, random, soft))
        assert (tesla["outer steps"], tesla["inner steps"], tesla["unroll"]) == (10_000, 100_000, "tesla")
        graph, a_set = 4 * 100 * self.ACTIVATIONS, 4 * 1000 * 3 * 64 * 64
        vectors = (10 + 2 + 3 + 2) * 4 * self.PARAMETERS  # the path, a graph, on the way back, and two ends
        expected = (1.32 + 0.72) * graph + vectors + (2 + 4) * a_set
        assert tesla["peak bytes"] == pytest.approx(expected, abs=1)

    def test_networks_that_are_trained_to_choose_are_told(self, ddbench, tmp_path):
        told = self.plan(ddbench, tmp_path)["evaluation"]
        assert "15 fresh networks of 1001 epochs" in told
        assert told.endswith("selection by validation among 10 candidates with 20 more networks")
        told = self.plan(ddbench, tmp_path, "-o", "evaluation.selection=last")["evaluation"]
        assert told.endswith("selection by last")


THOUSAND = {"parameters": 1_101_032, "activations": 280_552, "batch": 10, "learned": 1000 * 3 * 32 * 32}
"""ConvNet-D3 of width 64 on 1000 images of 32 pixels and as many classes."""


@pytest.mark.parametrize(
    ("unroll", "inner_steps", "more", "live"),
    [
        (TeslaUnroll(), 20, {}, 167.2e6),
        (TeslaUnroll(), 40, {}, 255.3e6),
        (TeslaUnroll(), 20, {"vectors": 2}, 281.7e6),
        (TeslaUnroll(), 40, {"vectors": 2}, 458.1e6),
    ],
)
def test_the_estimate_is_what_was_measured_where_vectors_and_sets_are_large(unroll, inner_steps, more, live):
    sizes = {**THOUSAND, "moments": 2, **more}
    assert outer_step_bytes(unroll, inner_steps=inner_steps, **sizes) == pytest.approx(live, rel=0.05)


@given(st.integers(1, 60), st.integers(1, 10**8), st.booleans(), st.integers(0, 5))
def test_larger_sets_and_richer_students_never_take_less(inner_steps, learned, momentum, moments):
    sizes = {"parameters": 10**5, "activations": 10**5, "batch": 10, "inner_steps": inner_steps}
    for unroll in (FullUnroll(), AdjointUnroll(), TeslaUnroll()):
        plain = outer_step_bytes(unroll, **sizes)
        assert outer_step_bytes(unroll, **sizes, vectors=1 + momentum, moments=moments) >= plain
        with_set = outer_step_bytes(unroll, **sizes, learned=learned)
        assert with_set == pytest.approx(plain + 8 * learned, abs=1)
        assert distillation_bytes(with_set, learned) == with_set + 16 * learned
        assert distillation_bytes(with_set, learned, averaged=learned) == with_set + 24 * learned


@given(st.lists(st.integers(0, 6), max_size=40))
def test_rows_of_classes_are_those_that_have_the_label(labels):
    split = Split(torch.zeros(len(labels), 1, 1, 1), torch.tensor(labels, dtype=torch.int64))
    for label in range(8):
        assert split.rows_of_class(label).tolist() == [row for row, of in enumerate(labels) if of == label]


def test_a_listing_holds_little_more_than_the_names(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(500):
            (tmp_path / name / f"{number:05d}.jpg").touch()
    tracemalloc.start()
    try:
        listing = list_classes([(tmp_path / "a", 0), (tmp_path / "b", 1)], "set")
        pictures = pictures_of(listing, tmp_path, "set")
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert pictures.count == 1000
    names = 1000 * (len(str(tmp_path)) + len("/a/00000.jpg"))
    assert held < names + 1000 * 120 and peak < 2 * names + 1000 * 400


@pytest.mark.slow
def test_memory_depends_on_n_by_stored_vectors_alone_and_not_on_the_real_images(tmp_path):
    options = [
        "--network",
        "convnet-d4-w16",
        "--batch-syn",
        "20",
        "--steps",
        "5",
        "40",
        "--images",
        "2000",
        "8000",
        "--what",
        "memory",
    ]
    command = [sys.executable, str(BENCHMARK), *options]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    slack = 4_000_000
    few, many = found["peak_bytes"]["5"], found["peak_bytes"]["40"]
    assert 0 < many - few <= 1.3 * 35 * found["vector_bytes"] + slack
    one, four = (found["stage_bytes"][count]["own"] for count in ("2000", "8000"))
    assert abs(four - one) <= 0.05 * one + slack
    for errors in (found["estimate_relative_error"], found["stage_estimate_relative_error"]):
        assert all(abs(error) < 0.2 for error in errors.values())
