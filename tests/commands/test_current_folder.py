"""Commands in a folder that was removed meanwhile."""

import subprocess
import sys

from helpers.command_line import ENVIRONMENT


def test_a_command_in_a_folder_that_is_gone_says_so(tmp_path):
    (tmp_path / "gone").mkdir()
    code = (
        "import os; os.chdir('gone'); os.rmdir('../gone')\n"
        "from ddbench.commands import main\nraise SystemExit(main(['datasets']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 2 and "current folder does not exist" in done.stderr, done.stderr
