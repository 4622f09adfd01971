"""Files that are damaged, foreign or dangerous: named in one error, with what can still be used and what mends it."""

import json
import pickle
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.command_line import ENVIRONMENT, RECIPE, copy_of, one_error, only, written

from ddbench.artifact import read_json, write_json
from ddbench.synthetic.synthetic_set import load_synthetic


@pytest.fixture
def trained(home):
    """A home with experts, and nothing distilled from them."""
    shutil.rmtree(home / "runs")
    shutil.rmtree(home / "results")
    return home


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_first_row(path):
    """Change one bit of the initialization in an expert file."""
    raw = bytearray(path.read_bytes())
    header = json.loads(raw[8 : (start := 8 + int.from_bytes(raw[:8], "little"))])
    raw[start + header["parameters"]["data_offsets"][0] + 5] ^= 8
    path.write_bytes(bytes(raw))


class TestDamagedBuffer:
    def test_an_expert_cut_short_is_named_and_trained_again(self, ddbench, recipe, trained, finished_home):
        buffer = only(trained, "buffers/*")
        cut_short(buffer / "expert-0001.safetensors")
        for command in (["info", buffer], ["export", buffer, trained / "legacy"]):
            said = ddbench.refused(*command)
            assert "expert-0001.safetensors is damaged" in said and "usable experts 0 (1 in all)" in said
        assert "2 experts" in ddbench.done("buffer", recipe, "--home", trained, "-q")
        self.check_same_rows(ddbench, recipe, trained, finished_home)

    def test_a_changed_bit_is_named_and_deleting_the_file_mends_it(self, ddbench, recipe, trained, finished_home):
        expert = only(trained, "buffers/*/expert-0000.safetensors")
        flip_first_row(expert)
        said = ddbench.refused("run", recipe, "--home", trained, "-q", "-o", "methods.mtt.iterations=30")
        assert "expert-0000.safetensors is damaged" in said and "epoch 0" in said and "usable experts 1" in said
        assert "delete the file" in said
        expert.unlink()
        self.check_same_rows(ddbench, recipe, trained, finished_home)

    @pytest.mark.parametrize("content", [None, "{", "[]", "\xff"])
    def test_a_description_that_is_lost_or_damaged_is_written_anew(
        self, ddbench, recipe, trained, finished_home, content
    ):
        description = only(trained, "buffers/*/buffer.json")
        description.unlink()
        if content is not None:
            description.write_text(content, encoding="latin-1")
        said = ddbench.refused("info", description.parent)
        assert "buffer.json" in said
        experts = {path: path.stat().st_mtime_ns for path in description.parent.glob("expert-*")}
        self.check_same_rows(ddbench, recipe, trained, finished_home)
        assert experts == {path: path.stat().st_mtime_ns for path in description.parent.glob("expert-*")}

    def check_same_rows(self, ddbench, recipe, home, finished_home):
        rows = json.loads(ddbench.done("run", recipe, "--home", home, "-q", "--format", "json"))
        want = json.loads(ddbench.done("leaderboard", "--home", finished_home, "--format", "json"))
        assert [row["accuracy"] for row in rows] == [row["accuracy"] for row in want]
        assert [row["synthetic_sha256"] for row in rows] == [row["synthetic_sha256"] for row in want]


@pytest.mark.parametrize(
    ("override", "problem", "there", "asked"),
    [
        ("preprocessing=identity", "with another preprocessing", "identity", "meanstd"),
        ("network=convnet-d1-w5", "for another network", "convnet-d1-w5", "convnet-d1-w4"),
        ("experts.lr=0.03", "with another experts.lr", "0.03", "0.02"),
        ("dataset=npz:{npz}", "from another dataset", "npz-other", "digits"),
    ],
)
def test_experts_of_something_else_where_the_recipe_looks(
    ddbench, recipe, trained, tmp_path, other_data, override, problem, there, asked
):
    override = override.format(npz=other_data)
    ddbench.done("buffer", recipe, "--home", tmp_path / "other", "-q", "-o", override)
    folder = only(trained, "buffers/*")
    shutil.rmtree(folder)
    shutil.copytree(only(tmp_path / "other", "buffers/*"), folder)
    said = ddbench.refused("run", recipe, "--home", trained, "-q")
    assert problem in said and f"there {there}" in said and f"asked {asked}" in said and str(folder) in said
    (folder / "buffer.json").unlink()
    said = ddbench.refused("run", recipe, "--home", trained, "-q")
    assert "expert-0000.safetensors" in said and "another buffer" in said


