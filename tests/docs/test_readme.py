"""The README's examples are run as they stand."""

import re
from pathlib import Path

import pytest

from ddbench.commands import main
from ddbench.pipeline.jobs import jobs_of
from ddbench.recipe.recipe import load_recipe, shipped_recipes

TEXT = (Path(__file__).resolve().parents[2] / "README.md").read_text()
PAGES = sorted((Path(__file__).resolve().parents[2] / "docs").glob("*.md"))
EVERY = "\n".join([TEXT, *(page.read_text() for page in PAGES)])
COMMANDS = re.findall(
    r"^ddbench [^#\n]+", "\n".join(re.findall(r"```\w*\n(.*?)```", EVERY, flags=re.DOTALL)), flags=re.MULTILINE
)
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


@pytest.mark.parametrize("name", sorted(set(re.findall(r"ddbench (?:plan|run|continual) +([a-z0-9/-]+)", EVERY))))
def test_every_recipe_it_names_exists(name):
    assert name in shipped_recipes()


def test_the_sweep_makes_what_it_says(tmp_path):
    (example,) = [block for block in re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL) if "sweep:" in block]
    recipe = tmp_path / "sweep.yaml"
    recipe.write_text("dataset: digits\nnetwork: convnet-d1-w4\nipc: 1\n" + example)
    labels = [job.label for job in jobs_of(load_recipe(str(recipe)), "convnet-d1-w4", tmp_path)]
    assert sorted(labels) == sorted(
        ["random", "mtt", "mtt-tesla-gradient", "ast", "ast-tesla-gradient", "ast-final-match", "ast-sgd-experts"]
    )
    for label in labels[2:3] + labels[4:]:
        assert label in example, label


def test_it_counts_the_recipes():
    (count,) = re.findall(r"lists the (\d+) that come along", TEXT)
    assert int(count) == len(shipped_recipes())


def test_every_command_it_names_exists(capsys):
    for name in sorted({*re.findall(r"`ddbench ([a-z]+)", EVERY), *(line.split()[1] for line in COMMANDS)}):
        assert main([name, "--help"]) == 0, name
    assert "Usage: ddbench" in capsys.readouterr().out


def test_every_option_it_names_exists(capsys):
    """Of commands that stand on a line of their own, with what follows them."""
    assert len(COMMANDS) > 20
    for line in COMMANDS:
        words = line.split()[1:]
        command = words[: 2 if words[0] == "nas" else 1]
        assert main([*command, "--help"]) == 0, line
        page = capsys.readouterr().out
        for option in re.findall(r"(?<!\S)--[a-z-]+", line):
            assert f"{option} " in page or f"{option}\n" in page, (line, option)


def test_protocols_pools_and_formats_it_names_exist():
    from ddbench.evaluate.graphs.protocols import GRAPH_PROTOCOLS
    from ddbench.evaluate.protocols.builtin import PROTOCOLS
    from ddbench.evaluate.protocols.network_pools import POOLS
    from ddbench.formats.reader import READERS

    docs = Path(__file__).resolve().parents[2] / "docs"
    assert set(re.findall(r"`([a-z0-9-]+-v1)`", EVERY)) <= {*PROTOCOLS, *GRAPH_PROTOCOLS}
    assert all(f"`{name}`" in (docs / "evaluation.md").read_text() for name in PROTOCOLS)
    assert all(f"`{name}`" in (docs / "graphs.md").read_text() for name in GRAPH_PROTOCOLS)
    assert set(re.findall(r"`([a-z]+-pool)`", EVERY)) == set(POOLS)
    assert set(re.findall(r"ddbench import .*--format ([a-z0-9-]+)", EVERY)) <= set(READERS.names())


def test_links_between_pages_lead_somewhere():
    for page in [Path(__file__).resolve().parents[2] / "README.md", *PAGES]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def test_the_training_loop_reads_a_set(tmp_path, monkeypatch):
    import ddbench

    (loop,) = [block for block in BLOCKS if "load_synthetic" in block]
    real = ddbench.load_dataset("digits", home=tmp_path)
    syn = ddbench.distill("random", real, "convnet-d1-w4", 1, device="cpu")
    path = tmp_path / "artifacts/runs/.../synthetic.safetensors"
    syn.save(path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(loop, names)
    assert names["images"].shape == (10, 1, 8, 8) and names["labels"].shape == (10,)
