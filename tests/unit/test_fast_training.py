"""Compiled training: the same experts and scores up to rounding, only where it pays, and said where it can not be."""

import dataclasses

import pytest
import torch
from helpers.computing import computing
from helpers.evaluation_makers import make_tiny_row, short, tiny_synthetic
from helpers.evaluation_makers import tiny_real as real_to_score
from helpers.expert_data import EVERY_KIND, NETWORK, Watching, tiny_real, tiny_recipe, train
from torch import nn

from ddbench.errors import UserError
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory_check import MOST_STACKED, stack_size
from ddbench.estimates.training_time import training_seconds
from ddbench.evaluate.leaderboard.make_row import make_row
from ddbench.evaluate.leaderboard.row import load_row
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import real_job
from ddbench.evaluate.verify import verify
from ddbench.networks import build_network
from ddbench.runtime.compile import compiled
from ddbench.runtime.device import choose_device
from ddbench.runtime.executors import Local
from ddbench.training.forward_pass import ForwardPass
from ddbench.training.model_stack import SingleModel, StackedModels

CPU = torch.device("cpu")


class Captured:
    """What was compiled: graphs of operations, and how many passes wanted to be."""

    def __init__(self):
        self.graphs, self.passes = [], 0

    def backend(self, graph, inputs):
        self.graphs.append(graph)
        return graph.forward

    def compiled(self, function, device="cpu", backend="inductor"):
        return compiled(function, device, self.backend)  # pyright: ignore[reportArgumentType]

    def forward_pass(self, name, shape, device, **options):
        self.passes += options["compile"]
        return ForwardPass(build_network(name, shape, seed=0), **options)


@pytest.fixture
def captured(monkeypatch):
    """torch.compile without the writing of code, which takes seconds."""
    torch._dynamo.reset()
    found = Captured()
    monkeypatch.setattr("ddbench.runtime.compile.compiled", found.compiled)
    monkeypatch.setattr("ddbench.expert_buffers.trainer.forward_pass", found.forward_pass)
    monkeypatch.setattr("ddbench.evaluate.training.train_and_test.forward_pass", found.forward_pass)
    return found


@EVERY_KIND
@pytest.mark.parametrize("network", [NETWORK, "convnet-d1-w4-bn"])
def test_experts_are_those_of_the_plain_pass(tmp_path, captured, kind, network):
    recipe = tiny_recipe(optimizer=kind, momentum=0.5)
    plain = train(tmp_path / "plain", recipe, network=network)
    assert not captured.graphs
    fast = train(tmp_path / "fast", recipe, network=network, compile="on")
    assert captured.graphs
    for expert in range(2):
        for epoch in range(4):
            torch.testing.assert_close(fast[expert, epoch], plain[expert, epoch], rtol=1e-3, atol=1e-5)
        assert not torch.equal(plain[expert, 3], plain[expert, 0])
    assert fast.fingerprint == train(tmp_path / "fast", recipe, network=network).fingerprint, "one serves as the other"


@pytest.mark.parametrize(("first", "second"), [("on", "off"), ("off", "on")])
def test_a_compiled_run_goes_on_from_a_plain_one_and_back(tmp_path, captured, first, second):
    recipe = tiny_recipe(count=1, momentum=0.9)
    whole = train(tmp_path / "whole", recipe, epochs=4)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", recipe, epochs=4, compile=first, progress=Watching(stop_at=2))
    parts, watching = None, Watching()
    parts = train(tmp_path / "parts", recipe, epochs=4, compile=second, progress=watching)
    assert watching.steps[0] == 2 and captured.graphs
    torch.testing.assert_close(parts[0, 4], whole[0, 4], rtol=1e-3, atol=1e-5)


def test_all_networks_of_a_kind_share_what_was_compiled(captured):
    networks = [build_network("convnet-d1-w4-bn", channels=1, size=8, classes=3, seed=seed) for seed in range(3)]
    forward = ForwardPass(networks[0], compile=True)
    for network in networks:
        SingleModel(network, forward).logits(torch.randn(4, 1, 8, 8)).sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())
    assert len(captured.graphs) == 1
    SingleModel(networks[0], forward).logits(torch.randn(3, 1, 8, 8))
    assert len(captured.graphs) == 2, "another shape"


