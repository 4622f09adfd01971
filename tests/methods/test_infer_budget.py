"""How far a budget of images goes: the published table, its rounding, and what the paper counts in bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.methods.infer.budget import Budget
from ddbench.methods.infer.charge import paper_bytes
from ddbench.methods.infer.jobs import groups_of, sets_at_once

# classes, teachers, ipc; natural images a class, rendered ones, compensators, charged, budget
TABLE = """
10    4   10    7   35   28     98    100
10    4   50   35  175  140    490    500
100   4   10    9   45   36    936   1000
100   4   50   48  240  192   4992   5000
100   4  100   96  480  384   9984  10000
200   4   10    9   45   36   1836   2000
200   4   50   49  245  196   9996  10000
200   4  100   98  490  392  19992  20000
1000  3   10    9   36   27   9027  10000
1000  3   50   49  196  147  49147  50000
"""


@pytest.mark.parametrize("line", TABLE.strip().splitlines())
def test_the_published_budgets(line):
    classes, teachers, ipc, sets, rendered, compensators, charged, budget = map(int, line.split())
    found = Budget(ipc=ipc, classes=classes, teachers=teachers)
    assert (found.sets, found.sets * (1 + teachers), found.compensators) == (sets, rendered, compensators)
    assert (found.charged, found.budget, found.leftover) == (charged, budget, budget - charged)
    assert f"charged as {charged} of {budget} images; {budget - charged} are left over" in found.in_words()


@given(st.integers(1, 2000), st.integers(1, 1000), st.integers(0, 9), st.booleans())
def test_as_many_sets_as_there_is_room_for(ipc, classes, teachers, shared):
    found = Budget(ipc=ipc, classes=classes, teachers=teachers, shared=shared)
    each = classes + teachers * (1 if shared else classes)
    assert found.charged == found.sets * each <= found.budget < (found.sets + 1) * each
    smallest = Budget(ipc=found.smallest_ipc, classes=classes, teachers=teachers, shared=shared)
    assert smallest.sets >= 1
    assert (
        found.smallest_ipc == 1
        or Budget(ipc=found.smallest_ipc - 1, classes=classes, teachers=teachers, shared=shared).sets == 0
    )
    if teachers == 0:
        assert (found.sets, found.compensators, found.leftover) == (ipc, 0, 0)
    elif not shared:
        assert found.sets == ipc // (1 + teachers)
    else:
        assert found.sets == int(ipc / (teachers / classes + 1)) or (ipc * classes) % each == 0  # the released rule


@pytest.mark.parametrize(
    ("given_", "smallest"),
    [
        ({"ipc": 1, "classes": 10, "teachers": 4}, 2),
        ({"ipc": 1, "classes": 1000, "teachers": 3}, 2),
        ({"ipc": 2, "classes": 3, "teachers": 4}, 3),
        ({"ipc": 4, "classes": 10, "teachers": 4, "shared": False}, 5),
    ],
)
def test_no_room_names_the_smallest_ipc_that_works(given_, smallest):
    with pytest.raises(UserError, match=f"does not exist at ipc {given_['ipc']}") as caught:
        Budget(**given_).require_a_set()
    assert f"choose an ipc of {smallest} or more" in caught.value.fix
    Budget(**{**given_, "ipc": smallest}).require_a_set()


def test_charged_bytes_give_the_published_ratios():
    """Table 2: 0.78 % and 3.90 % of ImageNet's images; static labels add 0.2 GB to its 151 GB at ipc 50."""
    for ipc, images in ((10, 0.78), (50, 3.90)):
        budget = Budget(ipc=ipc, classes=1000, teachers=3)
        assert 100 * budget.budget / 1_281_167 == pytest.approx(images, abs=0.005)
        charged = paper_bytes(budget, 3 * 224 * 224, static=True)
        assert charged["images"] + charged["compensators"] == budget.charged * 3 * 224 * 224
        assert charged["labels"] == ipc * 1000 * 1000 * 4
        assert 100 * charged["labels"] / 151e9 == pytest.approx(0.13 * ipc / 50, abs=0.005)
    assert set(paper_bytes(budget, 3, static=False)) == {"images", "compensators"}


@given(st.integers(2, 60), st.integers(1, 4), st.integers(1, 9))
def test_groups_hold_every_compensator_once(ipc, teachers, at_once):
    budget = Budget(ipc=ipc, classes=4, teachers=teachers)
    groups = groups_of(budget, at_once)
    found = [(group.teacher, number) for group in groups.values() for number in group.sets]
    assert found == [(teacher, number) for teacher in range(teachers) for number in range(budget.sets)]
    assert all(len(group.sets) <= at_once for group in groups.values())
    assert all(name.replace("-", "").isalnum() for name in groups)


def test_batches_hold_a_fixed_number_of_pixels():
    assert sets_at_once(3 * 32 * 32, 10) == 34 and sets_at_once(3 * 32 * 32, 100) == 3
    assert sets_at_once(3 * 224 * 224, 1000) == 1
