"""Pictures of natural images with compensators: both are there, and say which teacher is which."""

import io

import matplotlib.figure
import pytest
import torch
from helpers.evaluation_makers import tiny_real, tiny_synthetic
from PIL import Image
from test_compensation import compensated

from ddbench.figures.image_grid import compensator_rows, draw
from ddbench.figures.thumbnails import thumbnail

REAL = tiny_real()


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws a set; the figure from which its picture came."""
    figures = []
    save = matplotlib.figure.Figure.savefig

    def saved(figure, *context, **how):
        figures.append(figure)
        save(figure, *context, **how)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", saved)

    def go(syn):
        draw(syn, REAL.preprocessing, tmp_path / "a.png")
        assert Image.open(tmp_path / "a.png").format == "PNG"
        return figures[-1]

    return go


@pytest.mark.parametrize(("groups", "across", "words"), [(1, 2, "one a natural set"), (3, 3, "one a class")])
def test_a_strip_of_its_own(drawn, groups, across, words):
    told = {"teachers": {"networks": ["convnet-d3", "a-network-of-a-long-name"]}}
    syn = compensated(REAL, groups=groups, provenance=told)
    natural, added = drawn(syn).axes
    assert natural.get_title(loc="left") == "infer on tiny, ipc 5: natural images"
    assert [text.get_text() for text in natural.get_yticklabels()] == ["a", "b", "c"]
    assert added.get_title(loc="left").startswith("compensators") and words in added.get_title(loc="left")
    assert [text.get_text() for text in added.get_yticklabels()] == ["1: convnet-d3", "2: a-network-of-a-"]
    assert added.images[0].get_array().shape == (2 * 9 - 1, across * 9 - 1, 3)


def test_each_is_stretched_about_grey():
    syn = compensated(REAL, teachers=1, sets=1)
    (row,) = compensator_rows(syn).values()
    assert syn.compensation is not None
    added = syn.compensation.compensators[0, 0].float()
    wanted = (0.5 + 0.2 * added / added.std(correction=0)).clamp(0, 1)
    torch.testing.assert_close(row, wanted)


@pytest.mark.parametrize("told", [{}, {"teachers": {"networks": ["one of two"]}}, {"teachers": ["x"]}])
def test_numbers_where_names_are_not_told(told):
    assert list(compensator_rows(compensated(REAL, provenance=told))) == ["1", "2"]


def test_none_no_strip(drawn):
    assert len(drawn(compensated(REAL, teachers=0)).axes) == len(drawn(tiny_synthetic(REAL)).axes) == 1


def test_thumbnail_has_a_row_a_teacher():
    def height(teachers):
        syn = compensated(REAL, teachers=teachers)
        picture = Image.open(io.BytesIO(thumbnail(syn, REAL.preprocessing, 40_000)))
        return picture.height / picture.width

    assert height(2) > height(0)
