"""A command under the pretend device: ``PYTHONPATH=tests python -m helpers.pretend_cuda -m ddbench run quickstart``."""

import os
import runpy
import sys

from helpers import pretend_cuda

if __name__ == "__main__":
    pretend_cuda.install()
    sys.path.insert(0, os.getcwd())
    if sys.argv[1] == "-m":
        sys.argv = sys.argv[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = sys.argv[1:]
        runpy.run_path(sys.argv[0], run_name="__main__")
