"""The documentation: its examples run, its other blocks parse, and every name and path in it exists."""

import ast
import importlib
import importlib.util
import json
import re
import shlex
import sys
import tomllib

import pytest
import yaml
from helpers.doc_blocks import ALL_BLOCKS, PAGES, ROOT, DocSession, blocks_of, commands_in, methods_restored

from ddbench.commands import main
from ddbench.recipe.recipe import load_recipe, shipped_recipes

TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
RUNNABLE = sorted({block.page for block in ALL_BLOCKS if block.mark})
PARSED = ("python", "yaml", "json", "toml")
FOLDERS = "ddbench|evaluate|methods|expert_buffers|configs|benchmarks|tests|results|examples|docs|tools"


@pytest.mark.parametrize("page", RUNNABLE)
def test_runnable_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("DDBENCH_HOME", raising=False)
    modules = set(sys.modules)
    session = DocSession()
    with methods_restored():
        for block in blocks_of(ROOT / "docs" / page):
            if block.mark:
                session.run(block)
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


@pytest.mark.parametrize("block", [b for b in ALL_BLOCKS if b.language in PARSED], ids=lambda block: block.name)
def test_block_parses(block, tmp_path):
    if block.language == "python":
        ast.parse(block.text)
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    elif "dataset" in yaml.safe_load(block.text):
        (tmp_path / "recipe.yaml").write_text(block.text, encoding="utf-8")
        assert load_recipe(str(tmp_path / "recipe.yaml")).recipe.methods


def test_marks_are_known():
    assert len(RUNNABLE) >= 5
    for block in ALL_BLOCKS:
        assert block.mark in ("", "runnable") or block.mark.startswith("file: "), block.name
        assert block.mark != "runnable" or block.language in ("python", "console"), block.name


@pytest.mark.parametrize("page", TEXTS)
def test_dotted_names_exist(page):
    for name in sorted(set(re.findall(r"\bddbench(?:\.[A-Za-z_]\w*)+", TEXTS[page]))):
        resolve(name)


def resolve(name):
    """The object of a dotted name: the longest module, then its attributes."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is not None and not module.startswith(error.name):
                raise
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


@pytest.mark.parametrize("page", TEXTS)
def test_paths_exist(page):
    prose = re.sub(r"^```.*?^```$", "", TEXTS[page], flags=re.DOTALL | re.MULTILINE)
    for path in re.findall(rf"`((?:{FOLDERS})/[\w./*-]+)`", prose):
        assert list(ROOT.glob(path.rstrip("/"))) or path in MADE_BY_RUNS, path


MADE_BY_RUNS = ("results/",)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_commands_and_their_options_exist(capsys):
    lines = {line for block in ALL_BLOCKS for line in commands_in(block.text)}
    assert len(lines) > 40
    for line in sorted(lines):
        words = shlex.split(line, comments=True)[1:]
        command = words[: 2 if words[0] == "nas" else 1]
        assert main([*command, "--help"]) == 0, line
        options = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", capsys.readouterr().out))
        assert {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)} <= options, line


def test_recipes_it_names_exist():
    for page, text in TEXTS.items():
        for name in re.findall(r"ddbench (?:plan|run|continual|recipes) +([a-z0-9/-]+)(?![\w./-])", text):
            assert name.startswith("-") or name in shipped_recipes(), (page, name)


def test_hooks_of_the_tutorial_are_those_of_the_contract():
    from ddbench.distillation.base_method import Method
    from ddbench.distillation.job_method import JobMethod
    from ddbench.distillation.method import DirectMethod, OptimizedMethod
    from ddbench.graphs.method import GraphMethod

    text = TEXTS["docs/tutorials/own-method.md"]
    named = set(re.findall(r"^\| `(\w+)(?:\([^)]*\))?` \|", text, flags=re.MULTILINE)) | {"distill"}
    kinds = (OptimizedMethod, DirectMethod, JobMethod, GraphMethod)
    hooks = {
        name
        for kind in kinds
        for base in kind.__mro__
        if base.__module__ in {kind.__module__ for kind in (Method, *kinds)}
        for name, value in vars(base).items()
        if not name.startswith("_") and (callable(value) or name == "EXPERTS") and name not in {"model_post_init"}
    }
    assert named == hooks


def test_generated_pages_are_complete():
    from ddbench.evaluate.graphs.protocols import GRAPH_PROTOCOLS
    from ddbench.evaluate.protocols.builtin import PROTOCOLS
    from ddbench.methods import METHODS
    from ddbench.recipe.recipe import Recipe

    path = ROOT / "docs" / "hooks" / "reference_pages.py"
    spec = importlib.util.spec_from_file_location("reference_pages", path)
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    marks = {mark for text in TEXTS.values() for mark in pages.MARK.findall(text)}
    assert marks == set(pages.GENERATED)
    commands = pages.commands()
    assert all(f"\n## ddbench {name}\n" in commands for name in ("run", "nas rank", "import", "recipes"))
    assert "| `--data-root FOLDER` |" in commands
    assert all(f"| `{key}` |" in pages.recipe_keys() for key in Recipe.model_fields)
    assert all(f"\n## {name}\n" in pages.methods() for name in METHODS.names())
    assert all(f"\n### {name}\n" in pages.protocols() for name in (*PROTOCOLS, *GRAPH_PROTOCOLS))
