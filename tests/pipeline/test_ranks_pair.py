"""Two processes that share every batch have the gradients of one, whatever unroll, momentum, labels or batch.

A run goes on with another number of ranks; ranks that do not fit together are told so; one of them speaks.
"""

import itertools
import re
import subprocess
import sys

import pytest
import torch
from helpers import rank_cases
from helpers.command_line import ENVIRONMENT, only
from helpers.rank_pair import Pair

from ddbench.artifact import describe
from ddbench.runtime.compile import missing_requirement
from ddbench.runtime.distributed import ALONE
from ddbench.synthetic.synthetic_set import load_synthetic

pytestmark = pytest.mark.slow

UNROLLS = ["full", "adjoint", "tesla", {"kind": "truncated", "last": 2}]
VARIANTS = {
    "plain": ("mtt", {"augmentation": "none"}),
    "augmented": ("mtt", {}),
    "momentum": ("mtt", {"student_momentum": 0.9}),
    "mini-batches": ("mtt", {"batch_syn": 4}),
    "one image for two ranks": ("mtt", {"batch_syn": 1}),
    "learned labels": ("datm", {"batch_syn": 5, "student_momentum": 0.5}),
    "every epoch, perturbed": ("ast", {"batch_syn": 3}),
    "closest step": ("att", {"batch_syn": 4}),
    "half the parameters": ("pad", {"batch_syn": 5}),
}
CASES = [
    (method, {**settings, "unroll": unroll})
    for (method, settings), unroll in itertools.product(VARIANTS.values(), UNROLLS)
]
CASES += [  # ranks share out the classes: two of them and one
    ("dc", {"inner_epochs": 3}),
    ("dsa", {"inner_epochs": 3, "classes_at_once": 1}),
    ("dm", {}),
    # and rows of the student's batches and of the real ones
    ("rat-bptt", {"total_steps": 5, "window": 3, "labels": "one-hot"}),
    ("rat-bptt", {"total_steps": 5, "window": 3, "unroll": "adjoint", "inner": "sgd", "real_at_once": 7}),
]
CAPTURED = [
    ("mtt", {"unroll": "adjoint"}),
    ("datm", {"unroll": "tesla", "student_momentum": 0.5}),
    ("rat-bptt", {"total_steps": 5, "window": 3}),
]
needs_compiler = pytest.mark.skipif(missing_requirement() is not None, reason=f"needs {missing_requirement()}")


@pytest.fixture(scope="module")
def pair():
    two = Pair()
    yield two
    two.close()


def assert_close(got, want, rtol):
    """Lists of numbers, however deep, within rtol of the largest of each."""
    for found, asked in zip(got, want, strict=True):
        found, asked = torch.tensor(found, dtype=torch.float64), torch.tensor(asked, dtype=torch.float64)
        assert asked.abs().max() > 0
        assert (found - asked).abs().max() <= rtol * asked.abs().max()


def test_two_ranks_have_the_gradients_of_one_process(pair):
    want = rank_cases.outer_gradients(ALONE, CASES)
    first, second = pair(rank_cases.outer_gradients, CASES)
    assert first == second, "both to the bit"
    for got, asked in zip(first, want, strict=True):
        assert_close(got, asked, 1e-10)


@needs_compiler
def test_steps_that_pull_back_by_themselves_are_shared_as_well(pair):
    want = rank_cases.outer_gradients(ALONE, CAPTURED)
    first, second = pair(rank_cases.outer_gradients, CAPTURED, True)
    assert first == second
    for got, asked in zip(first, want, strict=True):
        assert_close(got, asked, 1e-10)


def test_the_two_operations_have_derivatives_of_any_order(pair):
    want = rank_cases.third_derivatives(ALONE, [1.0, -2.0, 0.5])
    x = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    by_hand = (3 * x**3).sum(), 9 * x**2, 324 * x**3, 972 * x**2
    assert_close(want, [each.tolist() for each in by_hand], 1e-12)
    for got in pair(rank_cases.third_derivatives, [1.0, -2.0, 0.5]):
        assert_close(got, want, 1e-12)


def test_tensors_are_added_and_agreed_upon_whatever_their_shape_and_dtype(pair):
    for told, tensors in pair(rank_cases.talk):
        assert told == [[{"rank": 0}, {"rank": 1}], 0]
        assert tensors == [
            ("torch.float32", [[1.0] * 3] * 2),
            ("torch.float64", 10.0),
            ("torch.float32", [[3.0] * 3] * 2),
            ("torch.float64", 30.0),
        ]


def test_facts_that_differ_are_named(pair):
    for said in pair(rank_cases.refusal, rank_cases.different_facts):
        assert said == "rank 1 has another recipe.lr than rank 0\n  rank 0 0.1\n  rank 1 0.2\n  fix: agree"


