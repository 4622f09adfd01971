"""Matching of a part of the parameters (PAD): by hand, by finite differences, with the dropped ones left alone."""

import pytest
import torch
from helpers.distillation_makers import tiny_task
from helpers.double_gradients import double_task, gradients, worst

from ddbench.methods.datm import DATM
from ddbench.methods.mtt import MTT
from ddbench.methods.pad import PAD
from ddbench.methods.parts.keep import Keep, layer_sizes
from ddbench.methods.parts.matching import ClosestMatch, FinalMatch

NEEDED = {"inner_steps": 4, "max_start_epoch": 3, "image_lr": 5.0, "student_lr": 0.05}
HALF = {"kind": "final", "keep": {"by": "loss", "drop": 0.5}}
BEGIN, END = torch.tensor([1.0, 1.0, 2.0, 2.0**0.5]), torch.tensor([2.0, 1.0, 3.0, 0.0])
"""With the expert at 0: l = (4, 1, 9, 0) and m = (1, 1, 4, 2)."""


def match_loss(end, keep, kind=FinalMatch, shapes=()):
    return kind(keep=keep).loss(torch.stack([BEGIN.to(end), end]), lambda epochs: torch.zeros(4).to(end), 2, shapes)


class TestByLoss:
    @pytest.mark.parametrize("kind", [FinalMatch, ClosestMatch])
    @pytest.mark.parametrize(
        ("drop", "want"), [(0.5, 13 / 5), (0.0, 14 / 8), (0.25, 14 / 6), (0.74, 13 / 5), (0.75, 9 / 4)]
    )
    def test_by_hand(self, drop, want, kind):
        assert match_loss(END, {"drop": drop}, kind).item() == pytest.approx(want, rel=1e-6)

    def test_the_dropped_get_no_gradient(self):
        end = END.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(match_loss(end, {"drop": 0.5}), end)
        assert gradient.tolist() == pytest.approx([4 / 5, 0, 6 / 5, 0])

    def test_the_choice_is_a_constant_of_the_gradient(self):
        end = END.double().requires_grad_()
        assert torch.autograd.gradcheck(lambda e: match_loss(e, {"drop": 0.25}), end)

    def test_among_equals_the_first_are_dropped(self):
        counted = Keep(drop=0.5).counted(torch.tensor([1.0, 1.0, 1.0, 1.0]), ())
        assert counted.tolist() == [False, False, True, True]

    def test_what_is_not_a_number_is_for_the_guard(self):
        assert match_loss(torch.tensor([1.0, torch.nan, 0.0, 0.0]), {"drop": 0.75}).isnan()


class TestByDepth:
    def test_layers_of_a_network(self):
        shapes = [torch.Size(s) for s in ((4, 1, 3, 3), (4,), (4,), (4,), (8, 4, 3, 3), (8,), (10, 8), (10,))]
        assert layer_sizes(shapes) == [36 + 12, 288 + 8, 90]

    @pytest.mark.parametrize(("drop", "want"), [(0.0, 14 / 8), (0.49, 14 / 8), (0.5, 9 / 6)])
    def test_by_hand(self, drop, want):
        shapes = [torch.Size((1, 1)), torch.Size((1,)), torch.Size((1, 2))]
        assert match_loss(END, {"by": "depth", "drop": drop}, shapes=shapes).item() == pytest.approx(want, rel=1e-6)

    def test_layers_of_a_students_network_are_all_of_it(self):
        network = tiny_task().network
        sizes = layer_sizes(network.shapes)
        assert sum(sizes) == network.size and len(sizes) == sum(len(shape) > 1 for shape in network.shapes) > 1


class TestInAMethod:
    @pytest.mark.parametrize("by", ["loss", "depth"])
    @pytest.mark.parametrize("kind", ["final", "closest"])
    def test_adjoint_is_full_autograd(self, kind, by):
        asked = {**NEEDED, "match": {"kind": kind, "keep": {"by": by, "drop": 0.5}}}
        task = double_task()
        full_loss, full = gradients(MTT(**asked, unroll="full"), task)
        loss, adjoint = gradients(MTT(**asked), task)
        assert loss == pytest.approx(full_loss, rel=1e-12) and worst(adjoint, full) < 1e-10
        assert loss != gradients(MTT(**{**asked, "match": kind}), task)[0]

    def test_dropping_none_is_datm_to_the_bit(self):
        task = double_task()
        loss, gradient = gradients(PAD(**NEEDED, match={"keep": {"drop": 0}}), task)
        plain_loss, plain = gradients(DATM(**NEEDED), task)
        assert loss == plain_loss and all(torch.equal(gradient[name], plain[name]) for name in plain)

    def test_pad_is_datm_but_for_what_is_matched(self):
        pad, datm = (kind(**NEEDED).model_dump(exclude={"match"}) for kind in (PAD, DATM))
        assert pad == datm and PAD.EXPERTS == {**DATM.EXPERTS, "curriculum": {}}
        assert PAD(**NEEDED).match.keep == Keep(by="loss", drop=0.5)
        assert PAD(**NEEDED, match={"keep": {"drop": 0.25}}).match.keep == Keep(by="loss", drop=0.25)

    def test_settings_of_other_methods_are_what_they_were(self):
        """Identities of runs and rows are made of them."""
        assert MTT(**NEEDED).defining_settings()["match"] == MTT(**NEEDED).model_dump()["match"] == {"kind": "final"}
        assert MTT(**NEEDED, match=HALF).model_dump()["match"] == HALF
        assert MTT(**NEEDED, match="closest").model_dump()["match"] == {"kind": "closest"}

    @pytest.mark.parametrize("drop", [1.0, -0.1])
    def test_a_share_that_leaves_nothing_is_refused(self, drop):
        with pytest.raises(ValueError, match=r"match\.final\.keep\.drop"):
            MTT(**NEEDED, match={"keep": {"drop": drop}})
