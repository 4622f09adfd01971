"""Trainings of as many steps as are asked for, whatever the size of the set."""

from dataclasses import replace

import pytest
import torch
from helpers.evaluation_makers import NETWORK, make_tiny_row, tiny_real, tiny_synthetic

from ddbench.evaluate.leaderboard.row import load_row
from ddbench.evaluate.protocols.builtin import PROTOCOLS, ProtocolOverrides
from ddbench.evaluate.score import score


@pytest.fixture
def counted(monkeypatch):
    """The rates of every optimizer step that is taken."""
    rates = []
    step = torch.optim.AdamW.step

    def counting(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", counting)
    return rates


def soft(syn):
    return replace(syn, labels=torch.nn.functional.one_hot(syn.labels, 3).float(), label_kind="logits")


@pytest.mark.parametrize(("ipc", "batch", "steps"), [(1, 64, 7), (4, 5, 7), (4, 5, 6), (6, 4, 1)])
def test_every_set_takes_as_many_and_its_schedule_comes_to_its_end(counted, ipc, batch, steps):
    real = tiny_real()
    by = replace(PROTOCOLS["infer-static-v1"], batch=batch, setting=ProtocolOverrides(epochs=400, augmentation="none"))
    scores = score(soft(tiny_synthetic(real, ipc)), real, protocol=by, network=NETWORK, seeds=(0,), steps=steps)
    an_epoch = -(-3 * ipc // batch)
    epochs = -(-steps // an_epoch)
    wanted = [
        1e-3 * (1 + torch.cos(torch.tensor(torch.pi * (number // an_epoch) / epochs)).item()) / 2
        for number in range(steps)
    ]
    assert counted == pytest.approx(wanted, rel=1e-5)
    assert scores.steps == steps


def test_without_them_the_protocol_counts_epochs(counted):
    real = tiny_real()
    by = replace(PROTOCOLS["infer-static-v1"], setting=ProtocolOverrides(epochs=3, augmentation="none"))
    assert score(soft(tiny_synthetic(real, 2)), real, protocol=by, network=NETWORK, seeds=(0,)).steps is None
    assert len(counted) == 3


def test_rows_of_other_steps_are_not_ranked_together():
    row = make_tiny_row()
    assert replace(row, steps=100).conditions == "100 steps each" != row.conditions
    assert replace(row, steps=100).question != row.question
    assert replace(row, charged={"images": 5}, items=3).question == row.question


def test_conditions_of_a_row_are_those_of_its_file(tmp_path):
    row = make_tiny_row(teachers={"wide": 2, "narrow": 1}, teachers_fingerprint="0123456789", steps=7)
    assert load_row(row.save(tmp_path)).conditions == row.conditions
