"""The command line as the tests of it call it: a recipe that takes a second, and what a call gives back."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ddbench.commands import main

RECIPE = """\
description: digits in a second
dataset: digits
network: convnet-d1-w4
ipc: 1
experts: {count: 2, lr: 0.02, batch: 256, augmentation: none}
methods:
  random:
  mtt:
    iterations: 4
    inner_steps: 3
    expert_epochs: 1
    max_start_epoch: 3
    image_lr: 10
    student_lr: 0.02
    augmentation: none
evaluation:
  protocol: dc-v1
  seeds: 1
  selection: last
"""

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("DDBENCH_DEVICE", "cpu")  # of "auto": tests of commands compare bits, which hold on a CPU
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Called:
    """What a command line ended with: status, stdout and stderr."""

    status: int
    out: str
    err: str


class Ddbench:
    """Calls ``ddbench`` in this process: ``ddbench("run", recipe, "--home", home)``."""

    def __init__(self, capsys) -> None:
        self.capsys = capsys

    def __call__(self, *arguments) -> Called:
        self.capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        said = self.capsys.readouterr()
        return Called(status, said.out, said.err)

    def done(self, *arguments) -> str:
        """stdout of a call that must succeed."""
        called = self(*arguments)
        assert called.status == 0, called.err
        return called.out

    def refused(self, *arguments) -> str:
        """The one error of a call that must end with status 2: said on stderr, with its fix, without a traceback."""
        called = self(*arguments)
        assert called.status == 2, called
        return one_error(called.err)


def one_error(err: str) -> str:
    """``err`` where it is exactly one error, told as all are."""
    lines = err.splitlines()
    assert lines and lines[0].startswith("ddbench: "), err
    assert all(line.startswith("  ") for line in lines[1:]), err
    assert lines[-1].startswith("  fix: ") and len(lines[-1]) > len("  fix: "), err
    assert sum("fix: " in line for line in lines) == 1 and "Traceback" not in err, err
    return err


def command(*arguments) -> list[str]:
    """The arguments of a process that runs ``ddbench``."""
    return [sys.executable, "-m", "ddbench", *map(str, arguments)]


def process(*arguments, **more) -> subprocess.CompletedProcess[str]:
    """``ddbench`` as a process of its own."""
    environment = {**ENVIRONMENT, **more.pop("env", {})}
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment, timeout=120, **more)


def written(folder: Path, text: str = RECIPE, name: str = "tiny.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def changed(folder: Path, old: str, new: str, name: str = "tiny.yaml") -> Path:
    """The recipe with one place changed."""
    assert RECIPE.count(old) == 1, old
    return written(folder, RECIPE.replace(old, new), name)


def copy_of(home: Path, folder: Path) -> Path:
    return Path(shutil.copytree(home, folder / "home"))


def only(folder: Path, pattern: str) -> Path:
    """The one path that matches."""
    (found,) = folder.glob(pattern)
    return found


def times(folder: Path) -> dict[str, int]:
    """When each file below was changed last."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