def torchrun(*arguments):
    """A command line under torchrun with two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, timeout=240
    )


def assert_same_path(got, want):
    """The candidates of two runs, but for rounding: images of order one, moved by hundredths."""
    assert len(got) == len(want) == 3 and want[0][2] != want[-1][2], "the guard skips some steps"
    moved = (torch.tensor(want[-1][0]) - torch.tensor(want[0][0])).abs().max()
    assert moved > 1e-3
    for (images, rate, guard), (asked, asked_rate, asked_guard) in zip(got, want, strict=True):
        assert (torch.tensor(images) - torch.tensor(asked)).abs().max() < 1e-3 * moved
        assert rate == pytest.approx(asked_rate, rel=1e-6) and guard == asked_guard


def test_a_run_goes_on_with_two_ranks_and_then_again_with_one(pair, tmp_path):
    want = rank_cases.whole_run(ALONE, tmp_path / "alone")
    first, second = pair(rank_cases.whole_run, tmp_path / "pair")
    assert first == second
    assert_same_path(first, want)
    folder = tmp_path / "moved"
    assert rank_cases.whole_run(ALONE, folder, 4) == "interrupted"
    assert describe(folder / "state.safetensors")["step"] == 3
    assert pair(rank_cases.whole_run, folder, 7) == ["interrupted", "interrupted"]
    assert describe(folder / "state.safetensors")["step"] == 6
    assert_same_path(rank_cases.whole_run(ALONE, folder), want)
    steps = re.findall(r'"step": (\d+)', (folder / "events.jsonl").read_text())
    assert [int(step) for step in steps] == list(range(1, 10)), "logged by one rank, each step once"


def test_a_recipe_is_carried_out_by_both(pair, recipe, tmp_path, finished_home):
    first, second = pair(rank_cases.job_of_a_recipe, recipe, [tmp_path, tmp_path], [[], []])
    assert first == second
    want = load_synthetic(only(finished_home, "runs/*-mtt-*/synthetic.safetensors")).images
    assert (torch.tensor(first) - want).abs().max() < 1e-4
    assert len(list(tmp_path.glob("buffers/*/expert-*.safetensors"))) == 2, "one each"
    made = describe(only(tmp_path, "runs/*-mtt-*/synthetic.safetensors"))
    assert made["provenance"]["device"].startswith("2 x ")
    assert not list(tmp_path.glob(".ranks-*"))


def test_ranks_that_disagree_are_told_in_what(pair, recipe, tmp_path):
    homes = [tmp_path, tmp_path]
    asked = rank_cases.job_of_a_recipe, recipe, homes, [[], ["methods.mtt.image_lr=3"]]
    for said in pair(rank_cases.refusal, *asked):
        assert said.startswith("rank 1 has another methods.mtt.image_lr than rank 0\n  rank 0 10.0\n  rank 1 3.0\n")
    asked = rank_cases.job_of_a_recipe, recipe, homes, [["ipc=[1,2]"], ["ipc=2"]]
    for said in pair(rank_cases.refusal, *asked):
        assert "rank 1 has another run of mtt ipc 1 than rank 0\n" in said
    assert not list(tmp_path.glob("runs/*"))


def test_homes_that_are_not_shared_are_refused(pair, recipe, tmp_path):
    homes = [tmp_path / "here", tmp_path / "there"]
    for said, home in zip(
        pair(rank_cases.refusal, rank_cases.job_of_a_recipe, recipe, homes, [[], []]), homes, strict=True
    ):
        assert said.startswith(f"rank 1 does not see what rank 0 writes to its home\n  home  {home}\n")
    assert not homes[1].exists() and not list(homes[0].iterdir())


def test_a_batch_norm_is_refused_before_anything_is_trained(pair, recipe, tmp_path):
    network = ["network=convnet-d1-w4-bn"]
    asked = rank_cases.job_of_a_recipe, recipe, [tmp_path, tmp_path], [network, network]
    for said in pair(rank_cases.refusal, *asked):
        assert "several ranks can not share the batches" in said and "is a batch norm" in said
    assert not list(tmp_path.glob("buffers/*"))


def test_torchrun_runs_a_recipe_and_one_process_reports(recipe, tmp_path, finished_home):
    done = torchrun("-m", "ddbench", "run", recipe, "--home", tmp_path / "home", "--device", "cpu", "-q")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("dc-v1") == 1 and "Traceback" not in done.stderr
    got, want = (
        load_synthetic(only(home, "runs/*-mtt-*/synthetic.safetensors")) for home in (tmp_path / "home", finished_home)
    )
    assert (got.images - want.images).abs().max() < 1e-4
    assert len(list((tmp_path / "home").glob("results/*/*/*.json"))) == 2


def test_a_mistake_of_one_rank_reaches_the_user_once(recipe, tmp_path):
    script = tmp_path / "start.py"
    script.write_text(
        "import os, sys\n"
        "from ddbench.commands import main\n"
        "wrong = ['-o', 'ipc=2'] if os.environ['RANK'] == '1' else []\n"
        "sys.exit(main([*sys.argv[1:], *wrong]))\n"
    )
    done = torchrun(script, "distill", recipe, "--home", tmp_path / "home", "--device", "cpu")
    assert done.returncode != 0 and "exitcode  : 2" in done.stderr
    assert done.stderr.count("rank 1 has another ipc than rank 0") == 1
