"""What recorded graphs hold on a GPU is given back; a device that fails leaves the state of the step before."""

import gc
import weakref

import pytest
import torch
from helpers import pretend_cuda
from helpers.computing import computing
from helpers.distillation_makers import at, tiny_task
from helpers.evaluation_makers import short, tiny_real, tiny_synthetic
from helpers.pretend_cuda import graphs

from ddbench.distillation.outer_state import OuterState
from ddbench.distillation.run_dir import Run
from ddbench.evaluate.score import score
from ddbench.methods.mtt import MTT
from ddbench.runtime.compile import Compiler, release_graphs

pytestmark = pytest.mark.cuda


@pytest.fixture
def recorded(monkeypatch):
    """References to the graphs that are recorded, which do not hold them."""
    found = []

    class Watched(graphs._Graph):
        def __init__(self, *given):
            super().__init__(*given)
            found.append(weakref.ref(self))

    monkeypatch.setattr(graphs, "_Graph", Watched)
    return found


def test_graphs_are_given_back_when_a_stage_is_over(gpu, tmp_path, recorded):
    method = MTT(inner_steps=4, expert_epochs=2, max_start_epoch=4, image_lr=10.0)
    state = OuterState(method, tiny_task(device=str(gpu), compile="on"), 2, 0, Run(tmp_path))
    for step in range(2):
        state.step(at(step))
    want = [state.step(at(step))[0] for step in range(2, 4)]
    assert recorded and Compiler.recorded
    gc.collect()
    assert all(graph() is not None for graph in recorded), "compiled functions never die by themselves"
    release_graphs()
    assert not Compiler.recorded and all(graph() is None for graph in recorded)

    again = OuterState(method, tiny_task(device=str(gpu), compile="on"), 2, 0, Run(tmp_path / "again"))
    found = [again.step(at(step))[0] for step in range(4)][2:]
    assert found == pytest.approx(want, rel=1e-4), "what was given back is compiled again"
    before = pretend_cuda.CALLS["empty_cache"]
    release_graphs()
    release_graphs()
    assert pretend_cuda.CALLS["empty_cache"] == before + 1, "where nothing is recorded there is nothing to give back"


def test_the_peak_of_an_evaluation_is_its_own(gpu):
    real = tiny_real()
    asked = {"protocol": short(), "seeds": (0, 1), "compute": computing(gpu)}
    before = torch.empty(10**8, dtype=torch.uint8, device=gpu)
    del before
    assert 0 < score(tiny_synthetic(real), real.to(gpu), **asked).peak_bytes < 10**8
