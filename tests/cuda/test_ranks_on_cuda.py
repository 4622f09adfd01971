"""Two ranks with a GPU each have the gradients of one process on a CPU."""

import pytest
import torch
from helpers import rank_cases
from helpers.rank_pair import Pair

from ddbench.runtime.distributed import ALONE

pytestmark = pytest.mark.cuda

CASES = [("mtt", {"batch_syn": 4, "unroll": "adjoint"}), ("datm", {"batch_syn": 5, "student_momentum": 0.5})]


def test_two_ranks_have_the_gradients_of_one_process(gpu):
    pair = Pair(gpu.type)
    try:
        first, second = pair(rank_cases.outer_gradients, CASES, True, gpu.type)
    finally:
        pair.close()
    assert first == second, "both to the bit"
    for got, want in zip(first, rank_cases.outer_gradients(ALONE, CASES), strict=True):
        for found, asked in zip(got, want, strict=True):
            found, asked = torch.tensor(found, dtype=torch.float64), torch.tensor(asked, dtype=torch.float64)
            torch.testing.assert_close(found, asked, rtol=1e-10, atol=1e-10 * float(asked.abs().max()))
