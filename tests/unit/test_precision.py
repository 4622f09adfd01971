"""Precision: what a process is set to, what a device may have, and what rows say of it."""

import json

import pytest
import torch
from helpers.evaluation_makers import make_tiny_row, short, tiny_real, tiny_synthetic

from ddbench.errors import UserError
from ddbench.evaluate import verify as verifying
from ddbench.evaluate.leaderboard.make_row import make_row
from ddbench.evaluate.leaderboard.row import load_row
from ddbench.evaluate.score import score
from ddbench.evaluate.verify import verify
from ddbench.runtime.compute import choose_compute
from ddbench.runtime.precision import PRECISIONS, choose_precision, precision_in_use, set_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def as_before():
    before = precision_in_use()
    yield
    set_precision(before)


@pytest.mark.parametrize(
    ("precision", "convolutions", "products"),
    [("float32", False, "highest"), ("auto", True, "highest"), ("tf32", True, "high")],
)
def test_a_gpu_rounds_what_is_asked_for_and_a_cpu_nothing(precision, convolutions, products):
    """auto is torch's own setting of a new process."""
    assert choose_precision(precision, CUDA) == precision == precision_in_use()
    assert torch.backends.cudnn.allow_tf32 == convolutions and torch.get_float32_matmul_precision() == products
    assert choose_precision(precision, CPU) == "float32" == precision_in_use()
    assert choose_compute("cpu", precision=precision).precision == "float32"


def test_an_unknown_one_is_refused_with_those_that_there_are():
    with pytest.raises(UserError, match="there is no precision 'half'") as caught:
        choose_precision("half", CUDA)
    assert all(name in str(caught.value) for name in PRECISIONS)


def test_the_command_line_takes_it(ddbench, recipe, tmp_path):
    home = ("--home", tmp_path / "home")
    set_precision("auto")
    ddbench.done("plan", recipe, *home, "--precision", "tf32")
    assert precision_in_use() == "float32", "a CPU has no other"
    assert ddbench("plan", recipe, *home, "--precision", "half").status == 2


def test_rows_say_it_where_it_is_not_float32(tmp_path):
    plain, rounded = make_tiny_row(), make_tiny_row(precision="tf32", seeds=(2, 3))
    files = [row.save(tmp_path) for row in (plain, rounded)]
    assert ["precision" in json.loads(file.read_text()) for file in files] == [False, True]
    assert [load_row(file).precision for file in files] == ["float32", "tf32"]
    assert plain.question != rounded.question, "of other seeds"
    assert plain.conditions == rounded.conditions, "rows of both rank together"


def test_a_row_is_verified_in_its_precision(monkeypatch):
    real = tiny_real()
    syn = tiny_synthetic(real)
    scores = score(syn, real, protocol=short(), seeds=(0,))
    row = make_row(syn, real, scores, selection="last", device="cpu")
    assert row.precision == "float32"
    chosen = []
    monkeypatch.setattr(verifying, "choose_precision", lambda *given: chosen.append(given) or "float32")
    monkeypatch.setattr(verifying, "score", lambda *given, **named: scores)
    assert verify(row, syn, real).passed
    assert chosen == [("float32", CPU)]
