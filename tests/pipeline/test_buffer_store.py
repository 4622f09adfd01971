"""The expert buffer: what was written is what is read, row by row, and damage is told from the rest."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.expert_data import NETWORK, corrupt, drawn_buffer, drawn_trajectory, tiny_real, tiny_recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.data.preprocessing import Preprocessing
from ddbench.errors import UserError
from ddbench.expert_buffers import ExpertBuffer, describe_buffer
from ddbench.expert_buffers.buffer import DESCRIPTION, expert_path, write_description, write_expert
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.expert_buffers.usable_experts import usable_fact


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from([torch.float32, torch.bfloat16]), st.booleans())
def test_every_row_comes_back_to_the_bit(tmp_path_factory, experts, epochs, dtype, batch_norm):
    folder = tmp_path_factory.mktemp("buffer")
    network = NETWORK + "-bn" if batch_norm else NETWORK
    description, made = drawn_buffer(folder, experts, epochs, network, dtype)
    buffer = ExpertBuffer.open(folder)
    assert (len(buffer), buffer.epochs, buffer.size) == (experts, epochs, description.parameter_count)
    assert buffer.description == description
    for expert, trajectory in enumerate(made):
        for epoch in range(epochs + 1):
            row = buffer[expert, epoch]
            assert row.dtype == torch.float32
            assert torch.equal(row, trajectory.parameters[epoch].float())
            statistics = buffer.statistics(expert, epoch)
            if trajectory.statistics is None:
                assert statistics is None
            else:
                assert statistics is not None and torch.equal(statistics, trajectory.statistics[epoch])
        assert torch.equal(buffer.curves(expert)["train_loss"], trajectory.curves["train_loss"])
        assert torch.equal(buffer.trajectory(expert).parameters, trajectory.parameters)


def test_a_row_is_a_copy(tmp_path):
    _, made = drawn_buffer(tmp_path)
    buffer = ExpertBuffer.open(tmp_path)
    buffer[1, 2].zero_()
    assert torch.equal(buffer[1, 2], made[1].parameters[2])


def test_beyond_the_buffer_is_an_index_error(tmp_path):
    drawn_buffer(tmp_path, experts=2, epochs=3)
    buffer = ExpertBuffer.open(tmp_path)
    for key in ((2, 0), (-1, 0), (0, 4), (0, -1)):
        with pytest.raises(IndexError):
            buffer[key]


def test_a_damaged_row_is_named_and_the_others_still_read(tmp_path):
    _, made = drawn_buffer(tmp_path, experts=4, epochs=3)
    corrupt(expert_path(tmp_path, 1), made[1].parameters[2].view(torch.uint8).numpy().tobytes())
    buffer = ExpertBuffer.open(tmp_path)
    for epoch in (0, 1, 3):
        assert torch.equal(buffer[1, epoch], made[1].parameters[epoch])
    with pytest.raises(UserError) as caught:
        buffer[1, 2]
    said = str(caught.value)
    assert "expert-0001.safetensors is damaged" in said
    assert "parameters at epoch 2" in said
    assert "usable experts 0, 2-3 (3 in all)" in said


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="asks Linux what was read")
def test_reading_a_row_touches_no_other(tmp_path):
    experts, row = 6, 4 * 50_000
    description = replace(describe_buffer(tiny_real(), NETWORK, tiny_recipe(), 0), parameters=(("weight", (50_000,)),))
    write_description(tmp_path, description)
    made = [drawn_trajectory(description, 40, seed) for seed in range(experts)]
    for expert, trajectory in enumerate(made):
        write_expert(tmp_path, expert, trajectory, description)
    ExpertBuffer.open(tmp_path)[0, 0]  # what is imported on the way is read now
    begun = _read_bytes()
    buffer = ExpertBuffer.open(tmp_path)
    opened = _read_bytes()
    assert torch.equal(buffer[3, 17], made[3].parameters[17])
    read = _read_bytes()
    assert opened - begun <= experts * 8192 + 4096, "of every file two pages, and the description"
    assert row <= read - opened <= row + 8192 + 1024, "that row, of a file of 41, and its header"
    ExpertBuffer.open(tmp_path, experts=[2])
    assert _read_bytes() - read <= 8192 + 4096, "only files that are asked for"
    maps = Path("/proc/self/maps").read_text()
    assert str(tmp_path) not in maps


def _read_bytes() -> int:
    """Of all read calls of this process so far."""
    (line,) = (line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar"))
    return int(line.split()[1])


def test_a_header_longer_than_its_first_read_comes_back(tmp_path):
    _, (made,) = drawn_buffer(tmp_path, experts=1, epochs=200)
    buffer = ExpertBuffer.open(tmp_path)
    assert buffer.epochs == 200
    assert torch.equal(buffer[0, 200], made.parameters[200])


def test_an_expert_that_is_made_longer_meanwhile_is_still_read(tmp_path):
    description, _ = drawn_buffer(tmp_path, experts=1, epochs=40)
    buffer = ExpertBuffer.open(tmp_path)
    before = buffer[0, 2]
    rows = torch.cat([buffer.trajectory(0).parameters, torch.ones(60, buffer.size)])
    write_expert(tmp_path, 0, Trajectory(parameters=rows, statistics=None, curves={}), description)
    assert torch.equal(buffer[0, 2], before) and torch.equal(buffer[0, 40], rows[40])
    rows = rows + 1
    write_expert(tmp_path, 0, Trajectory(parameters=rows, statistics=None, curves={}), description)
    with pytest.raises(UserError, match="are not those that were written"):
        buffer[0, 2]
    expert_path(tmp_path, 0).unlink()
    with pytest.raises(UserError, match="there is no file"):
        buffer[0, 2]


def test_a_file_cut_short_is_found_on_opening(tmp_path):
    drawn_buffer(tmp_path, experts=3)
    path = expert_path(tmp_path, 2)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="expert-0002.safetensors is damaged") as caught:
        ExpertBuffer.open(tmp_path)
    assert "usable experts 0-1 (2 in all)" in str(caught.value)
    assert len(ExpertBuffer.open(tmp_path, experts=[0, 1])) == 2


def test_a_missing_expert_is_named(tmp_path):
    _, made = drawn_buffer(tmp_path, experts=3)
    expert_path(tmp_path, 1).unlink()
    with pytest.raises(UserError, match="expert-0001.safetensors is missing") as caught:
        ExpertBuffer.open(tmp_path, experts=range(3))
    assert "usable experts 0, 2 (2 in all)" in str(caught.value)
    rest = ExpertBuffer.open(tmp_path)
    assert rest.experts == (0, 2)
    assert torch.equal(rest[1, 4], made[2].parameters[4])


def test_what_is_no_buffer_says_so(tmp_path):
    with pytest.raises(UserError, match=f"no expert buffer in .*\n.*no {DESCRIPTION}"):
        ExpertBuffer.open(tmp_path / "nowhere")
    drawn_buffer(tmp_path, experts=0)
    with pytest.raises(UserError, match="there are no experts"):
        ExpertBuffer.open(tmp_path)
    whole = json.loads((tmp_path / DESCRIPTION).read_text())
    for broken in ("{", "[]", json.dumps({**whole, "parameters": 3})):
        (tmp_path / DESCRIPTION).write_text(broken)
        with pytest.raises(UserError, match=DESCRIPTION):
            ExpertBuffer.open(tmp_path)
    (tmp_path / DESCRIPTION).write_text(json.dumps({**whole, "schema": 99}))
    with pytest.raises(UserError, match="newer ddbench"):
        ExpertBuffer.open(tmp_path)


def test_an_expert_of_another_buffer_is_not_read(tmp_path):
    description, made = drawn_buffer(tmp_path, experts=2)
    write_expert(tmp_path, 1, made[1], replace(description, seed=1))
    with pytest.raises(UserError, match="belongs to another buffer"):
        ExpertBuffer.open(tmp_path)


@pytest.mark.parametrize(
    ("network", "changed", "there", "asked"),
    [
        (NETWORK, {"name": "other"}, "tiny", "other"),
        ("convnet-d1-w5", {}, "convnet-d1-w4", "convnet-d1-w5"),
        (NETWORK, {"preprocessing": Preprocessing.identity()}, "meanstd", "identity"),
        (NETWORK, {"fingerprint": "tiny-1-29"}, "tiny-0-30", "tiny-1-29"),
    ],
)
def test_a_buffer_of_something_else_is_refused_with_both_named(tmp_path, network, changed, there, asked):
    drawn_buffer(tmp_path)
    buffer = ExpertBuffer.open(tmp_path)
    buffer.require_match(describe_buffer(tiny_real(), NETWORK, None, None))
    with pytest.raises(UserError) as caught:
        buffer.require_match(describe_buffer(tiny_real(**changed), network, None, None))
    said = str(caught.value)
    assert f"there {there}" in said and f"asked {asked}" in said


def test_recipe_and_seed_differ_only_where_both_are_known(tmp_path):
    drawn_buffer(tmp_path)
    buffer = ExpertBuffer.open(tmp_path)
    buffer.require_match(describe_buffer(tiny_real(), NETWORK, tiny_recipe(count=7, epochs=3), 0))
    with pytest.raises(UserError, match="another experts.lr"):
        buffer.require_match(describe_buffer(tiny_real(), NETWORK, tiny_recipe(lr=0.5), 0))
    with pytest.raises(UserError, match="another seed"):
        buffer.require_match(describe_buffer(tiny_real(), NETWORK, tiny_recipe(), 1))


def test_too_short_experts_are_refused_before_they_are_used(tmp_path):
    drawn_buffer(tmp_path, epochs=4)
    buffer = ExpertBuffer.open(tmp_path)
    buffer.require_epochs(4)
    with pytest.raises(UserError, match="22 epochs are needed, they have 4") as caught:
        buffer.require_epochs(22)
    more = "train more: ddbench buffer RECIPE -o experts.epochs=22"
    assert caught.value.fix == f"{more}, or lower max_start_epoch or expert_epochs"


def test_too_short_experts_that_can_go_on_are_said_to_be_kept(tmp_path):
    description, made = drawn_buffer(tmp_path, experts=2)
    for expert, trajectory in enumerate(made):
        write_expert(tmp_path, expert, trajectory, description, end={})
    with pytest.raises(UserError) as caught:
        ExpertBuffer.open(tmp_path).require_epochs(5)
    assert "experts.epochs=5 (what is there is kept and extended), or lower" in caught.value.fix
    write_expert(tmp_path, 1, made[1], description)
    with pytest.raises(UserError) as caught:
        ExpertBuffer.open(tmp_path).require_epochs(5)
    assert "extended" not in caught.value.fix


def test_too_short_experts_that_were_imported_can_not_be_trained_on(tmp_path):
    description = describe_buffer(tiny_real(), NETWORK, None, None)
    write_description(tmp_path, description)
    write_expert(tmp_path, 0, drawn_trajectory(description, 3, seed=0), description)
    with pytest.raises(UserError) as caught:
        ExpertBuffer.open(tmp_path).require_epochs(5)
    assert caught.value.fix == "import longer ones, or lower max_start_epoch or expert_epochs"


def test_what_training_goes_on_from_is_no_curve_and_changes_no_row(tmp_path):
    description, (trajectory,) = drawn_buffer(tmp_path, experts=1)
    before = ExpertBuffer.open(tmp_path)
    end = {"end.optimizer.velocity": torch.ones(description.parameter_count)}
    write_expert(tmp_path, 0, trajectory, description, end=end)
    after = ExpertBuffer.open(tmp_path)
    assert after.curves(0).keys() == before.curves(0).keys() == {"train_loss"}
    assert after.digest(4) == before.digest(4)
    assert torch.equal(after[0, 4], before[0, 4])
    assert torch.equal(after.trajectory(0).parameters, trajectory.parameters)


def test_a_fingerprint_follows_the_content(tmp_path):
    description, made = drawn_buffer(tmp_path)
    before = ExpertBuffer.open(tmp_path).fingerprint
    assert before == ExpertBuffer.open(tmp_path).fingerprint
    rows = made[2].parameters.clone()
    rows[1, 0] += 1
    write_expert(tmp_path, 2, replace(made[2], parameters=rows), description)
    assert before != ExpertBuffer.open(tmp_path).fingerprint


def test_usable_experts_are_listed_as_runs():
    cases: list[tuple[Any, str]] = [([], "usable no other expert"), ([3], "usable experts 3 (1 in all)")]
    cases.append(({0: 1, 1: 1, 2: 1, 5: 1, 7: 1, 8: 1}, "usable experts 0-2, 5, 7-8 (6 in all)"))
    for experts, said in cases:
        assert usable_fact(experts) == said
