"""What the command line says of itself and of what there is: help, listings, pictures, descriptions, plugins."""

import csv
import io
import json
import subprocess
import sys

import pytest
from helpers.command_line import ENVIRONMENT, RECIPE, changed, command, only, process, written
from PIL import Image

from ddbench.commands import app, main
from ddbench.synthetic.synthetic_set import load_synthetic

COMMANDS = [command.name for command in app.registered_commands]
LISTINGS = ("methods", "datasets", "networks", "protocols", "recipes")

DIRECT = '''
from ddbench.distillation.method import DirectMethod
from ddbench.methods import METHODS
from ddbench.methods.parts.initialization import class_major_labels

@METHODS.register("brightest")
class Brightest(DirectMethod):
    """The brightest real images of each class."""

    def distill(self, task, ipc, at):
        real = task.real
        rows = []
        for label in range(real.classes):
            of_class = real.train.rows_of_class(label)
            light = real.train.images[of_class].float().sum((1, 2, 3))
            rows += of_class[light.argsort(descending=True)[:ipc]].tolist()
        images = real.inputs(real.train, rows)
        return task.synthetic(images, class_major_labels(real.classes, ipc), ipc=ipc)
'''

OPTIMISED = '''
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_optimizer import SGD
from ddbench.methods import METHODS
from ddbench.data.class_subset import random_rows
from ddbench.methods.parts.initialization import class_major_labels

@METHODS.register("class-means")
class ClassMeans(OptimizedMethod):
    """Images pulled to the mean of their class."""

    image_lr: float = 0.1

    def outer_rates(self):
        return {"images": SGD(lr=self.image_lr)}

    def initialize(self, task, ipc, at):
        labels = class_major_labels(task.real.classes, ipc)
        images = task.real.inputs(task.real.train, random_rows(task.real, ipc, at.stream("pixels")))
        return task.synthetic(images, labels, ipc=ipc)

    def outer_loss(self, syn, task, at):
        real = task.real
        means = [real.inputs(real.train, real.train.rows_of_class(k)).mean(0) for k in range(real.classes)]
        loss = sum((syn.images[i] - means[k]).square().sum() for i, k in enumerate(syn.labels.tolist()))
        return loss, {}
'''

OWN = """\
  brightest:
  means: {method: class-means, iterations: 20, keep_every: 10}
evaluation: {protocol: dc-v1, seeds: 1, selection: last}
"""


class TestLooking:
    def test_show_draws_every_image(self, ddbench, finished_home, tmp_path):
        run = only(finished_home, "runs/*-mtt-*")
        out = tmp_path / "deep" / "x.png"
        assert ddbench.done("show", run / "synthetic.safetensors", "--out", out, "--home", finished_home) == f"{out}\n"
        with Image.open(out) as picture:
            picture.load()
            assert picture.format == "PNG" and picture.width > 4 * picture.height > 400
            low, high = picture.convert("L").getextrema()
            assert low < 60 and high == 255 and len(picture.convert("L").getcolors(9999)) > 30
        with Image.open(run / "synthetic.png") as beside:
            assert beside.size == picture.size

    def test_info_of_each_kind(self, ddbench, finished_home):
        def about(pattern):
            return json.loads(ddbench.done("info", only(finished_home, pattern)))

        buffer = about("buffers/*")
        assert (buffer["kind"], buffer["experts"], buffer["epochs"], buffer["dataset"]) == (
            "expert buffer",
            2,
            3,
            "digits",
        )
        run = about("runs/*-mtt-*")
        assert (run["kind"], run["step"], run["candidates"]) == ("run", 4, [1, 2, 3, 4])
        syn = about("runs/*-mtt-*/synthetic.safetensors")
        assert syn == run["synthetic"] and syn["checksum"] == "verified" and syn["images"] == [10, 1, 8, 8]
        assert syn["student_lr"] > 0 and syn["provenance"]["recipe"]["methods"]["mtt"]["inner_steps"] == 3
        row = about("results/digits/ipc1/mtt-*.json")
        assert row["kind"] == "row" and row["accuracy_mean"] == row["accuracy"][0]
        assert about("buffers/*/expert-0001.safetensors")["kind"] == "expert"

    @pytest.mark.parametrize("name", LISTINGS)
    def test_listings(self, ddbench, name):
        text = ddbench.done(name)
        table = json.loads(ddbench.done(name, "--format", "json"))
        assert len(table) >= 3 and len(text.splitlines()) == len(table) + 1
        assert len(list(csv.DictReader(io.StringIO(ddbench.done(name, "--format", "csv"))))) == len(table)
        assert ddbench.done(name, "--format", "markdown").count("\n") == len(table) + 2
        known = {"methods": "herding", "datasets": "cifar100", "networks": "resnet18-ap", "protocols": "mtt-v1"}
        assert known.get(name, "quickstart") in text

    def test_methods_say_which_kind_they_are(self, ddbench):
        kinds = {row["method"]: row["kind"] for row in json.loads(ddbench.done("methods", "--format", "json"))}
        assert kinds["mtt"] == "optimized" and kinds["random"] == "direct"


