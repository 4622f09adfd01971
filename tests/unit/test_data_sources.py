"""Dataset names: what they mean, what they are called in rows, and what a wrong one is answered with."""

import subprocess
import sys
from pathlib import Path

import pytest

from ddbench.data import check_dataset_name, dataset_table
from ddbench.data.imagenet import SUBSETS
from ddbench.data.sources import SOURCES, find_source
from ddbench.errors import UserError


def test_the_table_names_every_dataset():
    table = dataset_table()
    assert {"digits", "cifar10", "imagenet", "folder:PATH", "hub:NAME", *SUBSETS} <= {row["name"] for row in table}
    assert all(set(row) == {"name", "images", "classes", "size", "source"} for row in table)


@pytest.mark.parametrize("name", [*SOURCES, "folder:some/where", "npz:a.npz", "parquet:x", "hub:org/set"])
def test_known_names_pass_without_loading(name):
    check_dataset_name(name)


@pytest.mark.parametrize(
    ("name", "near"), [("cifar-10", "cifar10"), ("imagenete", "imagenette"), ("foler:PATH", "folder:PATH")]
)
def test_a_wrong_name_is_answered_with_the_nearest(name, near):
    with pytest.raises(UserError) as caught:
        check_dataset_name(name, "mtt.yaml, line 2: dataset")
    assert caught.value.fix == f"did you mean {near!r}?"
    assert "from  mtt.yaml, line 2: dataset" in caught.value.facts


def test_an_empty_path_is_refused():
    with pytest.raises(UserError, match="after its colon"):
        check_dataset_name("folder:")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("cifar10", "cifar10"),
        ("folder:/data/My cats/", "folder-My-cats"),
        ("npz:/data/x.y.npz", "npz-x.y"),
        ("hub:org/set", "hub-org-set"),
        ("parquet:/data/birds", "parquet-birds"),
        ("parquet:/data/cifar10-jpeg", "cifar10-jpeg"),
    ],
)
def test_rows_call_a_dataset_by_a_name_without_a_path(name, short):
    assert find_source(name).short == short


def test_cifar10_jpeg_is_known_wherever_it_lies():
    assert find_source("parquet:/data/cifar10-jpeg").data_root == Path("/data")


def test_names_are_checked_without_importing_torch():
    code = "import sys, ddbench.data.sources as s; s.check_dataset_name('digits'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
