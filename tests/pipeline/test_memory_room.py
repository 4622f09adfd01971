"""What does not fit says so before it starts, and what would make it fit does."""

import json
import resource
from dataclasses import replace

import pytest
import torch
from helpers.command_line import RECIPE, copy_of, written
from hypothesis import assume, given
from hypothesis import strategies as st

import ddbench
from ddbench.errors import UserError
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import STACKED
from ddbench.estimates.memory_check import available_bytes, breakdown, format_gb, require
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.expert_buffers.memory_estimate import step_bytes
from ddbench.methods import METHODS
from ddbench.methods.mtt import MTT
from ddbench.networks import ImageShape
from ddbench.plan.memory import expert_need
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.available_memory import cgroup_available, free_bytes

CPU = torch.device("cpu")
SIZES = Sizes(parameters=320_010, activations=559_114, shape=ImageShape(3, 32, 10))
BASE = {"max_start_epoch": 4, "image_lr": 5.0}


def nothing_helps(available):
    return []


def test_what_fits_is_silent_what_nearly_does_not_is_said_and_what_does_not_is_refused(capsys):
    require("the work", 89, CPU, 100, nothing_helps)
    assert capsys.readouterr().err == ""
    require("the work", 95 * 10**9, CPU, 100 * 10**9, nothing_helps)
    assert capsys.readouterr().err == "the work takes 95.0 GB by estimate, 95% of the 100.0 GB free on cpu\n"
    with pytest.raises(UserError, match=r"the work does not fit: it takes 101.0 GB by estimate, and 100.0 GB are free"):
        require("the work", 101 * 10**9, CPU, 100 * 10**9, nothing_helps)
    require("the work", 101 * 10**9, CPU, 100 * 10**9, nothing_helps, policy="warn")
    assert "101% of" in capsys.readouterr().err
    require("the work", 10**15, CPU, None, nothing_helps)


def test_knobs_that_are_not_enough_are_told_and_not_recommended():
    memory_suggestions = [MemorySuggestion("this", 50, "slower"), MemorySuggestion("that", 200)]
    with pytest.raises(UserError) as caught:
        require("the work", 300, CPU, 100, lambda available: memory_suggestions)
    assert caught.value.facts[0] == "helps this (0.0 MB; slower)"
    assert caught.value.fix == "this; or begin all the same with --memory warn"


def test_an_estimate_tells_its_parts_apart():
    estimate = Estimate({"weights": 100, "activations": 10**9}).plus({"weights": 20.9, "set": 0})
    assert estimate == sum(estimate.parts.values()) == 10**9 + 120
    assert breakdown(estimate) == "activations 1.00 GB, weights 0.0 MB"
    assert Estimate({"weights": 30}).fitting(100) == 3
    with pytest.raises(UserError) as caught:
        require("the work", estimate, CPU, 100, nothing_helps)
    assert caught.value.facts == ("parts activations 1.00 GB, weights 0.0 MB",)


def test_the_plan_and_the_stack_take_one_estimate_of_a_training():
    recipe = ExpertRecipe(count=1)
    step = step_bytes(recipe, SIZES, 256)
    assert expert_need(recipe, 1, SIZES, 50_000).bytes.parts.items() >= step.parts.items()
    stacked = step_bytes(recipe, SIZES, 256, stacked=True)
    assert stacked.parts == {**step.parts, "activations": int(4 * 256 * 0.97 * STACKED * SIZES.activations)}


def test_bytes_as_people_compare_them():
    assert [format_gb(n) for n in (21_930_000_000, 350_000_000, 1_200_000)] == ["21.9 GB", "0.35 GB", "1.2 MB"]


