"""The leaderboard: what is compared with what, in all its forms, and the published numbers."""

import csv
import io
import json

import pytest
from helpers.evaluation_makers import make_tiny_row
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.data import check_dataset_name
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.formatting import duration, percent, size
from ddbench.evaluate.leaderboard.published import look_up, published_numbers
from ddbench.evaluate.leaderboard.ranking import GROUP, leaderboard
from ddbench.evaluate.leaderboard.render import render
from ddbench.networks import canonical_network_name

RANDOM = {"method": "random", "label": "random", "student": None}


def board(rows):
    return json.loads(render(rows, "json"))


def test_json_has_the_promised_keys():
    row = make_tiny_row()
    (line,) = board([row])
    promised = "method dataset ipc network protocol selection accuracy accuracy_mean accuracy_std seeds seconds bytes"
    assert set(promised.split()) <= line.keys()
    assert line["accuracy"] == [0.5, 0.75] and line["seeds"] == [0, 1] and line["selected_step"] == 100
    assert (line["accuracy_mean"], line["accuracy_std"]) == (0.625, 0.125)
    assert line["bytes"] == 2644 and line["bytes_by_part"]["images"] == 2560
    assert line["published"] is None and line["published_source"] is None


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.builds(
            make_tiny_row,
            accuracy=st.tuples(st.floats(0, 1), st.floats(0, 1)),
            ipc=st.sampled_from([1, 10]),
            dataset=st.sampled_from(["digits", "mnist"]),
            protocol=st.sampled_from(["dsa-v1", "mtt-v1"]),
            network=st.sampled_from(["convnet-d3", "mlp"]),
            selection=st.sampled_from(["last", "validation", "oracle"]),
        ),
        max_size=12,
    )
)
def test_only_honest_equals_are_ranked(rows):
    lines = board(rows)
    assert len(lines) == len(rows)
    groups = {}
    for line in lines:
        groups.setdefault(tuple(line[key] for key in GROUP), []).append(line)
    for group in groups.values():
        honest = [line for line in group if line["selection"] != "oracle"]
        assert group[: len(honest)] == honest
        means = [line["accuracy_mean"] for line in honest]
        assert means == sorted(means, reverse=True)
        best = [line["accuracy_mean"] for line in group if line["best"]]
        assert best == ([max(means)] if len(honest) > 1 else [])


def test_groups_stand_together():
    rows = [make_tiny_row(dataset=name, ipc=ipc) for ipc in (10, 1) for name in ("mnist", "digits")]
    order = list(zip(*(leaderboard(rows)[key] for key in ("dataset", "ipc")), strict=True))
    assert order == [("digits", 1), ("digits", 10), ("mnist", 1), ("mnist", 10)]


def test_text_is_aligned_and_complete():
    note = "no learned learning rate: trained with 0.01"
    rows = [
        make_tiny_row(accuracy=(0.876, 0.91)),
        make_tiny_row(accuracy=(0.7, 0.72), seconds=0.02, note=note, **RANDOM),
        make_tiny_row(accuracy=(1.0, 1.0), selection="oracle", seconds=4000.0),
        make_tiny_row(ipc=10, accuracy=(0.95, 0.97)),
    ]
    text = render(rows, details=True)
    title, head, best, other, oracle, gap, ten = text.splitlines()[:7]
    assert title == "digits · mtt-v1 · convnet-d2-w32" and gap == ""
    assert head.split() == ["method", "ipc", "accuracy", "selection", "seeds", "seconds", "bytes", "points/kB"]
    assert " ".join(best.split()) == "mtt * 1 89.3 ± 1.7 % validation 2 41 s 2.6 kB 33.8"
    assert " ".join(other.split()) == "random 1 71.0 ± 1.0 % validation 2 0.0 s 2.6 kB 26.9"
    assert " ".join(oracle.split()) == "mtt 1 100.0 ± 0.0 % oracle ! 2 1 h 06 min 2.6 kB 37.8"
    assert ten.split()[:2] == ["mtt", "10"]
    assert len({len(line) for line in (best, other, oracle, ten)}) == 1
    assert f"random: {note}" in text and "test split" in text


def test_student_is_shown_where_it_is_another_network():
    assert "student" not in render([make_tiny_row(), make_tiny_row(**RANDOM)])
    assert "convnet-d2-w32" in render([make_tiny_row(network="mlp")]).splitlines()[2]


