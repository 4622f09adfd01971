"""Everything a user can get wrong: one error on stderr that names the place and the fix, status 2, no traceback."""

import errno
import os
import re

import pytest
import torch
from helpers.command_line import changed, one_error, only, process, written

RECIPE_MISTAKES = [
    ("  mtt:\n", "  mmt:\n", 8, "methods.mmt", "there is no method 'mmt'", "did you mean 'mtt'?"),
    ("  random:\n", "  a: {method: randm}\n", 7, "methods.a.method", "no method 'randm'", "did you mean 'random'?"),
    ("  random:\n", "  random: 3\n", 7, "methods.random", "it should be a mapping", "correct"),
    ("  random:\n", "  a/b: {method: random}\n", 7, "methods.a/b", "'a/b' can not be the label", "letters"),
    ("digits\nnetwork", "digts\nnetwork", 2, "dataset", "there is no dataset 'digts'", "did you mean 'digits'?"),
    ("digits\nnetwork", "'folder:'\nnetwork", 2, "dataset", "says nothing after its colon", "folder:PATH"),
    ("digits\nnetwork", "npz:/nowhere/x.npz\nnetwork", 2, "dataset", "/nowhere/x.npz", "check the path"),
    ("convnet-d1-w4", "convnet-d1-w4-bm", 3, "network", "there is no convnet axis 'bm'", "did you mean 'bn'?"),
    ("convnet-d1-w4", "resnet-18", 3, "network", "there is no network 'resnet-18'", "did you mean 'resnet18'?"),
    ("convnet-d1-w4", "lenet", 3, "network", "does not take 8-pixel images", "convnet-d<depth>"),
    ("dc-v1", "dc-v2", 17, "evaluation.protocol", "there is no protocol 'dc-v2'", "did you mean 'dc-v1'?"),
    ("seeds: 1", "seeds: 1\n  networks: [convnt-d1]", 19, "evaluation.networks.0", "'convnt-d1'", "'convnet-d1'?"),
    ("seeds: 1", "seeds: 1\n  networks: [mlp, lenet]", 19, "evaluation.networks.1", "8-pixel", "convnet-d<depth>"),
    ("selection: last", "selection: best", 19, "evaluation.selection", "can not be 'best'", "'last'?"),
    ("selection: last", "selection: validation\nvalidation: 0", 20, "validation", "no validation images", "0.1"),
    ("ipc: 1\n", "ipc: 1\nipcs: 3\n", 5, "ipcs", "there is no recipe key 'ipcs'", "did you mean 'ipc'?"),
    ("ipc: 1\n", "ipc: 1\nipc: 3\n", 5, "ipc", "gives the key 'ipc' twice", "delete one"),
    ("ipc: 1\n", "ipc: [1, 1]\n", 4, "ipc", "each once", "correct"),
    ("ipc: 1\n", "ipc: []\n", 4, "ipc", "one value or more", "correct"),
    ("ipc: 1\n", "ipc: 500\n", 4, "ipc", "ipc 500 is larger than a class", "at most 12"),
    ("ipc: 1\n", "", None, "ipc", "the key 'ipc' is missing", "add it"),
    ("image_lr: 10", "imagelr: 10", 13, "methods.mtt.imagelr", "no recipe key 'imagelr'", "did you mean 'image_lr'?"),
    ("image_lr: 10", "image_lr: much", 13, "methods.mtt.image_lr", "a number", "correct"),
    ("image_lr: 10", "image_lr: 0", 13, "methods.mtt.image_lr", "greater than 0", "correct"),
    ("    image_lr: 10\n", "", 8, "methods.mtt.image_lr", "the key 'image_lr' is missing", "add it"),
    ("image_lr: 10", "image_lr: 10\n    min_start_epoch: 3", 8, "methods.mtt", "below max_start_epoch", "correct"),
    ("image_lr: 10", "image_lr: 10\n    unroll: telsa", 14, "unroll.kind", "can not be 'telsa'", "'tesla'?"),
    ("image_lr: 10", "image_lr: 10\n    unroll: truncated", 14, "unroll", "last: 8", "correct"),
    ("image_lr: 10", "image_lr: 10\n    by_ipc: {1: 3}", 14, "methods.mtt.by_ipc", "must map an ipc", "by_ipc: {10:"),
    ("image_lr: 10", "image_lr: 10\n    experts: 3", 14, "methods.mtt.experts", "must be settings", "experts: {"),
    ("count: 2", "count: two", 5, "experts.count", "an integer", "correct"),
    ("count: 2", "count: 2, epochs: soon", 5, "experts.epochs", "'auto'", "correct"),
    ("count: 2", "count: 2, epochs: 2", 5, "experts.epochs", "looks at 3 epochs", "experts.epochs: 3"),
    ("lr: 0.02, b", "lr: .inf, b", 5, "experts.lr", "a finite number", "correct"),
    ("lr: 0.02, b", "lr: {a, b", None, "", "is not YAML: line", "mend that line"),
]