@given(
    st.integers(1, 200), st.sampled_from(["full", "adjoint", "tesla"]), st.integers(1, 60), st.integers(10**7, 10**10)
)
def test_the_batch_that_is_named_is_the_largest_that_fits(ipc, unroll, inner_steps, available):
    method = MTT(**BASE, inner_steps=inner_steps, unroll=unroll)
    assume(method.peak_bytes(SIZES, ipc) > available)
    named = [
        suggestion for suggestion in method.memory_suggestions(SIZES, ipc, available) if "batch_syn" in suggestion.how
    ]
    for suggestion in named:
        batch = int(suggestion.how.rpartition("=")[2])
        taken, more = (method.model_copy(update={"batch_syn": n}).peak_bytes(SIZES, ipc) for n in (batch, batch + 1))
        assert taken == suggestion.bytes and 1 <= batch < 10 * ipc
        assert taken <= available < more or batch == 1
    assert named


@given(st.integers(2, 20), st.integers(1, 50), st.integers(10**7, 10**9))
def test_every_and_ranks_that_are_named_take_what_they_say(every, ipc, available):
    method = MTT(**BASE, inner_steps=20, unroll={"kind": "adjoint", "every": every})
    for suggestion in method.memory_suggestions(SIZES, ipc, available):
        if "unroll.every" in suggestion.how:
            fewer = int(suggestion.how.rpartition("=")[2])
            found = method.model_copy(update={"unroll": method.unroll.model_copy(update={"every": fewer})})
            assert 1 <= fewer < every and found.peak_bytes(SIZES, ipc) == suggestion.bytes
        if "torchrun" in suggestion.how:
            ranks = int(suggestion.how.split()[2])
            assert (
                method.peak_bytes(replace(SIZES, ranks=ranks), ipc) == suggestion.bytes < method.peak_bytes(SIZES, ipc)
            )


def test_the_full_unroll_is_told_of_the_other_exact_one():
    method = MTT(**BASE, inner_steps=50, unroll="full")
    (first, *_) = method.memory_suggestions(SIZES, 50, 10**10)
    assert first.how == "-o method.unroll=adjoint" and first.note == "the same gradient; another run"
    assert first.bytes == MTT(**BASE, inner_steps=50).peak_bytes(SIZES, 50) < 10**10


