"""Files of other projects where ddbench's own are wanted: named as such, with the command that takes them."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers.command_line import only, written
from helpers.foreign_makers import drawn, save, sorted_labels
from helpers.hostile import Hostile
from PIL import Image

COMMANDS = ["evaluate", "info", "show", "verify", "plan", "run", "buffer", "distill"]


def line_of(pattern, said):
    """The command that an error says."""
    (found,) = re.findall(pattern, said)
    return found


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def numpy_file(path):
    np.save(path, np.zeros((3, 3, 8, 8), np.float32))
    return path


def parquet_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"label": [1, 2]}), path)
    return path


EXPERT = [[[torch.zeros(3)], [torch.ones(3)]]]
MADE = {
    "images_best.pt": (lambda at: save(at / "images_best.pt", drawn(3)), "--format mtt"),
    "a folder of mtt": (lambda at: save(at / "run" / "images_best.pt", drawn(3)).parent, "--format mtt"),
    "with a rate": (lambda at: (save(at / "lr_best.pt", torch.tensor(0.1)), at)[1], "--format datm"),
    "any tensors": (lambda at: save(at / "mine.pt", (drawn(3), sorted_labels(1))), "--format tensors"),
    "dc under another name": (lambda at: save(at / "x.pt", {"data": [[drawn(3), sorted_labels(1)]]}), "--format dc"),
    "experts by name": (lambda at: save(at / "replay_buffer_0.pt", EXPERT), "--recipe RECIPE"),
    "a folder of experts": (lambda at: save(at / "b" / "replay_buffer_3.pt", EXPERT).parent, "--recipe RECIPE"),
    "experts under another name": (lambda at: save(at / "buffer.pt", EXPERT), "--recipe RECIPE"),
    "npy": (lambda at: numpy_file(at / "images.npy"), "--format tensors"),
    "pickle": (lambda at: save(at / "x.pkl", drawn(1)), "--format idm"),
    "parquet": (lambda at: parquet_file(at / "train.parquet"), "--format parquet"),
    "a folder of parquet": (lambda at: parquet_file(at / "set" / "train-0.parquet").parent, "--format parquet"),
    "class folders": (lambda at: picture(at / "set" / "ant" / "0.png").parent.parent, "--format image-folder"),
    "numbered folders": (lambda at: picture(at / "set" / "new000" / "a.jpg").parent.parent, "--format sre2l"),
    "a picture": (lambda at: picture(at / "x.png"), "--format image-folder"),
}


@pytest.mark.parametrize(("make", "option"), MADE.values(), ids=MADE.keys())
def test_every_command_names_the_import(ddbench, tmp_path, make, option):
    path = make(tmp_path)
    for command in COMMANDS:
        said = ddbench.refused(command, path)
        assert "another project's" in said, command
        line = line_of(r"fix: (ddbench import .*)", said)
        assert shlex.split(line.split(", or ")[0])[2] == str(path) and option in line, command


def test_the_line_is_one_that_works(ddbench, tmp_path):
    save(tmp_path / "my set" / "images_best.pt", drawn(10, low=0, high=1)[:, :1])
    save(tmp_path / "my set" / "labels_best.pt", torch.arange(10))
    said = ddbench.refused("info", tmp_path / "my set")
    line = line_of(r"fix: ddbench (import .*?), or", said).replace("NAME", "digits")
    more = ("--lr", "none", "--space", "pixels", "--network", "convnet-d1-w4", "--home", tmp_path / "home")
    ddbench.done(*shlex.split(line), *more)


def test_files_are_not_run_for_a_hint(ddbench, tmp_path):
    mark = tmp_path / "ran"
    for name in ("x.pt", "images_best.pt", "x.pkl"):
        torch.save(Hostile(mark), tmp_path / name)
        assert "another project's" in ddbench.refused("info", tmp_path / name)
    assert not mark.exists()


@pytest.mark.parametrize("command", ["evaluate", "info", "show", "plan"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".yaml"])
def test_what_is_no_file_ends_at_once(ddbench, tmp_path, monkeypatch, command, suffix):
    monkeypatch.chdir(tmp_path)  # short names, which errors do not cut
    os.mkfifo(f"pipe{suffix}")
    Path(f"zero{suffix}").symlink_to("/dev/zero")
    Path(f"dangling{suffix}").symlink_to(tmp_path / "nothing")
    Path(f"loop{suffix}").symlink_to(f"loop{suffix}")
    for name in ("pipe", "zero", "dangling", "loop", "x" * 300):
        message = ddbench.refused(command, f"{name}{suffix}")
        assert name[:9] in message
    (tmp_path / f"empty{suffix}").touch()
    ddbench.refused(command, tmp_path / f"empty{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    ddbench.refused(command, tmp_path / f"folder{suffix}")


def test_own_files_and_recipes_are_no_strangers(ddbench, finished_home, recipe, tmp_path):
    ddbench.done("info", only(finished_home, "runs/*-mtt-*"))
    ddbench.done("info", only(finished_home, "buffers/*"))
    ddbench.done("plan", recipe, "--home", finished_home)


def test_pictures_of_whitened_sets_need_the_home_of_their_run(ddbench, tmp_path):
    home, other = tmp_path / "its home", tmp_path / "other"
    recipe = written(tmp_path)
    asked = ("-o", "preprocessing=zca", "-o", "methods={random: {}}", "--home", home)
    ddbench.done("distill", recipe, *asked, "-q")
    (path,) = home.glob("runs/*/synthetic.safetensors")
    for command in (["show", path], ["export", path, tmp_path / "out", "--format", "pt"]):
        said = ddbench.refused(*command, "--home", other)
        line = line_of(r"fix: ddbench (.*)", said)
        assert shlex.split(line)[-2:] == ["--home", str(home)]
        ddbench.done(*shlex.split(line))


LARGE_CELLS = [(8, False), (32, True), (32, False)]
"""Size of each cell, in MiB, and whether all rows share one."""


class TestParquetMemory:
    """A process of its own, for what it took is read from the system when it ended."""

    CODE = """