def test_scores_compiled_are_scores_and_said_in_the_row(tmp_path, captured):
    real = real_to_score()
    syn = tiny_synthetic(real)
    plain = score(syn, real, protocol=short(), seeds=(0, 1))
    fast = score(syn, real, protocol=short(), seeds=(0, 1), compute=computing(compile="on"))
    assert captured.graphs
    assert (plain.compiled, fast.compiled) == (False, True)
    assert fast.accuracy == pytest.approx(plain.accuracy, abs=0.07)
    rows = [make_row(syn, real, one, selection="last", device="cpu") for one in (plain, fast)]
    assert [row.compiled for row in rows] == [False, True]
    assert rows[0].question == rows[1].question and rows[0].conditions == rows[1].conditions
    assert load_row(rows[1].save(tmp_path)).compiled


def test_a_row_is_verified_in_the_way_it_was_made(captured):
    real = real_to_score()
    syn = tiny_synthetic(real)
    for choice in ("off", "on"):
        scores = score(syn, real, protocol="dc-v1", seeds=(0,), steps=3, compute=computing(compile=choice))
        row = make_row(syn, real, scores, selection="last", device="cpu")
        before = captured.passes
        found = verify(row, syn, real)
        assert found.exact and found.identical and found.passed
        assert (captured.passes > before) == (choice == "on")


def test_an_older_row_was_not_compiled(tmp_path):
    path = make_tiny_row().save(tmp_path)
    text = path.read_text()
    assert '"compiled": false' in text
    lines = [line for line in text.splitlines() if '"compiled"' not in line]
    path.write_text("\n".join(lines))
    assert load_row(path).compiled is False