@pytest.fixture
def other_data(tmp_path):
    """Images of the shape of digits that are none."""
    drawn = np.random.default_rng(3)
    splits = {"train": 300, "test": 50}
    images = {f"x_{name}": drawn.integers(0, 256, (count, 8, 8), dtype=np.uint8) for name, count in splits.items()}
    labels = {f"y_{name}": np.arange(count) % 10 for name, count in splits.items()}
    np.savez(tmp_path / "other.npz", **images, **labels)
    return tmp_path / "other.npz"


class TestSyntheticSet:
    def test_of_another_preprocessing_names_both_fingerprints(self, ddbench, finished_home, other_data, tmp_path):
        home = copy_of(finished_home, tmp_path)
        path = only(home, "runs/*-mtt-*/synthetic.safetensors")
        said = ddbench.refused("evaluate", path, "--home", home, "--dataset", f"npz:{other_data}", "-q")
        assert "another preprocessing" in said
        fingerprint = load_synthetic(path).preprocessing["fingerprint"]
        found = re.findall(r"\b[0-9a-f]{16}\b", said)
        assert fingerprint in found and len(set(found)) == 2

    def test_of_data_whose_place_nobody_knows(self, ddbench, recipe, other_data, tmp_path, monkeypatch):
        home = tmp_path / "home"
        out = ddbench.done("distill", recipe, "--home", home, "-q", "-o", f"dataset=npz:{other_data}",
                           "-o", "methods={random: {}}")  # fmt: skip
        path = out.strip().split(":  ")[1]
        monkeypatch.chdir(home)
        said = ddbench.refused("evaluate", path, "--home", home)
        assert "--dataset npz:PATH/other.npz" in said
        ddbench.done("evaluate", path, "--home", home, "--dataset", f"npz:{other_data}", "-q")

    def test_damaged_is_made_again_from_its_candidate(self, ddbench, recipe, home):
        path = only(home, "runs/*-mtt-*/synthetic.safetensors")
        want = load_synthetic(path).images.clone()  # a loaded set is mapped, and would be cut with its file
        cut_short(path)
        for command in ("show", "evaluate", "verify"):
            said = ddbench.refused(command, path, "--home", home)
            assert "synthetic.safetensors is damaged" in said and "delete it" in said
        ddbench.done("run", recipe, "--home", home, "-q")
        assert torch.equal(load_synthetic(path).images, want)

    @pytest.mark.parametrize("name", ["candidates/000004.safetensors", "state.safetensors"])
    def test_a_damaged_part_of_a_run_is_named_and_deleting_it_mends_the_run(self, ddbench, recipe, home, name):
        run = only(home, "runs/*-mtt-*")
        want = load_synthetic(run / "synthetic.safetensors")
        cut_short(run / name)
        if name.startswith("state"):
            (run / "candidates" / "000004.safetensors").unlink()
        said = ddbench.refused("run", recipe, "--home", home, "-q")
        assert f"{name} is damaged" in said and "delete it" in said
        (run / name).unlink()
        ddbench.done("run", recipe, "--home", home, "-q")
        assert torch.equal(load_synthetic(run / "candidates" / "000004.safetensors").images, want.images)