import resource, sys
from pathlib import Path
import torch
from helpers.foreign_makers import real_set
from ddbench.errors import UserError
from ddbench.formats.reader import READERS, Facts
import ddbench.formats.parquet_set
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(len(READERS.get("parquet").read(Path(sys.argv[1]), Facts(), real_set()).images), "images")
except UserError as error:
    print("refused", error.problem)
print("MB", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""

    def read(self, path):
        tests = Path(__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": f"{tests.parent}:{tests}", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", self.CODE, str(path)], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, float(done.stdout.split("MB ")[1])

    @pytest.mark.parametrize(
        ("megabytes", "shared"), [(8, True), *(pytest.param(*case, marks=pytest.mark.slow) for case in LARGE_CELLS)]
    )
    def test_large_cells_are_refused_before_they_are_many(self, tmp_path, megabytes, shared):
        """One cell that all rows share, and as many cells of their own, in a file of some kilobytes."""
        cells = [bytes(megabytes * 2**20)] * 45
        image = pa.array([{"bytes": cell, "path": None} for cell in cells])
        table = pa.table({"image": image, "label": pa.array([row % 3 for row in range(45)])})
        path = tmp_path / "train.parquet"
        pq.write_table(table, path, compression="zstd", use_dictionary=shared, dictionary_pagesize_limit=2**30)
        assert path.stat().st_size < 3_000_000
        said, taken = self.read(path)
        assert "refused row 0" in said and taken < 300

    def test_soft_labels_longer_than_the_classes(self, tmp_path):
        picture(tmp_path / "x.png")
        cell = {"bytes": (tmp_path / "x.png").read_bytes(), "path": None}
        soft = pa.array([np.zeros(3_000_000, np.float32)] * 3)
        pq.write_table(pa.table({"image": [cell] * 3, "label": [0, 1, 2], "soft_label": soft}), tmp_path / "a.parquet")
        said, taken = self.read(tmp_path / "a.parquet")
        assert "refused soft labels" in said and taken < 100
