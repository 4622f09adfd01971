"""Where results come from: the commit of a checkout, the version without one."""

import shutil
import subprocess
import sys

import pytest
from helpers.doc_blocks import ROOT

import ddbench
from ddbench.runtime.provenance import code_identity


def git(*arguments, at=ROOT):
    done = subprocess.run(["git", "-C", str(at), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="this is no checkout of git")
def test_a_checkout_is_named_by_its_commit():
    changed = git("status", "--porcelain", "--untracked-files=no")
    assert code_identity() == git("rev-parse", "--short=12", "HEAD") + ("+dirty" if changed else "")


def test_a_copy_without_git_is_named_by_its_version(tmp_path):
    (tmp_path / "ddbench").mkdir()
    for part in ("__init__.py", "version.py", "errors.py", "runtime"):
        source = ROOT / "ddbench" / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / "ddbench" / part)
    code = "from ddbench.runtime.provenance import code_identity; print(code_identity())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == f"ddbench {ddbench.__version__}", done.stderr
