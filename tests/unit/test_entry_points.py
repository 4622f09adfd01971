"""Packages of others, found by their entry points in each of the forms that people write."""

import sys

import pytest

from ddbench.errors import UserError
from ddbench.registry import Registry

GROUP = "ddbench_test.things"
TABLE = Registry("thing", {}, group=GROUP)

MODULE = """
from test_entry_points import TABLE

class Plain:
    pass

@TABLE.register("first")
class First:
    pass

@TABLE.register("second")
class Second:
    pass
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package with these entry points and modules, and gives a table that knows of none yet."""

    def install(points, modules):
        for name, text in modules.items():
            file = tmp_path / f"{name.replace('.', '/')}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        info = tmp_path / "things-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: things\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n" + "\n".join(points))
        monkeypatch.syspath_prepend(str(tmp_path))
        table = Registry("thing", {}, group=GROUP)
        monkeypatch.setattr(sys.modules[__name__], "TABLE", table)
        monkeypatch.setitem(sys.modules, "test_entry_points", sys.modules[__name__])
        return table

    before = set(sys.modules)
    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_class_is_imported_when_it_is_asked_for(package):
    table = package(["plain = one_thing:Plain"], {"one_thing": MODULE})
    assert table.names() == ["plain"] and "one_thing" not in sys.modules
    assert table.get("plain").__name__ == "Plain"


def test_a_class_that_registers_itself_as_well_is_one(package):
    table = package(["first = two_things:First"], {"two_things": MODULE})
    assert table.get("first").__name__ == "First" and table.names() == ["first", "second"]


def test_a_module_registers_what_it_has(package):
    table = package(["anything = three_things"], {"three_things": MODULE})
    assert table.names() == ["first", "second"] and table.get("second").__name__ == "Second"


def test_a_package_registers_what_its_modules_have(package):
    modules = {"four_things.__init__": "import four_things.inner", "four_things.inner": MODULE}
    assert package(["first = four_things"], modules).names() == ["first", "second"]


def test_a_module_that_registers_nothing_says_what_to_write(package):
    table = package(["empty = five_things"], {"five_things": ""})
    with pytest.raises(UserError, match="registers no thing") as caught:
        table.names()
    assert 'empty = "five_things:Class"' in str(caught.value)


def test_a_module_that_is_not_there_is_named(package):
    with pytest.raises(UserError, match="six_things.* can not be loaded"):
        package(["lost = six_things"], {}).names()
