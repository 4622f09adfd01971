"""Atomic writing by several processes: names that do not meet, permissions, and what killed writers left."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from ddbench import artifact
from ddbench.files.atomic_write import OLD_SECONDS, replacing, sweep, temporary_name
from ddbench.files.process_identity import ProcessIdentity, identity_in, this_process

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are looked up as on POSIX")


def test_two_writers_of_one_file_in_one_process_do_not_meet(tmp_path):
    path = tmp_path / "x.json"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_temporary_name_says_who_writes_and_fits_into_a_file_system(tmp_path):
    for name in ("x.json", "n" * 255, "é" * 127):
        made = temporary_name(name)
        assert identity_in(made).pid == os.getpid() and identity_in(made).fate() == "running"
        assert len(os.fsencode(made)) < 255
        (tmp_path / made).touch()


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_files_get_the_permissions_that_the_umask_says(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        artifact.save(tmp_path / "x.safetensors", "thing", {"a": torch.ones(1)}, {})
        artifact.write_json(tmp_path / "x.json", {})
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in sorted(tmp_path.iterdir())] == [mode, mode]


def writer_killed_while_it_writes(folder):
    code = (
        "import sys, time; from pathlib import Path; from ddbench.files.atomic_write import replacing\n"
        "with replacing(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half'); print('there', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder / "x.json")], stdout=subprocess.PIPE)
    process.stdout.readline()
    (left,) = folder.glob(".*.part")
    sweep(folder)
    assert left.exists(), "it is being written"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return left


def test_what_a_killed_writer_left_is_removed_at_once(tmp_path):
    left = writer_killed_while_it_writes(tmp_path)
    artifact.write_json(tmp_path / "other.json", {})
    assert not left.exists() and os.listdir(tmp_path) == ["other.json"]


def test_what_another_machine_writes_stays_until_it_is_old(tmp_path):
    mine = this_process().token
    elsewhere = replace(this_process(), space="00000000").token
    foreign, older = (tmp_path / f".{name}.json.{elsewhere}.0a0b0c0d.part" for name in ("a", "b"))
    earlier = [tmp_path / ".c.json.4242.part", tmp_path / ".d.json.4242.part"]  # as earlier versions named them
    mine = tmp_path / f".e.json.{mine}.0a0b0c0d.part"
    others = [tmp_path / "f.part", tmp_path / ".g.json"]
    for path in (foreign, older, *earlier, mine, *others):
        path.touch()
    past = time.time() - OLD_SECONDS - 10
    for path in (older, earlier[1], mine, *others):
        os.utime(path, (past, past))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([foreign, earlier[0], mine, *others])


def test_the_number_of_an_ended_process_may_be_used_again():
    again = replace(this_process(), begun="1")
    assert this_process().fate() == "running"
    if this_process().begun != "0":
        assert again.fate() == "ended"
    assert ProcessIdentity("host", this_process().space, 2**22 + 1, "5").fate() == "ended"
    assert ProcessIdentity("host", "ffffffff", os.getpid(), "5").fate() == "elsewhere"
