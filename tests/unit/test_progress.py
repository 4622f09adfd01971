"""Progress in a log: whole lines, at a sane pace."""

import pytest

from ddbench.runtime import progress
from ddbench.runtime.progress import Bar


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(clock, capsys):
    bar = Bar()
    bar.start(200, "distill mtt ipc 1", done=50)
    for step in range(51, 201):
        clock[0] += 0.25
        bar.update(step, loss=step / 100)
    bar.close()
    assert capsys.readouterr().err.splitlines() == [
        "distill mtt ipc 1: 55% (110 of 200), 00:15, 00:22 left, loss=1.1",
        "distill mtt ipc 1: 85% (170 of 200), 00:30, 00:07 left, loss=1.7",
        "distill mtt ipc 1: 100% (200 of 200), 00:37, loss=2",
    ]


def test_a_short_stage_is_one_line_without_carriage_returns(clock, capsys):
    bar = Bar()
    bar.start(3, "experts")
    bar.update(3)
    bar.start(0, "nothing to do")
    bar.close()
    bar.close()
    bar.update(1)
    said = capsys.readouterr().err
    assert said == "experts: 100% (3 of 3), 00:00\nnothing to do: done (0 of 0), 00:00\n"


def test_a_line_at_the_end_is_not_written_twice(clock, capsys):
    bar = Bar()
    bar.start(2, "experts")
    clock[0] += 20
    bar.update(2)
    bar.close()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    bar = Bar()
    bar.start(2, "experts")
    bar.update(2)
    bar.close()
    assert "\r" in capsys.readouterr().err
