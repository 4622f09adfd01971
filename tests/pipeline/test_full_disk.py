"""A disk that is full at each write of a run in turn: one error, nothing lost, and the same bits once there is room."""

import errno
import os

import pytest
from helpers.command_line import RECIPE, one_error, written
from test_kill_campaign import content

from ddbench.commands import main
from ddbench.files import atomic_write

pytestmark = pytest.mark.slow

SMALL = RECIPE.replace("selection: last", "selection: validation\n  selection_seeds: 1\n  steps: 3").replace(
    "iterations: 4", "iterations: 4\n    keep_every: 2"
)


class Disk:
    """Has room for so many files, and not for the next."""

    def __init__(self, monkeypatch) -> None:
        self.room, self.written, self._fsync = None, 0, os.fsync
        monkeypatch.setattr(atomic_write.os, "fsync", self.flush)

    def flush(self, handle: int) -> None:
        if self.written == self.room:
            self.room = -1
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.written += 1
        self._fsync(handle)


def test_a_disk_that_is_full_at_each_write_in_turn(tmp_path, monkeypatch, capsys):
    recipe, disk = written(tmp_path, SMALL), Disk(monkeypatch)

    def run(home):
        disk.written = 0
        return main(["run", str(recipe), "--home", str(home), "-q", "--checkpoint-seconds", "0"])

    assert run(tmp_path / "whole") == 0
    wanted, writes, refused, pictures = content(tmp_path / "whole"), disk.written, 0, 0
    assert writes > 20
    for room in range(writes):
        home, disk.room = tmp_path / f"room for {room}", room
        capsys.readouterr()
        status, said = run(home), capsys.readouterr().err
        assert disk.room == -1
        if "note: the picture" in said:
            assert status == 0
            pictures += 1
        else:
            assert status == 2 and "the disk is full" in one_error(said) and "--home" in said
            refused += 1
        left = [path.name for path in home.rglob("*") if path.suffix == ".part" or path.name == ".lock"]
        assert left == []
        disk.room = None
        assert run(home) == 0 and content(home) == wanted
    assert pictures == 2 and refused == writes - pictures
