"""The Python API as a PyTorch user meets it: types, verbs, listings, recipes, tables, datasets, notebooks."""

import base64
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas
import pytest
import torch
from torch.utils.data import DataLoader

import ddbench
from ddbench.api.run import as_options
from ddbench.commands import main
from ddbench.distillation.method import DirectMethod, OptimizedMethod
from ddbench.distillation.outer_optimizer import SGD
from ddbench.methods import METHODS
from ddbench.runtime.progress import Bar, Silent, choose_progress
from ddbench.testing.tiny_task import tiny_real

NETWORK = "convnet-d1-w4"


@pytest.fixture(scope="module")
def syn():
    return ddbench.distill("random", tiny_real(), NETWORK, 2, device="cpu")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    return ddbench.load_dataset("motifs", home=tmp_path_factory.mktemp("home"))


class TestNames:
    def test_every_name_is_there(self):
        for name in ddbench.__all__:
            assert getattr(ddbench, name) is not None and name in dir(ddbench)

    def test_importing_and_listing_by_name_imports_no_torch(self):
        code = (
            "import sys, ddbench\n"
            "ddbench.UserError, ddbench.methods, ddbench.testing, dir(ddbench)\n"
            "ddbench.list_datasets(), ddbench.list_recipes(), ddbench.list_methods(), ddbench.list_networks()\n"
            "assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_types_are_those_that_functions_return(self, syn, graphs):
        assert isinstance(syn, ddbench.SyntheticSet) and isinstance(tiny_real(), ddbench.RealSet)
        assert isinstance(graphs, ddbench.GraphSet)

    def test_every_registered_class_is_in_methods(self):
        for name in METHODS.names():
            kind = METHODS.get(name)
            if kind.__module__.startswith("ddbench.methods."):
                assert getattr(ddbench.methods, kind.__name__) is kind
                assert METHODS.name_of(kind) == name and kind.__name__ in ddbench.methods.__all__
        with pytest.raises(AttributeError, match="no attribute 'MTTT'"):
            _ = ddbench.methods.MTTT


class TestMethodAsValue:
    def test_is_the_same_as_by_name(self, tmp_path):
        real = tiny_real()
        recipe = {"count": 1, "batch": 8, "lr": 0.05, "augmentation": "none"}
        experts = ddbench.train_experts(real, NETWORK, tmp_path, epochs=3, device="cpu", **recipe)
        settings = {"iterations": 2, "inner_steps": 2, "max_start_epoch": 1, "image_lr": 10.0}
        by_value = ddbench.distill(ddbench.methods.MTT(**settings), real, NETWORK, 2, experts=experts, device="cpu")
        by_name = ddbench.distill("mtt", real, NETWORK, 2, experts=experts, device="cpu", **settings)
        assert torch.equal(by_value.images, by_name.images) and torch.equal(by_value.labels, by_name.labels)
        assert by_value.method == by_name.method == "mtt"

    def test_settings_beside_it_are_refused(self):
        with pytest.raises(ddbench.UserError, match="settings beside a method that has its own") as error:
            ddbench.distill(ddbench.methods.RandomImages(), tiny_real(), NETWORK, 1, inner_steps=3)
        assert error.value.fix == "put them into the method:  RandomImages(inner_steps=...)"

    def test_a_class_is_refused(self):
        with pytest.raises(ddbench.UserError, match="Herding is a class"):
            ddbench.distill(ddbench.methods.Herding, tiny_real(), NETWORK, 1)

    def test_of_the_other_kind_of_data_is_refused(self, graphs):
        with pytest.raises(ddbench.UserError, match="mirage distills graphs, not images"):
            ddbench.distill(ddbench.methods.Mirage(), tiny_real(), NETWORK, 1)
        with pytest.raises(ddbench.UserError, match="random distills images, not graphs"):
            ddbench.distill(ddbench.methods.RandomImages(), graphs, ipc=1)

    def test_an_unregistered_one_goes_by_its_class(self):
        class FirstRows(DirectMethod):
            def distill(self, task, ipc, at):
                labels = torch.arange(task.real.classes).repeat_interleave(ipc)
                return task.synthetic(torch.zeros(len(labels), 1, 8, 8), labels, ipc=ipc)

        assert ddbench.distill(FirstRows(), tiny_real(), NETWORK, 1).method == "firstrows"


class TestSameVerbsForGraphs:
    def test_the_whole_way(self, graphs, tmp_path):
        syn = ddbench.distill("mirage", graphs, ipc=2, hops=1)
        assert isinstance(syn, ddbench.SyntheticGraphs)
        by_value = ddbench.distill(ddbench.methods.Mirage(hops=1), graphs, ipc=2)
        old = ddbench.distill_graphs("mirage", graphs, 2, hops=1)
        for other in (by_value, old):
            assert all(torch.equal(other.tensors()[name], tensor) for name, tensor in syn.tensors().items())
        syn.save(tmp_path / "set.safetensors")
        assert isinstance(ddbench.load_synthetic(tmp_path / "set.safetensors"), ddbench.SyntheticGraphs)

    def test_evaluate_is_evaluate_graphs(self, graphs):
        syn = ddbench.distill("random-graphs", graphs, ipc=1)
        scores = ddbench.evaluate(syn, graphs, seeds=(0,), device="cpu", progress=False)
        assert scores.accuracy == ddbench.evaluate_graphs(syn, graphs, seeds=(0,), device="cpu").accuracy

    def test_what_does_not_apply_is_refused(self, graphs, syn):
        with pytest.raises(ddbench.UserError, match="network does not apply to graphs"):
            ddbench.distill("mirage", graphs, "gin-sum", 2)
        with pytest.raises(ddbench.UserError, match="graphs per class is missing"):
            ddbench.distill("mirage", graphs)
        with pytest.raises(ddbench.UserError, match="ipc is missing"):
            ddbench.distill("random", tiny_real(), NETWORK)
        with pytest.raises(ddbench.UserError, match="images can not be evaluated on real graphs"):
            ddbench.evaluate(syn, graphs)
        few = ddbench.distill("random-graphs", graphs, ipc=1)
        with pytest.raises(ddbench.UserError, match="steps does not apply to graphs"):
            ddbench.evaluate(few, graphs, steps=3)


class TestListings:
    def test_names_can_be_used(self):
        assert {"mtt", "mirage"} <= set(ddbench.list_methods())
        assert ddbench.list_datasets("cifar*") == ["cifar10", "cifar100", "cifar10-jpeg"]
        assert all(name.startswith("resnet") for name in ddbench.list_networks("resnet*"))
        assert ddbench.list_networks("gin-*") == ["gin-sum", "gin-mean"]
        assert "mtt-v1" in ddbench.list_protocols() and ddbench.list_protocols("graphs-*")
        assert "quickstart" in ddbench.list_recipes() and ddbench.list_recipes("quick*") == [
            "quickstart",
            "quickstart-all",
            "quickstart-all-tune",
            "quickstart-graphs",
        ]

    def test_a_pattern_that_matches_nothing_gives_nothing(self):
        assert ddbench.list_methods("no-such-*") == []


class TestRecipes:
    SMALL = {
        "methods": {"random": {}},
        "ipc": 1,
        "network": NETWORK,
        "evaluation.seeds": 1,
        "evaluation.selection": "last",
        "evaluation.steps": 3,
    }

    def test_run_gives_rows_and_does_nothing_twice(self, tmp_path):
        rows = ddbench.run("quickstart", home=tmp_path, overrides=self.SMALL, device="cpu", progress=False)
        assert [type(row) for row in rows] == [ddbench.Row] and rows[0].method == "random"
        again = ddbench.run("quickstart", home=tmp_path, overrides=self.SMALL, device="cpu", progress=False)
        assert again == rows == ddbench.load_rows(tmp_path / "results")
        assert list(tmp_path.glob("runs/*/synthetic.png"))

    def test_its_home_is_that_of_the_command_line(self, tmp_path, capsys):
        ddbench.run("quickstart", home=tmp_path, overrides=self.SMALL, device="cpu", progress=False)
        rows = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*.json")}
        options = [part for option in as_options(self.SMALL) for part in ("-o", option)]
        assert main(["run", "quickstart", "--home", str(tmp_path), "--device", "cpu", "-q", *options]) == 0
        assert {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*.json")} == rows

    def test_overrides_are_written_as_yaml(self):
        values = {"a": 1e-5, "b": None, "c": True, "d": (1, 2), "e": {"kind": "x", "y": "1"}, "f": "text"}
        lines = as_options(values)
        assert lines == ["a=1.0e-05", "b=null", "c=true", "d=[1, 2]", "e={kind: x, y: '1'}", "f=text"]
        with pytest.raises(ddbench.UserError, match="the override 'x' is no plain value"):
            as_options({"x": object()})

    def test_a_wrong_key_is_refused(self, tmp_path):
        with pytest.raises(ddbench.UserError, match="there is no recipe key 'ipcs'"):
            ddbench.run("quickstart", home=tmp_path, overrides={"ipcs": 1}, device="cpu")

    def test_a_reporter_of_ones_own_hears_every_stage(self, tmp_path):
        class Titles(Silent):
            titles: list[str] = []

            def start(self, total, what, done=0):
                self.titles.append(what)

        meter = Titles()
        ddbench.run("quickstart", home=tmp_path, overrides=self.SMALL, device="cpu", progress=meter)
        assert any(title.startswith("evaluate") for title in meter.titles)


class TestResults:
    def test_leaderboard_is_a_dataframe(self):
        rows = ddbench.load_rows("results")
        table = ddbench.leaderboard(rows)
        assert isinstance(table, pandas.DataFrame) and len(table) == len(rows)
        assert {"method", "dataset", "ipc", "accuracy_mean", "accuracy_std"} <= set(table.columns)
        assert table["accuracy_mean"].between(0, 1).all()

    def test_paths_may_be_several(self):
        some = sorted(str(path) for path in Path("results").rglob("*.json"))[:2]
        assert len(ddbench.load_rows(some)) == 2
        with pytest.raises(ddbench.UserError, match="there is no folder of results"):
            ddbench.load_rows("no-such-folder")


class TestDatasetOfRealData:
    def test_images_are_in_the_space_that_networks_see(self):
        real = tiny_real()
        dataset = real.train.to_dataset()
        assert len(dataset) == len(real.train)
        image, label = dataset[3]
        assert torch.equal(image, real.inputs(real.train)[3]) and label == real.train.labels[3]
        assert image.dtype == torch.float32 and label.dtype == torch.int64

    def test_images_without_preprocessing_are_in_the_unit_interval(self):
        real = tiny_real()
        image, _ = real.test.to_dataset(preprocessed=False)[0]
        assert torch.equal(image, real.test.images[0].float() / 255)

    @pytest.mark.parametrize("workers", [0, 1])
    def test_a_loader_reads_it_in_batches(self, workers):
        real = tiny_real()
        loader = DataLoader(real.train.to_dataset(), batch_size=8, num_workers=workers)
        images, labels = (torch.cat(parts) for parts in zip(*loader, strict=True))
        assert torch.allclose(images, real.inputs(real.train)) and torch.equal(labels, real.train.labels)

    def test_splits_keep_their_preprocessing(self):
        real = tiny_real()
        other = replace(real, test=replace(real.test, preprocessing=None))
        assert other.test.preprocessing is real.preprocessing and real.train.to("cpu").preprocessing is not None


class TestPlugins:
    @pytest.fixture
    def registry(self):
        before = dict(METHODS._targets), dict(METHODS._loaded)
        yield
        METHODS._targets, METHODS._loaded = before

    def test_register_method_is_a_decorator(self, registry):
        @ddbench.register_method("first-of-class")
        class FirstOfClass(Method):
            """The first images of each class."""

        assert METHODS.get("first-of-class") is FirstOfClass and "first-of-class" in ddbench.list_methods()
        ddbench.testing.check_method(FirstOfClass)

    def test_check_method_accepts_what_comes_with_ddbench(self):
        ddbench.testing.check_method(
            ddbench.methods.MTT, inner_steps=2, max_start_epoch=4, image_lr=10.0, student_lr=0.05
        )
        ddbench.testing.check_method(ddbench.methods.RandomImages())
        ddbench.testing.check_method(ddbench.methods.Mirage, hops=1)

    def test_check_method_says_what_is_wrong(self):
        class Unseeded(Method):
            def rows(self, task, ipc, at):
                return torch.cat([torch.randperm(20)[:ipc] for _ in range(task.real.classes)])

        class Unchecked(Method):
            def distill(self, task, ipc, at):
                labels = torch.arange(task.real.classes).repeat_interleave(ipc)
                images = torch.randn(len(labels), 1, 8, 8, generator=at.stream("images"))
                return task.synthetic(images, labels, ipc=ipc)

        class Unsorted(Method):
            def distill(self, task, ipc, at):
                made = super().distill(task, ipc, at)
                return replace(made, labels=made.labels.flip(0))

        class Detached(OptimizedMethod):
            def initialize(self, task, ipc, at):
                return Method().distill(task, ipc, at)

            def outer_rates(self):
                return {"images": SGD(lr=1.0)}

            def outer_loss(self, syn, task, at):
                return (syn.images * 0 + torch.rand((), generator=at.stream("loss"))).mean(), {}

        for method, says in (
            (Unseeded, "two calls with one seed"),
            (Unchecked, "ipc of 999 where classes have 20 images is not refused"),
            (Unsorted, "not class by class"),
            (Detached, "does not reach images"),
        ):
            with pytest.raises(AssertionError, match=says):
                ddbench.testing.check_method(method)

    def test_check_method_refuses_half_a_method(self):
        class Half(OptimizedMethod):
            pass

        with pytest.raises(ddbench.UserError, match="Half lacks initialize"):
            ddbench.testing.check_method(Half)


class Method(DirectMethod):
    """The first images of each class."""

    def rows(self, task, ipc, at):
        return torch.arange(ipc).repeat(task.real.classes)

    def distill(self, task, ipc, at):
        task.real.require_ipc(ipc)
        train, labels = task.real.train, torch.arange(task.real.classes).repeat_interleave(ipc)
        rows = [
            train.rows_of_class(label)[row % 10] for label, row in zip(labels, self.rows(task, ipc, at), strict=True)
        ]
        return task.synthetic(task.real.inputs(train, torch.stack(rows)), labels, ipc=ipc)


class TestNotebooks:
    def test_html_holds_a_picture_and_facts(self, syn):
        html = replace(syn, method="a <b>")._repr_html_()
        assert "a &lt;b&gt;" in html and "images per class" in html and "<b>" not in html
        (form, data) = re.search(r'src="data:image/(\w+);base64,([^"]+)"', html).groups()
        assert form == "png" and base64.b64decode(data).startswith(b"\x89PNG")

    def test_html_of_a_whitened_set_needs_no_whitening(self, syn, tmp_path, monkeypatch):
        monkeypatch.setenv("DDBENCH_HOME", str(tmp_path))
        whitened = {"kind": "zca", "fingerprint": "0" * 16, "eps": 0.1, "fitted_on": "x"}
        other = replace(syn, preprocessing=whitened)
        assert "zca (not undone in the picture)" in other._repr_html_()
        with pytest.raises(ddbench.UserError, match="is not in the cache"):
            other.show()

    def test_show_gives_a_figure(self, syn, tmp_path):
        figure = syn.show()
        figure.savefig(tmp_path / "set.png")
        assert (tmp_path / "set.png").read_bytes().startswith(b"\x89PNG")

    def test_reprs_are_short(self, syn, graphs):
        few = ddbench.distill("random-graphs", graphs, ipc=1)
        for value in (syn, tiny_real(), tiny_real().train, graphs, few):
            assert repr(value).startswith(type(value).__name__) and len(repr(value)) < 160
            assert "tensor(" not in repr(value)
        assert repr(syn) == "SyntheticSet('random' on 'tiny', ipc 2, 6 images 1x8x8, hard labels)"


class TestProgress:
    def test_true_false_and_none(self, monkeypatch):
        assert isinstance(choose_progress(True), Bar) and isinstance(choose_progress(False), Silent)
        monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
        assert isinstance(choose_progress(None), Silent)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert isinstance(choose_progress(None), Bar)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
        monkeypatch.setitem(sys.modules, "ipykernel", sys)
        assert isinstance(choose_progress(None), Bar)

    def test_false_is_silent(self, capfd):
        syn = ddbench.distill("random", tiny_real(), NETWORK, 1, device="cpu", progress=False)
        ddbench.evaluate(syn, tiny_real(), seeds=1, steps=2, device="cpu", progress=False)
        assert capfd.readouterr().err == ""

    def test_true_shows_a_bar(self, capfd):
        syn = ddbench.distill("random", tiny_real(), NETWORK, 1, device="cpu")
        ddbench.evaluate(syn, tiny_real(), seeds=1, steps=2, device="cpu", progress=True)
        assert "evaluate" in capfd.readouterr().err