@pytest.mark.parametrize(("old", "new", "line", "key", "problem", "fix"), RECIPE_MISTAKES)
def test_a_mistake_in_a_recipe(ddbench, tmp_path, old, new, line, key, problem, fix):
    """File, line, key, what is wrong, and what would be right; nothing was trained, and it stays so."""
    said = ddbench.refused("run", changed(tmp_path, old, new), "--home", tmp_path / "home", "-q")
    assert problem in said and fix in said.split("fix: ")[1], said
    assert re.search(rf"tiny\.yaml, line {line}\b|second line {line}\b", said) if line else "tiny.yaml" in said, said
    assert key in said
    assert not list((tmp_path / "home").rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("netwrok=mlp", "did you mean 'network'?"),
        ("method.unrol=full", "did you mean 'unroll'?"),
        ("methods.mtt.unrol=full", "did you mean 'unroll'?"),
        ("methods.foo.lr=3", "there is no method 'foo'"),
        ("ipc=two", "an integer"),
        ("ipc=0", "greater than or equal to 1"),
        ("ipc=1000", "larger than a class"),
        ("ipc={", "is not YAML"),
        ("ipc", "form key.path=value"),
        ("seed=-1", "greater than or equal to 0"),
        ("validation=1", "less than 1"),
        ("size=5000", "less than or equal to 4096"),
        ("dataset.name=digits", "has no keys of its own"),
        ("a.b.c=1", "there is no recipe key 'a'"),
        ("experts.dtype=float16", "did you mean 'bfloat16'?"),
        ("methods={}", "at least one method"),
    ],
)
def test_a_mistake_in_an_override_names_the_override(ddbench, recipe, tmp_path, override, problem):
    said = ddbench.refused("run", recipe, "--home", tmp_path / "home", "-o", override)
    assert problem in said and (f"-o {override}" in said or f"not {override!r}" in said), said


class TestCommandLine:
    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["run"], "missing argument 'RECIPE'"),
            (["run", "quickstart", "--bogus"], "no such option: --bogus"),
            (["rnu", "quickstart"], "no such command 'rnu'"),
            (["run", "quickstart", "again"], "again"),
            (["run", "quickstart", "--seed", "x"], "--seed"),
            (["run", "quickstart", "--seed", "-1"], "--seed"),
            (["run", "quickstart", "--format", "xml"], "'text', 'markdown', 'csv', 'json'"),
            (["plan", "quickstart", "--format", "csv"], "'text', 'markdown', 'json'"),
            (["evaluate", "quickstart", "--seeds", "0"], "--seeds"),
            (["export", "here", "there", "--per-file", "0"], "--per-file"),
            (["import", "x.pt"], "--format"),
        ],
    )
    def test_misuse_points_to_the_help(self, ddbench, arguments, problem):
        said = ddbench.refused(*arguments)
        assert problem in said and "--help" in said

    @pytest.mark.parametrize("device", ["nonsense", "mps", "cuda:99"])
    def test_a_device_that_is_not_there(self, ddbench, recipe, tmp_path, device):
        said = ddbench.refused("run", recipe, "--home", tmp_path / "home", "--device", device)
        assert device in said and "--device" in said.split("fix: ")[1]

    @pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA, so asking for it is right")
    def test_cuda_where_there_is_none(self, ddbench, recipe, tmp_path):
        said = ddbench.refused("run", recipe, "--home", tmp_path / "home", "--device", "cuda")
        assert "0 CUDA devices" in said and "--device cpu" in said

    def test_options_that_do_not_go_with_a_set(self, ddbench, finished_home):
        syn = only(finished_home, "runs/*-mtt-*/synthetic.safetensors")
        assert "is a synthetic set" in ddbench.refused("evaluate", syn, "--home", finished_home, "-o", "seed=3")

    @pytest.mark.parametrize("command", ["show", "info", "verify", "evaluate"])
    def test_a_file_that_is_not_there_or_something_else(self, ddbench, recipe, tmp_path, command):
        home = ("--home", tmp_path / "home") if command != "info" else ()
        said = ddbench.refused(command, tmp_path / "nowhere.safetensors", *home)
        assert "nowhere.safetensors" in said
        other = written(tmp_path, "hello", "notes.txt")
        said = ddbench.refused(command, other, *home)
        assert "notes.txt" in said and "delete" not in said
        assert other.read_text() == "hello"

    def test_a_home_that_can_not_be_one(self, ddbench, recipe, tmp_path):
        said = ddbench.refused("run", recipe, "--home", written(tmp_path, "", "file"), "-q")
        assert "can not be used" in said and "--home" in said

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_home_that_can_not_be_written(self, ddbench, recipe, tmp_path):
        (tmp_path / "home").mkdir(mode=0o500)
        assert "permission denied" in ddbench.refused("run", recipe, "--home", tmp_path / "home", "-q")


