"""Shares, devices and students of ranks, as far as one process can tell."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.networks import FlatNetwork, ImageShape, build_network
from ddbench.networks.mixing import mixes_batch
from ddbench.runtime.distributed import ALONE, Ranks
from ddbench.runtime.rank_devices import rank_device, require_own_gpus


@given(images=st.integers(1, 40), world=st.integers(1, 9))
def test_every_image_of_a_batch_is_some_rank_s_once(images, world):
    shares = [Ranks(rank, world).share(images) for rank in range(world)]
    owned = [row for share in shares if share.weight for row in range(images)[share.rows]]
    assert owned == list(range(images))
    sizes = [len(range(images)[share.rows]) for share in shares]
    assert min(sizes) >= 1 and max(sizes) <= -(-images // world)
    assert sum(share.weight for share in shares) == pytest.approx(1)


def test_alone_nothing_is_copied_and_nobody_is_asked():
    x = torch.ones(2, requires_grad=True)
    for operation in (ALONE.copied, ALONE.summed, ALONE.total, ALONE.agreed):
        assert operation(x)[0] is x
    assert ALONE.decided(3) == 3 and ALONE.gather("a") == ["a"] and ALONE.leave() == ALONE
    with ALONE.rank_0_first():
        ALONE.require_same({"a": 1}, fix="")


@pytest.mark.parametrize(
    ("name", "mixed"),
    [
        ("convnet-d1-w4", False),
        ("convnet-d1-w4-bn", True),
        ("mlp", False),
        ("resnet10-bn", True),
    ],
)
def test_networks_that_mix_a_batch_are_found_out(name, mixed):
    assert (
        mixes_batch(FlatNetwork(build_network(name, channels=1, size=16, classes=3, seed=0)), ImageShape(1, 16, 3))
        == mixed
    )


class TestDevices:
    @pytest.fixture(autouse=True)
    def second_of_two_with_gpus(self, monkeypatch):
        given = {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2}
        for name, value in {**given, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1}.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.delenv("DDBENCH_DEVICE")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    def test_every_rank_of_a_machine_has_its_own(self, monkeypatch):
        assert rank_device("auto") == rank_device("cuda") == "cuda:1" and rank_device("cpu") == "cpu"
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert rank_device("auto") == "auto"

    def test_one_for_two_is_refused(self, monkeypatch):
        with pytest.raises(UserError, match="2 ranks of this machine can not share the device 'cuda:1'"):
            rank_device("cuda:1")
        monkeypatch.setenv("LOCAL_RANK", "2")
        with pytest.raises(UserError, match="2 CUDA devices for 2 ranks"):
            rank_device("auto")

    def test_a_variable_names_the_device_of_auto(self, monkeypatch):
        monkeypatch.setenv("DDBENCH_DEVICE", "cpu")
        assert rank_device("auto") == "auto" and rank_device("cuda") == "cuda:1"

    def test_a_launcher_may_show_each_rank_its_own_alone(self, monkeypatch):
        """As Slurm does; whether they are different GPUs is then looked at over the store."""
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        assert rank_device("auto") == "cuda:0"
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="own"))
        for others, shared in ((["first", "own"], False), (["own", "own"], True), ([None, "own"], False)):
            ranks = SimpleNamespace(gather=lambda own, others=others: [*others[:1], own])
            with pytest.raises(UserError, match="ranks 0 and 1 have one GPU") if shared else nullcontext():
                require_own_gpus(ranks, torch.device("cuda:0"))  # pyright: ignore[reportArgumentType]

    def test_one_process_is_asked_nothing(self, monkeypatch):
        monkeypatch.setenv("WORLD_SIZE", "1")
        assert rank_device("cuda:1") == "cuda:1" and rank_device("auto") == "auto"
        assert Ranks.from_environment(torch.device("cpu")) == ALONE