class Harmless:
    """What a replay buffer could bring along: unpickled, it makes a file."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("through_torch", [True, False])
def test_a_replay_buffer_that_would_run_code_is_refused_and_nothing_runs(ddbench, recipe, tmp_path, through_torch):
    mark, file = tmp_path / "ran", tmp_path / "replay_buffer_0.pt"
    if through_torch:
        torch.save([Harmless(mark)], file)
    else:
        file.write_bytes(pickle.dumps([Harmless(mark)], protocol=2))
    said = ddbench.refused("import", file, "--recipe", recipe, "--home", tmp_path / "home")
    assert "could run code" in said and "replay_buffer_0.pt" in said and "open" in said
    assert not mark.exists() and not list((tmp_path / "home").glob("buffers/*"))
    pickle.loads(pickle.dumps(Harmless(mark))).close()
    assert mark.exists(), "so the file would have run something"


class TestImport:
    def test_no_replay_buffer(self, ddbench, recipe, tmp_path):
        asked = ("--recipe", recipe, "--home", tmp_path / "home")
        assert "nowhere.pt" in ddbench.refused("import", tmp_path / "nowhere.pt", *asked)
        said = ddbench.refused("import", recipe, *asked)
        assert "tiny.yaml" in said and "delete" not in said
        assert "no replay_buffer_*.pt" in ddbench.refused("import", tmp_path, *asked)

    def test_experts_of_another_network(self, ddbench, recipe, finished_home, tmp_path):
        ddbench.done("export", only(finished_home, "buffers/*"), tmp_path / "legacy")
        asked = ("import", tmp_path / "legacy", "--recipe", recipe, "--home", tmp_path / "home")
        said = ddbench.refused(*asked, "-o", "network=convnet-d1-w5")
        assert "do not fit the network convnet-d1-w5" in said and "replay_buffer_0.pt, expert 0" in said
        assert "already" in ddbench.refused("export", only(finished_home, "buffers/*"), tmp_path / "legacy")

    def test_too_few_or_too_short_experts(self, ddbench, recipe, finished_home, tmp_path):
        ddbench.done("export", only(finished_home, "buffers/*"), tmp_path / "legacy")
        asked = ("--home", tmp_path / "home", "-o", "experts.count=3")
        ddbench.done("import", tmp_path / "legacy", "--recipe", recipe, *asked)
        said = ddbench.refused("distill", recipe, *asked, "-q")
        assert "2 experts were imported, and the recipe asks for 3" in said and "experts.count=2" in said
        said = ddbench.refused("distill", recipe, *asked, "-o", "methods.mtt.max_start_epoch=6", "-q")
        assert "6 epochs are needed, they have 3" in said

    def test_a_recipe_without_experts(self, ddbench, recipe, tmp_path):
        (tmp_path / "x.pt").touch()
        asked = ("--recipe", recipe, "-o", "methods={random: {}}", "--home", tmp_path / "home")
        assert "needs 0 expert buffers" in ddbench.refused("import", tmp_path / "x.pt", *asked)


class TestRows:
    @pytest.mark.parametrize(
        ("content", "why"),
        [(b"{", "Expecting"), (b"[1]", "object"), (b"{}", "Field required"), (b"\xff", "utf-8"), (b"", "Expecting")],
    )
    def test_a_broken_row_is_named(self, ddbench, recipe, home, content, why):
        path = only(home, "results/digits/ipc1/mtt-*.json")
        path.write_bytes(content)
        for command in (["leaderboard"], ["run", recipe], ["verify", path]):
            said = ddbench.refused(*command, "--home", home)
            assert path.name in said and why in said and "delete it" in said
        path.unlink()
        ddbench.done("run", recipe, "--home", home, "-q")
        assert path.is_file()

    def test_an_impossible_or_misspelt_value(self, ddbench, home):
        path = only(home, "results/digits/ipc1/mtt-*.json")
        row = read_json(path, "row")
        write_json(path, {**row, "accuracy": [77.5]})
        assert "fractions in [0, 1]" in ddbench.refused("leaderboard", "--home", home)
        write_json(path, {**row, "sedes": [0]})
        assert "did you mean 'seeds'?" in ddbench.refused("leaderboard", "--home", home)
        write_json(path, {**row, "schema": 99})
        assert "upgrade ddbench" in ddbench.refused("leaderboard", "--home", home)

    def test_nothing_there(self, ddbench, tmp_path, finished_home):
        assert str(tmp_path / "none" / "results") in ddbench.refused("leaderboard", "--home", tmp_path / "none")
        syn = only(finished_home, "runs/*-mtt-*/synthetic.safetensors")
        said = ddbench.refused("verify", syn, "--home", tmp_path)
        assert "there is no row of" in said and f"ddbench evaluate {syn}" in said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit on a file's size is set as on Linux")
@pytest.mark.slow
def test_a_full_disk(tmp_path):
    """A process that may write no larger file meets what a full disk gives; with room, the same command goes on."""
    recipe = written(tmp_path, RECIPE.replace("  random:\n", ""))
    code = (
        "import resource, signal, sys\n"
        "from ddbench.commands import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        f"sys.exit(main(['buffer', {str(recipe)!r}, '--home', {str(tmp_path / 'home')!r}, '-q']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 2
    said = one_error(done.stderr)
    assert "the disk is full" in said and "expert-0000.safetensors" in said and "--home" in said
    assert not list((tmp_path / "home").rglob("*.part"))
