"""What ranks say to each other: asked of threads, each of which is a rank."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch.distributed as dist

from ddbench.commands import main
from ddbench.errors import UserError
from ddbench.runtime.rank_store import RankStore, launched


def on_ranks(function, world=3):
    """``function(store)`` for each rank, at the same time; what they return, or raise."""
    shared = dist.HashStore()
    stores = [RankStore(shared, rank, world) for rank in range(world)]
    with ThreadPoolExecutor(world) as pool:
        return [found.exception() or found.result() for found in [pool.submit(function, store) for store in stores]]


def test_all_hear_all_and_rank_0_decides():
    def talk(store):
        return store.gather({"rank": store.rank}), store.decided([store.rank]), store.gather(None)

    said = [{"rank": 0}, {"rank": 1}, {"rank": 2}]
    assert on_ranks(talk) == [(said, [0], [None] * 3)] * 3


def test_rank_0_goes_first():
    order, others = [], Event()

    def work(store):
        if store.rank > 0:
            others.set()
        with store.rank_0_first():
            if store.rank == 0:
                others.wait(10)
            order.append(store.rank)

    on_ranks(work)
    assert order[0] == 0 and sorted(order) == [0, 1, 2]


def test_where_one_fails_the_others_stop_waiting_and_one_speaks():
    spoken = []

    def work(store):
        try:
            if store.rank == 1:
                raise UserError("the disk is full", fix="free some space")
            store.gather(None)
        except UserError as error:
            with store.reports_on_one_rank() as speaks:
                if speaks:
                    spoken.append(error.problem)
            raise

    failed = on_ranks(work)
    assert spoken == ["the disk is full"]
    assert [error.problem for error in failed] == [
        "another rank of this run has ended",
        "the disk is full",
        "another rank of this run has ended",
    ]


@pytest.fixture
def second_of_two(monkeypatch):
    given = {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_RANK": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))


def test_torchrun_says_who_a_process_is(second_of_two, monkeypatch):
    assert launched() == (1, 2)
    monkeypatch.delenv("MASTER_PORT")
    assert launched() == (0, 1)


@pytest.mark.parametrize("given", [["plan", "quickstart"], ["leaderboard"], ["--version"], []])
def test_of_what_is_not_shared_the_first_rank_does_all(second_of_two, given, capsys):
    assert main(given) == 0
    assert capsys.readouterr() == ("", "")
