"""What all tests share: one thread (tiny tensors gain nothing from two), and where real data may lie."""

from pathlib import Path

import pytest
import torch
from helpers import pretend_cuda
from helpers.command_line import Ddbench, copy_of, written

from ddbench.commands import main
from ddbench.methods import METHODS

torch.set_num_threads(1)

if pretend_cuda.requested() and pretend_cuda.missing_compiler() is None:
    pretend_cuda.install()

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def cifar10_jpeg_root():
    """The folder that holds ``cifar10-jpeg``, where this machine has it."""
    if not (SHARED_DATA / "cifar10-jpeg" / "train.parquet").exists():
        pytest.skip("the real data set cifar10-jpeg is not beside this checkout")
    return SHARED_DATA


DEVICES = ["cpu", *([pytest.param("cuda", marks=pytest.mark.cuda)] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request):
    """The CPU, and CUDA where it is present, or where ``PRETEND_CUDA=1`` asks for the pretend device."""
    return torch.device(request.param)


@pytest.fixture
def gpu():
    """The pretend CUDA device, whose counters the test reads."""
    if not pretend_cuda.requested():
        pytest.skip("runs on the pretend CUDA device: PRETEND_CUDA=1 pytest -m cuda")
    if missing := pretend_cuda.missing_compiler():
        pytest.skip(f"the pretend CUDA device needs {missing}")
    return torch.device("cuda")


@pytest.fixture
def ddbench(capsys):
    """The command line, called in this process."""
    return Ddbench(capsys)


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory):
    """A home in which the tiny recipe was run to its end. Read it, or copy it; never change it."""
    folder = tmp_path_factory.mktemp("finished")
    assert main(["run", str(written(folder)), "--home", str(folder / "home"), "--quiet"]) == 0
    return folder / "home"


@pytest.fixture
def recipe(tmp_path):
    """The tiny recipe's file."""
    return written(tmp_path)


@pytest.fixture
def home(finished_home, tmp_path):
    """A finished home that the test may change."""
    return copy_of(finished_home, tmp_path)


@pytest.fixture
def registry(monkeypatch):
    """Methods that a test's plugins register are forgotten after it."""
    monkeypatch.setattr(METHODS, "_targets", dict(METHODS._targets))
    monkeypatch.setattr(METHODS, "_loaded", dict(METHODS._loaded))
