"""Tables of true accuracies: round trips, tables of other people, and what is wrong with a table, by file and line."""

import json

import pytest
from helpers.nas_makers import tiny_space
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.evaluate.nas import GroundTruth, read_truth, space, write_truth
from ddbench.evaluate.nas.ground_truth import differences

NETWORKS = tiny_space().networks
FACTS = {"dataset": "tiny", "real": "4ea1", "mirror": True, "protocol": ["nas-v1", "6d2"], "epochs": 2}
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"

accuracies = st.lists(st.floats(0, 1), min_size=2, max_size=2).map(tuple)
tables = st.dictionaries(st.sampled_from(NETWORKS), accuracies, min_size=1)


def written(folder, text, name="truth.csv"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("ending", ["csv", "json"])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, ending, data):
    path = tmp_path_factory.mktemp("tables") / f"truth.{ending}"
    accuracy = data.draw(tables)
    tested = data.draw(st.dictionaries(st.sampled_from(sorted(accuracy)), accuracies))
    seconds = dict.fromkeys(accuracy, 1.5)
    write_truth(GroundTruth(accuracy=accuracy, test=tested, seconds=seconds, facts=FACTS), path)
    found = read_truth(path, tiny_space())
    assert (found.accuracy, found.test, found.seconds) == (accuracy, tested, seconds)
    assert (found.facts, found.where, found.notes) == (FACTS, path.name, ())


def test_a_table_of_cells_from_elsewhere(tmp_path):
    path = written(tmp_path, f"arch,accuracy\n{CELL},0.9437\n")
    found = read_truth(path, space("nas-bench-201"))
    assert found.accuracy == {f"nb201:{CELL}": (0.9437,)} and not found.facts
    assert read_truth(path, space("nas-bench-201-n1")).accuracy == {f"nb201-n1:{CELL}": (0.9437,)}
    assert "does not say how" in differences(found, FACTS)[0]


def test_a_list_of_objects_is_a_table_too(tmp_path):
    text = json.dumps([{"network": NETWORKS[0], "accuracy": 0.5}, {"arch": NETWORKS[1], "accuracies": [0.25, 0.75]}])
    found = read_truth(written(tmp_path, text, "truth.json"), tiny_space())
    assert found.accuracy == {NETWORKS[0]: (0.5,), NETWORKS[1]: (0.25,)}
    assert found.notes == ("networks of truth.json have 1 to 2 seeds: the first 1 of each are compared",)


def test_names_are_read_however_they_are_written_and_networks_of_elsewhere_are_noted(tmp_path):
    lines = "# a comment\n\nnetwork,accuracy\n\nconvnet-w4-d1-avgpool,0.5\nconvnet-d3,0.9\n"
    found = read_truth(written(tmp_path, lines), tiny_space())
    assert found.accuracy == {"convnet-d1-w4": (0.5,)}
    assert found.notes == ("1 networks of truth.csv are not of tiny",)


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("arch,accurcy\nconvnet-d1-w4,0.5\n", "did you mean 'accuracy'", "truth.csv, line 1"),
        ("arch\nconvnet-d1-w4\n", "names networks and accuracies", "truth.csv, line 1"),
        ("", "names networks and accuracies", "truth.csv, line 1"),
        ("arch,accuracy\nconvnet-d1-w4,0.5\nconvnet-d9,0.5\n", "there is no convnet axis 'd9'", "truth.csv, line 3"),
        ("arch,accuracy\n\nresnet19,0.5\n", "did you mean 'resnet18'", "truth.csv, line 3"),
        ("arch,accuracy\nconvnet-d1-w4,0.5\nconvnet-w4-d1,0.6\n", "in the table twice", "truth.csv, line 3"),
        ("arch,accuracy\nconvnet-d1-w4,93.4\n", "accuracy 93.4 is no fraction", "truth.csv, line 2"),
        ("arch,accuracy\nconvnet-d1-w4,nan\n", "'nan' is no number", "truth.csv, line 2"),
        ("arch,accuracy\nconvnet-d1-w4,high\n", "'high' is no number", "truth.csv, line 2"),
        ("arch,accuracy\nconvnet-d1-w4,-0.1\n", "'-0.1' is no number", "truth.csv, line 2"),
        ("arch,accuracy\nconvnet-d1-w4,\n", "has no accuracy", "truth.csv, line 2"),
        ("arch,accuracy\n,0.5\n", "names no network", "truth.csv, line 2"),
        ("arch,accuracy\nconvnet-d1-w4\n", "more or fewer cells", "truth.csv, line 2"),
        ("arch,accuracy\nconvnet-d1-w4,0.5,0.6\n", "more or fewer cells", "truth.csv, line 2"),
        ("arch,accuracy\nconvnet-d3,0.5\n", "has no network of the space tiny", "truth.csv"),
        ('arch,accuracy\n"convnet-d1-w4,0.5\n', "no table that can be read", "truth.csv"),
        ("# ddbench nas truth {oops\narch,accuracy\nconvnet-d1-w4,0.5\n", "no table that can be read", "truth.csv"),
    ],
)
def test_what_is_wrong_with_a_csv_is_told_by_line(tmp_path, text, message, where):
    with pytest.raises(UserError) as error:
        read_truth(written(tmp_path, text), tiny_space())
    assert message in str(error.value) and where in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no table that can be read"),
        ("3", "no table of true accuracies"),
        ('{"networks": 3}', "no list of networks"),
        ('{"rows": []}', "no list of networks"),
        ('{"networks": [], "facts": 3}', "no table of true accuracies"),
        ('[{"network": 3, "accuracy": 0.5}]', "names no network"),
        ("[" * 200000, "no table that can be read"),
        ('[{"network": "convnet-d1-w4", "accuracy": 1' + "0" * 5000 + "}]", "no table that can be read"),
        ('[{"network": "convnet-d1-w4", "accuracy": 1' + "0" * 400 + "}]", "a number of 401 digits"),
        ('[{"network": "convnet-d1-w4", "accuracy": true}]', "True is no number"),
        ('[{"network": "convnet-d1-w4", "accuracy": {}}]', "{} is no number"),
        (
            '[{"network": "convnet-d1-w4", "accuracy": 0.5, "flops": 3}]',
            "there is no column of true accuracies 'flops'",
        ),
    ],
)
def test_what_is_wrong_with_a_json_is_told(tmp_path, text, message):
    with pytest.raises(UserError) as error:
        read_truth(written(tmp_path, text, "truth.json"), tiny_space())
    assert message in str(error.value) and "truth.json" in str(error.value)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(UserError, match="neither .csv nor .json"):
        read_truth(written(tmp_path, "", "truth.txt"), tiny_space())
    with pytest.raises(UserError, match="there is no table"):
        read_truth(tmp_path / "absent.csv", tiny_space())
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00arch")
    with pytest.raises(UserError, match="no table that can be read"):
        read_truth(tmp_path / "bytes.csv", tiny_space())
