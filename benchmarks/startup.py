"""Seconds of ``import ddbench`` and ``ddbench --help`` in fresh processes, against ``import torch`` and bare Python.

The candidates take turns. Told as well: whether torch was imported by any of them, and how many modules were.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import torch
from measure import arguments, interleaved, report, start

HELP = """
from contextlib import suppress
from ddbench.commands import console
sys.argv = ["ddbench", "--help"]
with suppress(SystemExit), redirect_stdout(io.StringIO()):
    console()
"""
CODE = {
    "python": "pass",
    "import torch": "import torch",
    "import ddbench": "import ddbench",
    "ddbench --help": f"import io\nfrom contextlib import redirect_stdout\n{HELP}",
}
TELL = """
import json
print(json.dumps({"torch": "torch" in sys.modules, "modules": len(sys.modules)}))
"""


def run(code: str) -> dict[str, Any]:
    """What a fresh process tells of itself after this code. Errors: RuntimeError with its stderr where it fails."""
    done = subprocess.run([sys.executable, "-c", f"import sys\n{code}\n{TELL}"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{code} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def benchmark(repeats: int) -> dict[str, Any]:
    loaded: dict[str, Any] = {}
    jobs = {name: lambda name=name, code=code: loaded.update({name: run(code)}) for name, code in CODE.items()}
    seconds = interleaved(jobs, repeats, torch.device("cpu"))
    ratios = {f"import torch / {name}": seconds["import torch"] / seconds[name] for name in CODE if "dd" in name}
    return {"seconds": seconds, "loaded": loaded, "ratios": ratios}


def main(given: Sequence[str] | None = None) -> None:
    made = arguments("Starting: import ddbench and ddbench --help, against import torch.")
    made.set_defaults(repeats=9)
    options, device = start(made, given)
    report("startup", options, device, **benchmark(options.repeats))


if __name__ == "__main__":
    main()
