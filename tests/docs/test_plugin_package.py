"""The package in ``examples/plugin-package``: the README's method, built, installed, found, tested and run."""

import re
import subprocess
import sys

import pytest
from helpers.command_line import ENVIRONMENT
from helpers.doc_blocks import ROOT

PACKAGE = ROOT / "examples" / "plugin-package"


def test_it_is_the_method_of_the_readme():
    in_readme = re.search(r"```python\n(\"\"\"Match the mean.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    registered = ("from ddbench.methods import METHODS\n", '@METHODS.register("mean-matching")\n')
    for line in registered:
        assert line in in_readme
        in_readme = in_readme.replace(line, "")
    assert (PACKAGE / "src" / "ddbench_mean_matching" / "__init__.py").read_text() == in_readme


@pytest.mark.slow
def test_it_installs_and_runs(tmp_path):
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    source = tmp_path / "source"
    subprocess.run(["cp", "-r", str(PACKAGE), str(source)], check=True)
    site = tmp_path / "site"
    subprocess.run([*install, "--target", str(site), str(source)], check=True)
    environment = {**ENVIRONMENT, "PYTHONPATH": str(site)}

    def done(*arguments):
        process = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    assert "mean-matching" in done("ddbench", "methods")
    assert "1 passed" in done("pytest", "-q", "-p", "no:cacheprovider", source / "tests")
    small = ["-o", "methods={mean-matching: {iterations: 3}}", "-o", "ipc=1", "-o", "network=convnet-d1-w4"]
    few = ["-o", "evaluation.seeds=1", "-o", "evaluation.selection=last", "--device", "cpu"]
    table = done("ddbench", "run", "quickstart", *small, *few, "--home", tmp_path / "home", "--quiet")
    assert re.search(r"^mean-matching .*%", table, re.M)
