"""``ddbench leaderboard --format html``: the page written, with the pictures of the sets that are there."""

import json
import re
from dataclasses import replace

import torch
from helpers.command_line import only
from helpers.evaluation_makers import tiny_real, tiny_synthetic
from helpers.page_reader import Reader

from ddbench.evaluate.leaderboard.page import PICTURE_BYTES
from ddbench.figures.thumbnails import thumbnail


class TestCommand:
    def test_writes_the_page_with_pictures(self, ddbench, finished_home, tmp_path):
        out = tmp_path / "deep" / "board.html"
        call = ("leaderboard", "--home", finished_home, "--format", "html", "-q")
        assert ddbench.done(*call, "--out", out) == f"{out}\n"
        reader = Reader(out.read_text())
        assert len(reader.data["rows"]) == 2 and len(reader.of("img")) == 2
        command = next(words for words in reader.words if words.startswith("ddbench verify"))
        assert re.fullmatch(r"ddbench verify results/digits/ipc1/[a-z]+-\w{8}\.json", command)
        assert str(tmp_path.parent) not in out.read_text()

    def test_default_place_and_filters(self, ddbench, home):
        written = ddbench.done("leaderboard", "--home", home, "--format", "html", "--dataset", "mnist")
        assert written == f"{home / 'leaderboard.html'}\n"
        assert Reader((home / "leaderboard.html").read_text()).data["rows"] == []

    def test_a_damaged_set_is_a_missing_picture(self, ddbench, home):
        only(home, "runs/*-mtt-*/synthetic.safetensors").write_bytes(b"nothing")
        for candidate in home.glob("runs/*-mtt-*/candidates*/*.safetensors"):
            candidate.unlink()
        ddbench.done("leaderboard", "--home", home, "--format", "html", "-q")
        reader = Reader((home / "leaderboard.html").read_text())
        assert len(reader.of("img")) == 1 and "1 of 2 sets" in " ".join(reader.words)

    def test_other_forms_go_to_a_file_too(self, ddbench, finished_home, tmp_path):
        call = ("leaderboard", "--home", finished_home, "--format", "json")
        assert ddbench.done(*call, "--out", tmp_path / "x.json") == f"{tmp_path / 'x.json'}\n"
        assert json.loads((tmp_path / "x.json").read_text()) == json.loads(ddbench.done(*call))
        assert "is a folder" in ddbench.refused(*call, "--out", tmp_path)
        assert "no folder of results" in ddbench.refused("leaderboard", "--home", tmp_path, "--format", "html")


def test_thumbnails_are_small():
    real = tiny_real()
    syn = tiny_synthetic(real)
    assert thumbnail(syn, real.preprocessing, PICTURE_BYTES).startswith(b"\x89PNG")
    noise = torch.randn(100, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    large = replace(syn, images=noise, labels=torch.arange(100) % 3, ipc=33)
    picture = thumbnail(large, real.preprocessing, PICTURE_BYTES)
    assert picture[8:12] == b"WEBP" and len(picture) <= PICTURE_BYTES
    assert len(thumbnail(large, real.preprocessing, 4_000)) <= 4_000
