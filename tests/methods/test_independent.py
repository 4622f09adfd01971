"""Methods of independent jobs: each kept in a file, each resumed by itself."""

from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from helpers.computing import under
from helpers.distillation_makers import StopAt, tiny_task

from ddbench.distillation.job_checkpoint import JobCheckpoint
from ddbench.distillation.job_method import JobMethod
from ddbench.distillation.run import run
from ddbench.errors import UserError
from ddbench.randomness import stream
from ddbench.runtime.progress import Silent
from ddbench.synthetic.synthetic_set import load_synthetic


class Walks(JobMethod):
    """Each job walks at random; the set is the ends of the walks."""

    steps: int = 6
    walked: ClassVar[list[tuple[str, int]]] = []

    def jobs(self, task, ipc):
        return [f"walk-{number}" for number in range(task.real.classes)]

    def run(self, name, task, ipc, at, checkpoint):
        begin, context = checkpoint.resume() or (0, {"place": torch.zeros(ipc, 1, 8, 8)})
        image = context["place"]
        for step in range(begin, self.steps):
            image = image + torch.randn(image.shape, generator=stream(at.seed, name, step))
            self.walked.append((name, step))
            checkpoint.checkpoint(step + 1, self.steps, lambda image=image: {"place": image}, far=float(image.norm()))
        return {"image": image}

    def assemble(self, task, ipc, at, made: Mapping[str, Mapping[str, torch.Tensor]]):
        images = torch.cat([made[name]["image"] for name in self.jobs(task, ipc)])
        return task.synthetic(images, torch.arange(task.real.classes).repeat_interleave(ipc), ipc=ipc)


class StopAtCount(Silent):
    """Interrupts when so many steps were told of, over all jobs."""

    def __init__(self, count):
        self.left = count

    def update(self, done, **facts):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def walked():
    Walks.walked.clear()
    return Walks.walked


def images_of(paths):
    return load_synthetic(paths[-1]).images


def test_interrupted_anywhere_it_ends_with_the_same_bits(tmp_path, walked):
    task = tiny_task()
    whole = images_of(run(Walks(), task, 2, tmp_path / "whole", seed=5))
    for stop in range(1, 18):
        folder = tmp_path / f"stopped-{stop}"
        with pytest.raises(KeyboardInterrupt):
            run(Walks(), under(task, checkpoint_seconds=0, progress=StopAtCount(stop)), 2, folder, seed=5)
        assert torch.equal(images_of(run(Walks(), task, 2, folder, seed=5)), whole)


def test_what_is_done_is_not_done_again(tmp_path, walked):
    task = tiny_task()
    with pytest.raises(KeyboardInterrupt):
        run(Walks(), under(task, checkpoint_seconds=0, progress=StopAtCount(8)), 2, tmp_path, seed=5)
    assert walked == [("walk-0", s) for s in range(6)] + [("walk-1", 0), ("walk-1", 1)]
    walked.clear()
    run(Walks(), task, 2, tmp_path, seed=5)
    assert walked == [("walk-1", s) for s in range(1, 6)] + [("walk-2", s) for s in range(6)]
    walked.clear()
    run(Walks(), task, 2, tmp_path, seed=5)
    assert not walked


def test_cost_is_of_all_jobs(tmp_path):
    made = load_synthetic(run(Walks(), tiny_task(), 1, tmp_path, seed=0)[0])
    assert made.provenance["seconds"] >= 0 and made.provenance["peak_bytes"] > 0
    assert not list((tmp_path / "jobs").glob(".*")), "states of finished jobs are gone"


def test_jobs_of_another_distillation_are_refused(tmp_path):
    task = tiny_task()
    with pytest.raises(KeyboardInterrupt):
        run(Walks(), under(task, progress=StopAtCount(8)), 1, tmp_path, seed=0)
    with pytest.raises(UserError, match="was made with another steps"):
        run(Walks(steps=7), task, 1, tmp_path, seed=0)


def test_a_state_that_can_not_be_used_counts_for_nothing(tmp_path):
    mine = {"job": "a"}
    checkpoint = JobCheckpoint(tmp_path / "a.safetensors", mine, pause=0)
    checkpoint.checkpoint(1, 3, lambda: {"x": torch.ones(2)})
    done, tensors = JobCheckpoint(tmp_path / "a.safetensors", mine).resume() or (0, {})
    assert done == 1 and torch.equal(tensors["x"], torch.ones(2))
    assert JobCheckpoint(tmp_path / "a.safetensors", {"job": "b"}).resume() is None
    (state,) = tmp_path.glob(".a.unfinished")
    state.write_bytes(state.read_bytes()[:-3])
    assert JobCheckpoint(tmp_path / "a.safetensors", mine).resume() is None


def test_progress_is_told(tmp_path):
    told = []

    class Listening(StopAt):
        def start(self, total, what, done=0):
            told.append((total, what, done))

        def update(self, done, **facts):
            told.append((done, sorted(facts)))

    run(Walks(steps=2), under(tiny_task(), progress=Listening(99)), 1, tmp_path, seed=0)
    assert told[:3] == [(6, " ipc 1, 3 jobs", 0), (1, ["far"]), (2, ["far"])]
    assert told[-1] == (6, ["far"])
