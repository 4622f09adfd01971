"""The default home: option, environment, ./artifacts, and ./artefacts of earlier versions."""

from pathlib import Path

import pytest

from ddbench.runtime import home
from ddbench.runtime.home import home_folder


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DDBENCH_HOME", raising=False)
    monkeypatch.setattr(home, "_reported", set())
    return tmp_path


def test_default_is_artifacts(capsys):
    assert home_folder() == Path("artifacts") and capsys.readouterr().err == ""


def test_former_default_is_used_and_reported_once(empty_folder, capsys):
    (empty_folder / "artefacts").mkdir()
    assert home_folder() == home_folder() == Path("artefacts")
    err = capsys.readouterr().err
    assert err.count("using ./artefacts") == 1 and "rename it to ./artifacts" in err


def test_new_default_wins_where_both_exist(empty_folder, capsys):
    (empty_folder / "artefacts").mkdir()
    (empty_folder / "artifacts").mkdir()
    assert home_folder() == Path("artifacts") and capsys.readouterr().err == ""


def test_a_file_of_the_former_name_is_no_home(empty_folder):
    (empty_folder / "artefacts").write_text("")
    assert home_folder() == Path("artifacts")


def test_option_and_environment_win(empty_folder, monkeypatch, capsys):
    (empty_folder / "artefacts").mkdir()
    monkeypatch.setenv("DDBENCH_HOME", "elsewhere")
    assert home_folder() == Path("elsewhere") and home_folder(Path("given")) == home_folder("given") == Path("given")
    assert capsys.readouterr().err == ""
