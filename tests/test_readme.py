"""The README's examples are run as they stand."""

import re
from pathlib import Path

import pytest

from ddbench.commands import main
from ddbench.recipe import shipped_recipes

TEXT = (Path(__file__).resolve().parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_two_commands_are_there():
    assert "pip install -e . && ddbench run quickstart" in TEXT
    assert 'pip install -e ".[test]" && pytest' in TEXT


def test_the_method_is_short_and_works(tmp_path, capsys):
    (method,) = [block for block in BLOCKS if "METHODS.register" in block]
    assert len(method.splitlines()) < 40
    plugin = tmp_path / "mean_matching.py"
    plugin.write_text(method)
    command = ["run", "quickstart", "--quiet", "--home", str(tmp_path), "--plugin", str(plugin), "--device", "cpu"]
    small = ["-o", "methods={mean-matching: {iterations: 30}}", "-o", "ipc=1", "-o", "network=convnet-d1-w4"]
    assert main([*command, *small, "-o", "evaluation.seeds=1", "-o", "evaluation.selection=last"]) == 0
    assert "mean-matching" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(set(re.findall(r"ddbench (?:plan|run) +([a-z0-9/-]+)", TEXT))))
def test_every_recipe_it_names_exists(name):
    assert name in shipped_recipes()


def test_every_command_it_names_exists(capsys):
    for name in sorted(set(re.findall(r"`ddbench ([a-z]+)", TEXT))):
        assert main([name, "--help"]) == 0, name
    assert "Usage: ddbench" in capsys.readouterr().out


def test_the_training_loop_reads_a_set(tmp_path, monkeypatch):
    import ddbench

    (loop,) = [block for block in BLOCKS if "load_synthetic" in block]
    real = ddbench.load_dataset("digits", home=tmp_path)
    syn = ddbench.distill("random", real, "convnet-d1-w4", 1, device="cpu")
    path = tmp_path / "artefacts/runs/.../synthetic.safetensors"
    syn.save(path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(loop, names)
    assert names["images"].shape == (10, 1, 8, 8) and names["labels"].shape == (10,)