class TestPlugins:
    def test_a_direct_and_an_optimized_method_of_ones_own(self, ddbench, registry, tmp_path):
        files = [written(tmp_path, text, name) for text, name in ((DIRECT, "direct.py"), (OPTIMISED, "optimized.py"))]
        plugins = [part for file in files for part in ("--plugin", file)]
        recipe = written(tmp_path, RECIPE.split("  mtt:")[0] + OWN)
        rows = json.loads(ddbench.done("run", recipe, "--home", tmp_path / "new", *plugins, "-q", "--format", "json"))
        assert {row["label"] for row in rows} == {"random", "brightest", "means"}
        assert all(row["accuracy_mean"] > 0.3 for row in rows)
        means = load_synthetic(only(tmp_path / "new", "runs/*-means-*/synthetic.safetensors"))
        assert means.method == "class-means" and means.provenance["step"] == 20
        listed = {row["method"]: row for row in json.loads(ddbench.done("methods", *plugins, "--format", "json"))}
        assert listed["class-means"]["kind"] == "optimized" and listed["brightest"]["what"].startswith("The brightest")

    @pytest.mark.slow
    def test_as_a_process_and_unknown_without_it(self, ddbench, tmp_path):
        plugin = written(tmp_path, DIRECT, "direct.py")
        recipe = changed(tmp_path, "  random:\n", "  brightest:\n")
        assert "there is no method 'brightest'" in ddbench.refused("plan", recipe, "--home", tmp_path / "new")
        assert process("plan", recipe, "--home", tmp_path / "new", "--plugin", plugin).returncode == 0


class TestHelp:
    def test_the_first_page_lists_every_command(self, ddbench):
        page = ddbench.done("--help")
        assert "ddbench run quickstart" in page and ddbench.done() == page == ddbench.done("-h")
        assert all(f"  {name} " in page for name in COMMANDS) and "..." not in page.split("Commands:")[1]
        assert "  nas " in page and len(COMMANDS) == 22

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_explains_itself(self, ddbench, name):
        page = ddbench.done(name, "--help")
        usage, text = page.split("\n\n")[:2]
        assert usage.startswith(f"Usage: ddbench {name}") and len(text.split()) > 4
        options = page.split("Options:")[1]
        for line in options.splitlines():
            if line.startswith("  -"):
                assert len(line.split()) > 2 or "--" in line
        assert "-h, --help" in options

    def test_version(self, ddbench):
        assert ddbench.done("--version").startswith("ddbench 0.")

    @pytest.mark.parametrize(
        "arguments", [["--help"], ["run", "--help"], ["--version"], ["run", "--bogus"], ["recipes"]]
    )
    def test_torch_is_not_imported_for_it(self, arguments):
        code = f"import sys; from ddbench.commands import main; main({arguments}); print('torch' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
        assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_a_closed_pipe_is_no_error():
    code = (
        "import os, sys; from ddbench.commands import main\n"
        "read, write = os.pipe(); os.close(read); os.dup2(write, 1)\n"
        "try: main(['recipes'])\nfinally: os.dup2(2, 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert "Traceback" not in done.stderr, done.stderr


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("ddbench.recipe.recipe.shipped_recipes", broken)
    with pytest.raises(ZeroDivisionError):
        main(["recipes"])


def test_a_recipe_is_printed_as_it_is(ddbench):
    from ddbench.recipe.recipe import shipped_recipes

    assert ddbench.done("recipes", "quickstart").strip() == shipped_recipes()["quickstart"].strip()
    assert "did you mean 'quickstart'?" in ddbench.refused("recipes", "quickstrat")


def test_the_shell_completes_recipes_and_files(tmp_path):
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "more").mkdir()
    (tmp_path / "my.txt").write_text("")
    for typed, offered in (("quickstart-g", ["quickstart-graphs"]), ("m", ["mine.yaml", "more/"])):
        asked = {"_DDBENCH_COMPLETE": "complete_bash", "COMP_WORDS": f"ddbench run {typed}", "COMP_CWORD": "2"}
        process = subprocess.run(command(), env={**ENVIRONMENT, **asked}, cwd=tmp_path, capture_output=True, text=True)
        lines = [line for line in process.stdout.splitlines() if line.startswith(("quick", "mine", "mo", "my"))]
        assert lines == offered, process.stderr
