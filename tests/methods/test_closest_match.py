"""The match at the closest step (ATT): its choice by hand, its gradient as that of a student with so many steps."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from helpers.double_gradients import double_task, gradients, worst

from ddbench.distillation.guard import Guard
from ddbench.estimates.model_size import Sizes
from ddbench.methods.att import ATT
from ddbench.methods.mtt import MTT
from ddbench.methods.parts.matching import ClosestMatch
from ddbench.networks import ImageShape

NEEDED = {"inner_steps": 6, "max_start_epoch": 3, "image_lr": 5.0, "student_lr": 0.05}
SIZES = Sizes(parameters=320_010, activations=559_114, shape=ImageShape(3, 32, 10))
UNROLLS = ["adjoint", "full", "tesla", {"kind": "truncated", "last": 2}]


def path_at(*distances):
    """States of a student whose distances from an expert at 0 are these."""
    return [torch.tensor([distance / 2, -distance / 2]) for distance in distances]


def chosen(*distances):
    return ClosestMatch().steps(iter(path_at(*distances)), lambda epochs: torch.zeros(2), len(distances), 2)


class Planted:
    """Experts that start where drawn ones do, and whose targets are states of a student on its way."""

    epochs = 12

    def __init__(self, begin, target):
        self.begin, self.target = begin, target

    def __len__(self):
        return 1

    def __getitem__(self, key):
        return self.begin if key[1] < 2 else self.target


def task_with_closest(step, **settings):
    """A task whose student comes closest to the expert after ``step`` of its six steps."""
    task, method = double_task(), MTT(**{**NEEDED, "max_start_epoch": 1, **settings})
    begin = task.experts[0, 0]
    states = []

    class Watched(ClosestMatch):
        def steps(self, path, milestones, inner_steps, expert_epochs):
            states.extend(path)
            return inner_steps

    gradients(method.model_copy(update={"match": Watched()}), replace(task, experts=Planted(begin, begin + 1)))
    return replace(task, experts=Planted(begin, states[step - 1] + 1e-5))


class TestChoice:
    def test_among_equals_the_later(self):
        assert chosen(5, 3, 3, 4) == 3

    def test_a_student_that_comes_closer_at_every_step_takes_all(self):
        assert chosen(5, 4, 3, 2) == 4

    def test_far_ones_are_compared_as_well(self):
        assert chosen(9e4, 5e4, 7e4) == 2

    def test_steps_that_are_not_numbers_are_not_chosen_while_others_are(self):
        assert chosen(math.nan, 3, 4, math.nan) == 2
        assert chosen(math.nan, math.nan) == 2

    def test_distances_are_sums_of_absolute_differences(self):
        """(3, 0) is closer than (2, 2) by the sum, and farther by squares."""
        path = iter([torch.tensor([3.0, 0.0]), torch.tensor([2.0, 2.0])])
        assert ClosestMatch().steps(path, lambda epochs: torch.zeros(2), 2, 2) == 1


class TestGradient:
    @pytest.mark.parametrize("settings", [{}, {"batch_syn": 4}, {"student_momentum": 0.9}, {"augmentation": "none"}])
    @pytest.mark.parametrize("step", [2, 6])
    def test_is_that_of_a_student_with_so_many_steps(self, step, settings):
        task, shared = task_with_closest(step, **settings), {**NEEDED, "max_start_epoch": 1, **settings}
        for unroll in UNROLLS:
            loss, gradient = gradients(MTT(**shared, match="closest", unroll=unroll), task)
            plain_loss, plain = gradients(MTT(**{**shared, "inner_steps": step}, unroll=unroll), task)
            assert loss == plain_loss and all(torch.equal(gradient[name], plain[name]) for name in plain), unroll

    @pytest.mark.parametrize("labels", ["hard", "learned", "target"])
    def test_adjoint_is_full_autograd(self, labels):
        task, shared = task_with_closest(4), {**NEEDED, "max_start_epoch": 1, "labels": labels, "match": "closest"}
        full_loss, full = gradients(MTT(**shared, unroll="full"), task)
        loss, adjoint = gradients(MTT(**shared), task)
        assert loss == pytest.approx(full_loss, rel=1e-12) and worst(adjoint, full) < 1e-10

    def test_the_log_has_the_step(self):
        task, shared = task_with_closest(3), {**NEEDED, "max_start_epoch": 1}
        syn = ATT(**shared).initialize(tiny_task(), 2, at())
        syn = replace(syn, images=syn.images.double(), student_lr=syn.student_lr.double())
        assert ATT(**shared).outer_loss(syn, task, at(3))[1] == {"start_epoch": 0, "closest_step": 3}
        assert MTT(**shared).outer_loss(syn, task, at(3))[1] == {"start_epoch": 0}

    def test_a_path_of_what_is_no_number_is_for_the_guard(self):
        method, task = ATT(**NEEDED), tiny_task()
        syn = replace(method.initialize(task, 2, at()), student_lr=torch.tensor(math.nan))
        loss, facts = method.outer_loss(syn, task, at(3))
        assert facts["closest_step"] == 6 and Guard().refuses(loss, []) == "non-finite"


def test_memory_is_that_of_the_final_match():
    closest, final = (MTT(**NEEDED, match=kind).peak_bytes(SIZES, 10) for kind in ("closest", "final"))
    assert closest == final


class TestATT:
    def test_its_parts(self):
        att = ATT(**NEEDED)
        assert (att.match.kind, att.ema_decay, att.labels.kind, att.guard.threshold) == ("closest", 0.999, "hard", None)
        assert ATT.EXPERTS == {"batch": 512} and ATT(**NEEDED, compat=True).keep_warm_images

    def test_with_the_final_match_it_is_mtt_with_an_average(self):
        plain, mtt = ATT(**NEEDED, match="final", ema_decay=None), MTT(**NEEDED)
        shared = plain.model_dump(exclude={"compat"})
        assert shared == mtt.model_dump()