def test_fewer_compensators_together_and_then_fewer_classes():
    method = METHODS.get("infer")(teachers={"networks": ["convnet-d3-bn"], "epochs": 1})
    whole = method.peak_bytes(SIZES, 10)
    (suggestion,) = method.memory_suggestions(SIZES, 10, whole // 2)
    assert suggestion.how.startswith("-o method.jobs_at_once=") and suggestion.bytes <= whole // 2
    (suggestion,) = method.memory_suggestions(SIZES, 10, whole // 50)
    assert "-o method.classes_at_once=" in suggestion.how and suggestion.bytes < whole


def cgroup(root, lines, files):
    for path, text in {"proc/self/cgroup": lines, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return cgroup_available(root)


def group(folder, limit, used, cached, names):
    return dict(zip((f"{folder}/{name}" for name in names), (limit, used, cached), strict=True))


V2 = ("memory.max", "memory.current", "memory.stat")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")


def test_the_tightest_group_of_version_2_counts(tmp_path):
    files = group("sys/fs/cgroup/jobs/one", "max\n", "700\n", "anon 5\ninactive_file 60\n", V2)
    files |= group("sys/fs/cgroup/jobs", "1000\n", "700\n", "anon 5\ninactive_file 60\n", V2)
    assert cgroup(tmp_path, "0::/jobs/one\n", files) == 1000 - 700 + 60


def test_groups_of_version_1(tmp_path):
    files = group("sys/fs/cgroup/memory/jobs", "1000\n", "400\n", "cache 9\ntotal_inactive_file 30\n", V1)
    files |= group("sys/fs/cgroup/memory", "9223372036854771712\n", "400\n", "", V1)
    assert cgroup(tmp_path, "4:cpu:/x\n3:memory:/jobs\n0::/\n", files) == 1000 - 400 + 30


def test_in_a_container_the_mount_itself_is_the_group(tmp_path):
    files = group("sys/fs/cgroup", "5000\n", "1000\n", "", V2)
    assert cgroup(tmp_path, "0::/../outside/of/this\n", files) == 4000


def test_no_group_and_no_limit_leave_all(tmp_path):
    assert cgroup_available(tmp_path) is None
    assert cgroup(tmp_path, "0::/\n", group("sys/fs/cgroup", "max\n", "1\n", "", V2)) is None


def test_something_is_free_here():
    assert 10**6 < free_bytes(CPU) < 10**14


def test_ranks_of_one_machine_share_what_it_has(monkeypatch):
    monkeypatch.setattr("ddbench.estimates.memory_check.free_bytes", lambda device: 1000)
    assert available_bytes(CPU) == 1000
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert available_bytes(CPU) == 250 and available_bytes(torch.device("cuda")) == 1000


def test_a_limit_of_address_space_counts(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (10**15, 10**15))
    whole = free_bytes(CPU)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1, 1))
    assert free_bytes(CPU) == 0 < whole


@pytest.fixture
def little(monkeypatch):
    """A machine with a tenth of a megabyte left."""
    monkeypatch.setattr("ddbench.estimates.memory_check.free_bytes", lambda device: 100_000)


class TestCommands:
    def test_each_command_refuses_before_anything_is_trained(self, ddbench, tmp_path, little):
        home, recipe = tmp_path / "home", written(tmp_path)
        for name in ("run", "distill", "buffer"):
            said = ddbench.refused(name, recipe, "--home", home)
            assert "the training of experts by sgd in batches of 256 does not fit" in said
            assert "helps -o experts.batch=" in said and "--memory warn" in said
        assert not (home / "buffers").exists() and not (home / "runs").exists()

    def test_the_distillation_is_looked_at_before_its_experts_are_trained(self, ddbench, tmp_path, monkeypatch):
        monkeypatch.setattr("ddbench.estimates.memory_check.free_bytes", lambda device: 8_000_000)
        large = written(tmp_path, RECIPE.replace("ipc: 1\n", "ipc: 90\n").replace("inner_steps: 3", "inner_steps: 300"))
        said = ddbench.refused("distill", large, "--home", tmp_path / "home", "-o", "method.unroll=full")
        assert "the distillation of mtt at ipc 90 does not fit" in said and "-o method.unroll=adjoint" in said
        assert not (tmp_path / "home" / "buffers").exists()
        less = ("-o", "method.inner_steps=3", "-o", "method.unroll=adjoint", "-o", "method.batch_syn=50")
        ddbench.done("distill", large, "--home", tmp_path / "home", *less)

    def test_who_will_may_try_all_the_same(self, ddbench, tmp_path, little):
        called = ddbench("distill", written(tmp_path), "--home", tmp_path / "home", "--memory", "warn", "--quiet")
        assert called.status == 0
        assert "the distillation of mtt at ipc 1 takes " in called.err

    def test_what_is_done_needs_no_room(self, ddbench, recipe, finished_home, tmp_path, little):
        ddbench.done("run", recipe, "--home", copy_of(finished_home, tmp_path))

    def test_the_plan_tells_and_refuses_nothing(self, ddbench, tmp_path, little):
        found = json.loads(ddbench.done("plan", written(tmp_path), "--home", tmp_path / "home", "--format", "json"))
        assert found["free bytes"] == 100_000
        assert [large["what"] for large in found["too large"]][0] == "the training of experts by sgd in batches of 256"
        assert all(large["bytes"] > 100_000 for large in found["too large"])
        said = ddbench.done("plan", written(tmp_path), "--home", tmp_path / "home")
        assert (
            "too large: the training of experts by sgd in batches of 256" in said
            and "  helps -o experts.batch=" in said
        )


def test_from_python(tmp_path, little):
    real = ddbench.load_dataset("digits", home=tmp_path)
    experts = ddbench.train_experts(real, "convnet-d1-w4", tmp_path / "experts", epochs=3, count=1, device="cpu")
    asked = {"experts": experts, "max_start_epoch": 2, "image_lr": 1.0, "inner_steps": 2, "iterations": 1}
    with pytest.raises(UserError, match="distilling by mtt at ipc 1 does not fit"):
        ddbench.distill("mtt", real, "convnet-d1-w4", 1, device="cpu", **asked)
    assert len(ddbench.distill("mtt", real, "convnet-d1-w4", 1, device="cpu", memory="warn", **asked)) == 10