class TestRecipeFile:
    def test_unknown_missing_or_a_folder(self, ddbench, tmp_path):
        assert "did you mean 'quickstart'?" in ddbench.refused("run", "quikstart")
        assert "check the path" in ddbench.refused("run", tmp_path / "nowhere.yaml")
        assert "is a folder, not a recipe" in ddbench.refused("run", tmp_path)
        (tmp_path / "folder.yaml").mkdir()
        assert "is a folder, not a recipe" in ddbench.refused("run", tmp_path / "folder.yaml")

    @pytest.mark.parametrize(
        "content", [bytes(range(256)), b"a: \x00b", b"", b"\xff\xfe", b"- a\n", b"%PDF-1.7\n%\x80"]
    )
    def test_something_else(self, ddbench, tmp_path, content):
        (tmp_path / "x.yaml").write_bytes(content)
        assert "x.yaml" in ddbench.refused("run", tmp_path / "x.yaml")


class TestPlugin:
    def test_absent_or_no_python(self, ddbench, recipe, tmp_path):
        assert "there is no plugin" in ddbench.refused("run", recipe, "--plugin", tmp_path / "x.py")
        assert "is not a Python file" in ddbench.refused("run", recipe, "--plugin", written(tmp_path, "", "x.txt"))

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            ("@METHODS.register('mtt')\nclass Mine(DirectMethod): ...\n", "two methods are named 'mtt'"),
            ("METHODS.register('mine')(print)\n", "is not a method"),
            ("@METHODS.register('mine')\nclass Mine: ...\n", "inherits from ddbench.method.DirectMethod"),
            ("@METHODS.register('mine')\nclass Mine(DirectMethod): ...\n", "lacks distill"),
            (
                "@METHODS.register('mine')\nclass Mine(OptimizedMethod):\n  def initialize(s, *a): ...\n",
                "lacks outer_loss",
            ),
            ("@METHODS.register('mine')\nclass Mine(DirectMethod):\n  def refuse(s, ipc): ...\n", "validate_ipc()"),
        ],
    )
    def test_not_a_whole_method(self, ddbench, registry, tmp_path, body, problem):
        head = "from ddbench.method import DirectMethod, OptimizedMethod\nfrom ddbench.methods import METHODS\n"
        plugin = written(tmp_path, head + body, "plugin.py")
        recipe = changed(tmp_path, "  random:\n", "  mine:\n")
        assert problem in ddbench.refused("plan", recipe, "--home", tmp_path / "home", "--plugin", plugin)


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, "the disk is full: events.jsonl"),
        (errno.EDQUOT, "the disk is full: events.jsonl"),
        (errno.EACCES, "events.jsonl can not be used: permission denied"),
        (errno.EROFS, "events.jsonl can not be used: read-only file system"),
    ],
)
def test_what_the_file_system_refuses_anywhere(ddbench, monkeypatch, number, problem):
    def refused():
        raise OSError(number, os.strerror(number), "events.jsonl")

    monkeypatch.setattr("ddbench.recipe.recipe.shipped_recipes", refused)
    said = ddbench.refused("recipes")
    assert problem in said and "--home" in said


@pytest.mark.slow
def test_as_a_process_it_is_the_same(tmp_path):
    done = process("run", changed(tmp_path, "  mtt:\n", "  mmt:\n"), "--home", tmp_path / "home")
    assert done.returncode == 2 and done.stdout == ""
    assert "did you mean 'mtt'?" in one_error(done.stderr)
