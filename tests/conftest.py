"""What all tests share: one thread (tiny tensors gain nothing from two), and where real data may lie."""

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def cifar10_jpeg_root():
    """The folder that holds ``cifar10-jpeg``, where this machine has it."""
    if not (SHARED_DATA / "cifar10-jpeg" / "train.parquet").exists():
        pytest.skip("the real data set cifar10-jpeg is not beside this checkout")
    return SHARED_DATA


DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request):
    """The CPU, and CUDA where it is present."""
    return torch.device(request.param)
