"""Options that commands share: each command has them, with one text, and nothing else defines them."""

import subprocess
import sys
from typing import Any

import pytest
import typer

from ddbench.commands import app
from ddbench.commands.compute_options import PrecisionChoice
from ddbench.commands.run_options import CONTEXT, DEFAULTS, EXECUTION, RECIPE, RunOptions, takes

CLICK: Any = typer.main.get_command(app)
COMMANDS = {**CLICK.commands, **{f"nas {name}": command for name, command in CLICK.commands["nas"].commands.items()}}
TAKEN = {
    "run": (*RECIPE, "seeds"),
    "distill": (*RECIPE, "seeds"),
    "buffer": RECIPE,
    "plan": (*CONTEXT, "seed", "seeds", "plugin", "compile"),
    "evaluate": (*CONTEXT, "seed", "plugin", "compile", *EXECUTION),
    "teach": (*CONTEXT, "seed", "checkpoint_seconds", "compile"),
    "verify": CONTEXT,
    "continual": (*CONTEXT, "seed", "plugin", "checkpoint_seconds"),
    "ddranking": CONTEXT,
    "nas rank": (*CONTEXT, *EXECUTION),
    "nas search": (*CONTEXT, *EXECUTION),
    "nas truth": (*CONTEXT, *EXECUTION),
}


def options_of(command):
    return {parameter.name: parameter for parameter in COMMANDS[command].params}


@pytest.mark.parametrize("command", TAKEN)
def test_command_has_each_option_with_the_same_text(command):
    here, reference = options_of(command), options_of("run")
    for name in TAKEN[command]:
        assert here[name].help == reference[name].help and here[name].opts == reference[name].opts
        assert here[name].default == reference[name].default == getattr(DEFAULTS, name)


def test_decorated_function_gets_one_value():
    received = []

    @takes(*CONTEXT)
    def command(name: str, shared: RunOptions = DEFAULTS, last: int = 3) -> None:
        received.append((name, shared, last))

    command(name="a", home=None, data_root=None, device="cpu", precision=PrecisionChoice.auto, quiet=True, last=4)
    assert received == [("a", RunOptions(device="cpu", quiet=True), 4)]


def test_help_imports_no_torch():
    code = (
        "import sys\nfrom ddbench.commands import main\n"
        "for command in ('run', 'plan', 'evaluate'):\n    main([command, '--help'])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