def test_published_number_stands_beside():
    row = make_tiny_row(dataset="cifar10", network="convnet-d3", student="convnet-d3")
    (line,) = board([row])
    assert (line["published"], line["published_std"]) == (0.463, 0.008) and line["published_source"]
    assert line["accuracy_mean"] == 0.625
    assert "46.3 ± 0.8 %" in render([row]) and "46.3 ± 0.8 %" in render([row], "markdown")
    (jpeg,) = board([make_tiny_row(dataset="cifar10-jpeg", network="convnet-d3")])
    assert jpeg["published"] == 0.463 and jpeg["published_source"].endswith("(for cifar10)")


def test_number_reported_in_the_row_is_the_second_choice():
    (line,) = board([make_tiny_row(reported=0.7)])
    assert line["published"] == 0.7 and line["published_source"] == "reported in the row"


def test_csv_is_read_back():
    rows = [make_tiny_row(), make_tiny_row(selected_step=None, **RANDOM)]
    lines = list(csv.DictReader(io.StringIO(render(rows, "csv"))))
    assert [line["method"] for line in lines] == ["mtt", "random"]
    assert (
        lines[0]["accuracy"] == "0.5;0.75" and lines[0]["seeds"] == "0;1" and float(lines[0]["accuracy_mean"]) == 0.625
    )
    assert (lines[0]["selected_step"], lines[1]["selected_step"], lines[1]["student"]) == ("100", "", "")


def test_markdown_is_a_table():
    lines = render([make_tiny_row(), make_tiny_row(**RANDOM)], "markdown").splitlines()
    assert lines[0] == "### digits · mtt-v1 · convnet-d2-w32"
    assert len({line.count("|") for line in lines[2:6]}) == 1 and lines[2].startswith("| method | ipc |")


def test_no_rows():
    assert render([]) == render([], "markdown") == "There are no rows yet."
    assert render([], "json") == "[]"
    assert render([], "csv").startswith("dataset,ipc,protocol,network,conditions,method")


def test_unknown_form():
    with pytest.raises(UserError, match="did you mean 'markdown'"):
        render([], "markdwon")


def test_latex_has_a_table_of_booktabs_for_each_block_and_escapes_names():
    rows = [make_tiny_row(label="50% of_it", ipc=1), make_tiny_row(label="50% of_it", ipc=10)]
    text = render([*rows, make_tiny_row(protocol="dm-v1")], "latex")
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == 2
    assert r"50\% of\_it" in text and r"$\pm$" in text
    assert all(line.startswith("% ") for line in text.split(r"\end{tabular}")[-1].strip().splitlines())


def test_published_numbers_are_in_our_words():
    found = published_numbers()
    assert len(found) > 300
    for key, number in found.items():
        assert key == (number.method, number.dataset, number.ipc, number.network)
        assert number.method == number.method.lower() and number.source
        assert 0.01 < number.accuracy < 1 and (number.std is None or 0 < number.std < 0.1)
    for name in {number.network for number in found.values()}:
        assert canonical_network_name(name) == name
    for name in {number.dataset for number in found.values()}:
        check_dataset_name(name)


def test_published_numbers_known_by_heart():
    assert (found := look_up("mtt", "cifar10", 50, "resnet18")) and (found.accuracy, found.std) == (0.619, 0.007)
    assert (found := look_up("ftd", "cifar10", 50, "alexnet")) and (found.accuracy, found.std) == (0.538, 0.009)
    assert look_up("mtt", "cifar10", 51, "convnet-d3") is None


def test_units():
    assert [duration(s) for s in (0.04, 9.96, 59.4, 59.6, 200, 3599.6, 18720)] == [
        "0.0 s",
        "10 s",
        "59 s",
        "1 min 00 s",
        "3 min 20 s",
        "1 h 00 min",
        "5 h 12 min",
    ]
    assert [size(b) for b in (0, 999, 1000, 10320, 123_456, 30_720_000, 28_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "10.3 kB",
        "123 kB",
        "30.7 MB",
        "28.0 GB",
    ]
    assert percent(0.893, 0.017) == "89.3 ± 1.7 %" and percent(0.5, None) == "50.0 %" and percent(None, 0.1) == ""
