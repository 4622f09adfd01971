"""Installed from a clone, ddbench is found from anywhere, also from the folder above the clone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", "*.egg-info", "build", "artefacts", "artifacts", ".*_cache")
FRESH = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command, cwd, status=0):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, env=FRESH, timeout=300)
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(scope="module")
def above(tmp_path_factory):
    """A folder with a clone called ddbench, and an environment in which that is installed with pip install -e."""
    folder = tmp_path_factory.mktemp("above")
    shutil.copytree(ROOT, folder / "ddbench", symlinks=True, ignore=LEFT_OUT)
    run(sys.executable, "-m", "venv", "--system-site-packages", "env", cwd=folder)
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    packages = [path for path in sys.path if path.endswith("-packages")]
    (site / "beside.pth").write_text("\n".join(packages))
    run(folder / "env" / "bin" / "pip", "install", "-q", "--no-deps", "-e", folder / "ddbench", cwd=folder)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "ddbench" / "methods").is_symlink(), reason="this checkout has no symbolic links")
class TestEditable:
    @pytest.mark.parametrize("folder", [".", "ddbench", "env"])
    def test_import_from_anywhere(self, above, folder):
        code = "import ddbench, ddbench.evaluate, ddbench.methods; print(ddbench.__file__, ddbench.__version__)"
        out = run(above / "env" / "bin" / "python", "-c", code, cwd=above / folder).stdout
        assert out.split()[0] == str(above / "ddbench" / "ddbench" / "__init__.py")

    def test_the_script_beside_the_clone(self, above):
        (above / "mine.py").write_text("import ddbench\nprint(ddbench.load_dataset('digits').classes)\n")
        assert run(above / "env" / "bin" / "python", "mine.py", cwd=above).stdout == "10\n"
        assert run(above / "env" / "bin" / "ddbench", "--version", cwd=above).stdout.startswith("ddbench ")

    def test_a_new_module_is_there_at_once(self, above):
        (above / "ddbench" / "methods" / "added.py").write_text("VALUE = 3\n")
        code = "import ddbench.methods.added as a; print(a.VALUE)"
        assert run(above / "env" / "bin" / "python", "-c", code, cwd=above).stdout == "3\n"


def test_a_clone_with_files_for_links_says_so(tmp_path):
    clone = tmp_path / "clone"
    (clone / "ddbench").mkdir(parents=True)
    for name in ("__init__.py", "version.py"):
        shutil.copy(ROOT / "ddbench" / name, clone / "ddbench")
    (clone / "ddbench" / "methods").write_text("../methods")
    done = run(sys.executable, "-c", "import ddbench", cwd=clone)
    assert "files where it should have symbolic links" in done.stderr and "git config core.symlinks true" in done.stderr


def test_nothing_ends_where_a_system_has_no_resource_module():
    code = (
        "import sys, torch; sys.modules['resource'] = None\n"
        "from ddbench.runtime.device import peak_bytes; from ddbench.runtime.available_memory import free_bytes\n"
        "cpu = torch.device('cpu'); print(peak_bytes(cpu) >= 0, free_bytes(cpu) is None or free_bytes(cpu) > 0)"
    )
    assert run(sys.executable, "-c", code, cwd=ROOT).stdout == "True True\n"
