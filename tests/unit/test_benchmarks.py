"""Each benchmark runs at a tiny size and says what it should; how fast anything is, is not asked here."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
EVERY = {"name", "ratios", "settings", "machine", "cores", "load_average", "torch_threads", "seeds", "versions", "code"}

RUNS = {
    "unroll": (
        "--ipc 2 --steps 2 8 --unrolls full adjoint --augmentation dsa",
        {"peak_bytes", "seconds", "stored_vector_bytes", "estimated_bytes", "gradient_relative_error of adjoint"},
    ),
    "experts": (
        "--images 32 --batch 16 --epochs 1 40 --ways plain eager --plain-threads 1",
        {"seconds", "steps_of_an_epoch", "experts_of_a_call", "experts_an_hour"},
    ),
    "evaluation": (
        "--networks 2 --test-images 20 --size 8 --epochs 1 100 --ways plain eager --plain-threads 1",
        {"seconds", "seconds_of_an_evaluation"},
    ),
    "workers": (
        "--executors local --jobs 2 --size 8 --ipc 1 --images 16 --batch 8 --epochs 1 30 --exam-epochs 1",
        {"seconds"},
    ),
    "imagenet": (
        "--classes 100 --size 32 --batch-syn 10 --steps 2 20 --images 200 800",
        {"peak_bytes", "vector_bytes", "estimated_bytes", "stage_bytes", "stage_estimated_bytes", "seconds"},
    ),
    "mirage": ("--datasets motifs --ipc 2", {"sets", "released"}),
    "store": (
        "--experts 5 --replay-experts 3 --epochs 4 --size 8",
        {"buffer", "replay", "file_bytes", "two_rows_bytes"},
    ),
    "scaling": ("--axes step-N opening-experts span-experts --points 2 --picture axes.png", {"axes"}),
    "limits": ("--ipc 1 --steps 1 --size 8 --batch 8 --updates 30 --side 64 --compile off", {"peaks", "work", "tf32"}),
    "training_memory": (
        "--networks convnet-d2-w32 --batches 128 --stacks 1 2 --size 32",
        {"peak_bytes", "estimated_bytes"},
    ),
    "precision": ("--methods mtt dm --ipc 1 --inner-steps 2 --outer-steps 1", {"gradients"}),
    "startup": ("", {"seconds", "loaded"}),
}
WITHOUT_NETWORK = {"mirage", "startup", "training_memory"}
LIBRARIES = {"measure", "steps", "imagenet_stages"}
"""What the scripts share, which runs nothing by itself."""


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_benchmark_prints_one_line_of_json(name, tmp_path):
    arguments, keys = RUNS[name]
    out = tmp_path / "figures.json"
    student = "" if name in WITHOUT_NETWORK else "--network convnet-d1-w4"
    settings = f"--repeats 1 {student} {arguments}".split()
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *settings, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    document = json.loads(line)
    assert document == json.loads(out.read_text())
    assert document["name"] == name
    assert document.keys() >= EVERY | keys
    assert document["ratios"]
    assert all(math.isfinite(ratio) for ratio in document["ratios"].values())
    # an exponent is fitted to times, which other work on the machine may bend
    assert all(ratio > 0 for name, ratio in document["ratios"].items() if "exponent" not in name)
    assert all(picture.stat().st_size < 500_000 for picture in tmp_path.glob("*.png"))
    assert ("--picture" in arguments) == any(tmp_path.glob("*.png"))


def test_every_benchmark_is_run_here():
    found = {path.stem for path in BENCHMARKS.glob("*.py")} - LIBRARIES
    assert found == set(RUNS)


@pytest.mark.slow
def test_an_absent_device_is_an_error_of_the_command_line():
    command = [sys.executable, str(BENCHMARKS / "store.py"), "--device", "cuda:99"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "cuda:99" in done.stderr
