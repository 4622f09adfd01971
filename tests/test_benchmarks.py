"""Each benchmark runs at a tiny size and says what it should; how fast anything is, is not asked here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
EVERY = {"name", "ratios", "settings", "machine", "cores", "load_average", "torch_threads", "seeds", "versions", "code"}

SMALL = ["--repeats", "1"]
NETWORK = ["--network", "convnet-d1-w4"]
RUNS = {
    "unroll": (
        ["--ipc", "2", "--steps", "2", "8", "--unrolls", "full", "adjoint", "--augmentation", "dsa"],
        {"peak_bytes", "seconds", "stored_vector_bytes", "estimated_bytes", "gradient_relative_error"},
    ),
    "experts": (["--images", "32", "--batch", "16"], {"seconds", "steps_timed", "experts_an_hour"}),
    "evaluation": (
        ["--epochs", "2", "--networks", "2", "--test-images", "20", "--size", "8"],
        {"seconds", "trained_epochs", "workers_start_seconds"},
    ),
    "imagenet": (
        ["--classes", "100", "--size", "32", "--batch-syn", "10", "--steps", "2", "20", "--images", "200", "800"],
        {"peak_bytes", "vector_bytes", "estimated_bytes", "stage_bytes", "stage_estimated_bytes"},
    ),
    "mirage": (["--datasets", "motifs", "--ipc", "2"], {"sets", "released"}),
    "store": (["--experts", "3", "--epochs", "4", "--size", "8"], {"buffer", "replay", "file_bytes"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_benchmark_prints_one_line_of_json(name, tmp_path):
    arguments, keys = RUNS[name]
    out = tmp_path / "figures.json"
    student = NETWORK if name != "mirage" else []  # which trains none
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *SMALL, *student, *arguments, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    document = json.loads(line)
    assert document == json.loads(out.read_text())
    assert document["name"] == name
    assert document.keys() >= EVERY | keys
    assert document["ratios"]
    assert all(ratio > 0 for ratio in document["ratios"].values())


def test_every_benchmark_is_run_here():
    found = {path.stem for path in BENCHMARKS.glob("*.py")} - {"measure"}
    assert found == set(RUNS)


@pytest.mark.slow
def test_an_absent_device_is_an_error_of_the_command_line():
    command = [sys.executable, str(BENCHMARKS / "store.py"), "--device", "cuda:99"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "cuda:99" in done.stderr