class Awkward(nn.Module):
    """Asks for a number in the middle, which no compiler foresees."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, inputs):
        found = self.linear(inputs)
        return found * 2 if found.sum().item() > 0 else found


@pytest.mark.parametrize("notice", [True, False])
@pytest.mark.parametrize("stacked", [False, True])
def test_what_does_not_compile_runs_as_it_is(capsys, notice, stacked):
    network, inputs = (nn.Linear(4, 2), torch.randn(3, 4)) if stacked else (Awkward(), torch.randn(3, 4))
    if stacked:
        network.register_forward_pre_hook(lambda *_: print(end="") or torch._dynamo.graph_break())
    forward = ForwardPass(network, stacked=stacked, compile=True, notice=notice)
    for _ in range(2):
        if stacked:
            found = StackedModels([nn.Linear(4, 2), nn.Linear(4, 2)], forward).logits(inputs.expand(2, 3, 4))
            assert found.shape == (2, 3, 2)
        else:
            torch.testing.assert_close(SingleModel(network, forward).logits(inputs), network(inputs))
    assert capsys.readouterr().err.count("does not compile") == notice


def test_auto_compiles_long_trainings_alone(monkeypatch):
    monkeypatch.setattr("ddbench.runtime.compile.missing_requirement", lambda device: None)
    real = real_to_score()
    given = {"protocol": short(epochs=3), "network": NETWORK}
    assert not real_job(real, **given, compute=computing(compile="auto"), networks=5).config.compiled
    assert real_job(
        real, **{**given, "protocol": short(epochs=10**9)}, compute=computing(compile="auto"), networks=5
    ).config.compiled
    assert not real_job(real, **{**given, "protocol": short(epochs=10**9)}, networks=5).config.compiled


def test_costs_grow_with_what_is_trained():
    assert training_seconds(1000, 5000, 10, CPU) == pytest.approx(2 * training_seconds(1000, 2500, 10, CPU))
    cuda = torch.device("cuda")
    assert training_seconds(1, 1000, 10, cuda) == pytest.approx(0.1)
    assert training_seconds(10**8, 1000, 10, cuda) > training_seconds(10**7, 1000, 10, cuda)
    assert [stack_size(stacked, 7, CPU, Estimate({"all": 1})) for stacked in (None, 3, 9)] == [1, 3, 7]
    with pytest.raises(ValueError, match="at least 1 network"):
        stack_size(0, 7, CPU, Estimate({"all": 1}))


def test_on_cuda_as_many_are_trained_at_once_as_fit(monkeypatch):
    monkeypatch.setattr("ddbench.estimates.memory_check.free_bytes", lambda device: 1000)
    cuda = torch.device("cuda")
    cases = [(100, 100, 5), (100, 1, MOST_STACKED), (3, 1, 3), (3, 10**6, 1)]
    for count, each, expected in cases:
        assert stack_size(None, count, cuda, Estimate({"all": each})) == expected


@pytest.mark.slow
def test_compiled_for_real_experts_and_scores_are_the_same(tmp_path):
    real, recipe = tiny_real(), tiny_recipe(momentum=0.9, batch=10)
    given = {"real": real, "network": "convnet-d1-w4-bn"}
    plain = train(tmp_path / "plain", recipe, **given)
    fast = train(tmp_path / "fast", recipe, compile="on", **given)
    both = train(tmp_path / "both", recipe, compile="on", together=2, **given)
    for expert in range(2):
        torch.testing.assert_close(fast[expert, 3], plain[expert, 3], rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(both[expert, 3], plain[expert, 3], rtol=1e-3, atol=1e-5)
    real = real_to_score()
    given = {"protocol": short(), "seeds": (0, 1)}
    plain = score(tiny_synthetic(real), real, **given)
    fast = score(tiny_synthetic(real), real, compute=computing(compile="on"), **given)
    with Local(2) as workers:
        spread = score(tiny_synthetic(real), real, compute=computing(compile="on", executor=workers), **given)
    assert fast.accuracy == pytest.approx(plain.accuracy, abs=0.07)
    assert spread.accuracy == fast.accuracy
    assert dataclasses.replace(fast, seconds=0, peak_bytes=0) == dataclasses.replace(spread, seconds=0, peak_bytes=0)


class TestTheDeviceOfAuto:
    @pytest.mark.parametrize(("variable", "device"), [("", "cpu"), ("auto", "cpu"), ("cpu", "cpu")])
    def test_is_the_one_that_a_variable_names(self, monkeypatch, variable, device):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setenv("DDBENCH_DEVICE", variable)
        assert choose_device("auto").type == device

    def test_a_named_device_wins_over_the_variable(self, monkeypatch):
        monkeypatch.setenv("DDBENCH_DEVICE", "nothing at all")
        assert choose_device("cpu").type == "cpu"

    def test_an_error_names_what_is_to_be_changed(self, monkeypatch):
        monkeypatch.setenv("DDBENCH_DEVICE", "gpu")
        with pytest.raises(UserError, match="there is no device 'gpu'") as caught:
            choose_device("auto")
        assert caught.value.fix == "DDBENCH_DEVICE=auto"
        with pytest.raises(UserError, match="there is no device 'gpu'") as caught:
            choose_device("gpu")
        assert caught.value.fix == "--device auto"


class TestAGpu:
    @pytest.fixture(autouse=True)
    def two_gpus(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Old GPU")
        self.entered = []
        monkeypatch.setattr(torch.cuda, "set_device", self.entered.append)

    @pytest.mark.parametrize(
        ("capability", "built", "fits"),
        [
            ((9, 0), ["sm_80", "sm_90"], True),
            ((8, 6), ["sm_80", "sm_90"], True),
            ((12, 0), ["sm_90", "sm_90a"], False),
            ((12, 0), ["sm_90", "compute_90"], True),
            ((6, 1), ["sm_75", "sm_80", "compute_120"], False),
            ((9, 4), ["gfx942"], True),
            ((9, 0), [], True),
        ],
    )
    def test_must_be_one_that_torch_was_built_for(self, monkeypatch, capability, built, fits):
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        if fits:
            assert choose_device("cuda").type == "cuda"
            return
        with pytest.raises(UserError, match="this torch has no code for the Old GPU") as caught:
            choose_device("cuda")
        assert caught.value.fix.endswith("--device cpu") and ", ".join(built) in str(caught.value)

    def test_that_is_named_by_number_is_the_one_of_the_process(self, monkeypatch):
        """Without that, pinned memory and new threads open a context on the first GPU, perhaps somebody's."""
        monkeypatch.setattr(torch.cuda, "get_arch_list", list)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
        choose_device("cuda:1")
        choose_device("cuda")
        assert self.entered == [torch.device("cuda:1")]
