"""Graph sets that are damaged, hostile or unfit: one clean error each, and the check that every set passes."""

import gzip
import os
import zipfile

import pytest
import torch
from helpers.graph_files import triangles_and_paths, write_tu, zipped

from ddbench.errors import UserError
from ddbench.graphs import download, text_files, tu
from ddbench.graphs.load import NotHereError, load_graphs


def load(tmp_path, name="tu:SMALL", **choice):
    return load_graphs(name, home=tmp_path / "home", data_root=tmp_path, quiet=True, **choice)


def archive_of(tmp_path, monkeypatch, *more):
    """An archive of a set that the server sends, with more members: (name, bytes)."""
    write_tu(tmp_path / "texts", "SMALL", **triangles_and_paths())
    archive = zipped(tmp_path / "SMALL.zip", tmp_path / "texts", "SMALL")
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        for name, data in more:
            file.writestr(name, data)
    monkeypatch.setattr(tu, "URL", tmp_path.as_uri())
    return archive


def test_an_archive_that_unpacks_to_more_than_it_can_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SLACK_BYTES", 1 << 20)
    archive_of(tmp_path, monkeypatch, ("SMALL/bomb.txt", bytes(1 << 26)))
    with pytest.raises(UserError, match="would unpack to"):
        load(tmp_path)
    assert not [file for file in (tmp_path / "home").rglob("*") if file.is_file()]


def test_an_archive_of_too_many_members_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MOST_MEMBERS", 20)
    archive_of(tmp_path, monkeypatch, *((f"SMALL/{number}.txt", b"1\n") for number in range(30)))
    with pytest.raises(UserError, match="33 texts|34 texts"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["SMALL/../../escaped.txt", "/SMALL/../escaped.txt", "../escaped.txt"])
def test_no_member_leaves_its_folder(tmp_path, monkeypatch, name):
    archive_of(tmp_path, monkeypatch, (name, b"outside"))
    assert len(load(tmp_path).train) == 16
    assert not list(tmp_path.rglob("escaped.txt")) or all(
        tmp_path / "home" / "downloads" / "tu" / "SMALL" / "raw" in path.parents
        for path in tmp_path.rglob("escaped.txt")
    )


@pytest.mark.parametrize("seed", range(20))
def test_mutants_of_an_archive_are_read_or_refused(tmp_path, monkeypatch, seed):
    archive = archive_of(tmp_path, monkeypatch)
    data = bytearray(archive.read_bytes())
    draw = torch.Generator().manual_seed(seed)
    for _ in range(3):
        at, value = (int(torch.randint(bound, (1,), generator=draw)) for bound in (len(data), 256))
        data[at] = value
    archive.write_bytes(data)
    try:
        load(tmp_path)
    except UserError:
        assert not list((tmp_path / "home").rglob("archive"))


def test_a_text_that_unpacks_to_more_than_it_can_hold_is_refused(tmp_path, monkeypatch):
    from ddbench.data.rawdata import Request

    monkeypatch.setattr(text_files, "SLACK_BYTES", 1 << 20)
    with gzip.open(tmp_path / "bomb.csv.gz", "wt") as file:
        file.write("1\n" * (1 << 24))
    request = Request(what="x", data_root=tmp_path, home=tmp_path)
    with pytest.raises(UserError, match="unpack to more than"):
        text_files.numbers(tmp_path / "bomb.csv.gz", request)
    with gzip.open(tmp_path / "small.csv.gz", "wt") as file:
        file.write("1,2\n3,4\n")
    assert text_files.numbers(tmp_path / "small.csv.gz", request).tolist() == [[1, 2], [3, 4]]


def test_only_regular_files_are_read(tmp_path):
    write_tu(tmp_path / "SMALL" / "raw", "SMALL", **triangles_and_paths())
    (tmp_path / "SMALL" / "raw" / "SMALL_A.txt").unlink()
    os.mkfifo(tmp_path / "SMALL" / "raw" / "SMALL_A.txt")
    with pytest.raises(UserError, match=r"SMALL_A\.txt is a pipe"):
        load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"indicator": [1] * 59 + [10**15]},
        {"indicator": [1] * 59 + [10**30]},
        {"edges": [(1, 10**12)]},
        {"edges": [(1, -(10**300))]},
        {"classes": [10**25] * 20},
        {"node_labels": ["1e300"] * 60},
    ],
)
def test_huge_numbers_take_no_memory(tmp_path, change):
    write_tu(tmp_path / "SMALL" / "raw", "SMALL", **triangles_and_paths(**change))
    with pytest.raises(UserError, match="damaged|one class"):
        load(tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_every_class_is_in_train_and_test(tmp_path, seed):
    lines = triangles_and_paths()
    lines["classes"] = [1] * 19 + [2]
    write_tu(tmp_path / "SMALL" / "raw", "SMALL", **lines)
    with pytest.raises(
        UserError, match="1 of the 2 classes of tu:SMALL have no graphs in the t(rain|est) split"
    ) as caught:
        load(tmp_path, seed=seed)
    assert "another seed" in caught.value.fix


def test_a_known_set_of_another_size_is_refused(tmp_path):
    write_tu(tmp_path / "MUTAG" / "raw", "MUTAG", **triangles_and_paths())
    with pytest.raises(UserError, match="not tu-MUTAG as it is known") as caught:
        load(tmp_path, "tu:MUTAG")
    assert "20 found, 188 known" in str(caught.value)


def test_nothing_is_downloaded_where_that_is_not_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_download", lambda *given: pytest.fail("downloaded"))
    with pytest.raises(NotHereError):
        load(tmp_path, download=False)
    write_tu(tmp_path / "SMALL" / "raw", "SMALL", **triangles_and_paths())
    assert len(load(tmp_path, download=False).train) == 16


@pytest.mark.parametrize(
    "graph",
    [
        "Data(x=[[1], [2]], edge_index=EDGE, y=1)",
        "Data(x=torch.ones(2, 1), edge_index=EDGE, y='a class')",
        "Data(x=torch.ones(2, 1), edge_index=EDGE, y=torch.tensor([1]), edge_attr=3)",
        "Data(edge_index=EDGE, y=torch.tensor([1]), num_nodes=-5)",
        "Data(x=torch.ones(2, 1, 1, 1), edge_index=EDGE, y=torch.tensor([1]))",
    ],
)
def test_objects_that_only_look_like_graphs_are_refused(tmp_path, monkeypatch, graph):
    (tmp_path / "odd_graphs.py").write_text(
        "import torch\nfrom torch_geometric.data import Data\nEDGE = torch.tensor([[0, 1], [1, 0]])\n"
        f"def graphs():\n    return [{graph} for _ in range(20)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "odd_graphs", raising=False)
    with pytest.raises(UserError):
        load(tmp_path, "pyg:odd_graphs:graphs")
