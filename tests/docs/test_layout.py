"""The layout can not rot: links, package map, wheel content, and which room may import which."""

import ast
import configparser
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
PACKAGES = SETUP["options"]["packages"].split()
PLACES = dict(line.split(" = ") for line in SETUP["options"]["package_dir"].strip().splitlines())
ROOMS = ("methods", "evaluate", "expert_buffers", "configs")


def folder_of(package: str) -> Path:
    if package in PLACES:
        return ROOT / PLACES[package]
    return ROOT / package.replace(".", "/")


def test_every_link_points_where_the_package_map_says():
    for room in ROOMS:
        link = ROOT / "ddbench" / room
        if not link.is_symlink():
            pytest.skip("this checkout has no symbolic links; an installed ddbench needs none")
        assert os.readlink(link) == f"../{room}"
        assert PLACES[f"ddbench.{room}"] == room


def test_every_package_is_listed():
    found = {
        f"ddbench.{path.parent.relative_to(ROOT / 'ddbench').as_posix().replace('/', '.')}".rstrip(".")
        for path in (ROOT / "ddbench").rglob("__init__.py")
        if not any((ROOT / "ddbench" / part).is_symlink() for part in path.relative_to(ROOT / "ddbench").parts[:1])
    }
    inside = {
        ".".join(("ddbench", *path.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert {*found, *inside, *(f"ddbench.{room}" for room in ROOMS)} == set(PACKAGES)


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {name for name in found if name.startswith("ddbench")}


FLOORS = (
    ("errors", "version", "randomness"),
    ("files", "registry"),
    ("artifact",),
    ("recipe", "runtime", "networks"),
    ("data", "augmentation", "unroll"),
    ("training", "estimates"),
    ("synthetic",),
    ("expert_buffers", "distillation", "formats", "method"),
    ("graphs",),
    ("methods", "evaluate", "figures", "configs"),
    ("pipeline",),
    ("plan",),
    ("domains",),
    ("commands", "api", "testing"),
)
"""Rooms of the package from the ground up: each may import those below it, and, but for methods and evaluation, its own
floor. The front door ``ddbench/__init__.py`` leads to the roof."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module: str) -> str:
    """The room of a module: the first name after ``ddbench``; the package itself is its version."""
    return module.split(".")[1] if "." in module else "version"


def may_import(room: str, other: str) -> bool:
    apart = {"methods", "evaluate"}
    return room == other or FLOOR[other] < FLOOR[room] or (FLOOR[other] == FLOOR[room] and not {room, other} <= apart)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package):
    for path in folder_of(package).glob("*.py"):
        if path in (ROOT / "ddbench" / "__init__.py", ROOT / "ddbench" / "__main__.py"):
            continue
        room = path.stem if package == "ddbench" else room_of(package)
        for name in imports_of(path):
            assert may_import(room, room_of(name)), f"{path.relative_to(ROOT)} imports {name}"


def test_light_modules_import_no_torch():
    code = (
        "import sys, ddbench, ddbench.errors, ddbench.registry, ddbench.randomness, ddbench.artifact\n"
        "import ddbench.recipe, ddbench.recipe.recipe, ddbench.commands, ddbench.methods\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_evaluate_guards_its_name():
    done = subprocess.run([sys.executable, "-c", "import evaluate"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and "this folder is the package 'ddbench.evaluate'" in done.stderr


def test_no_file_is_long():
    long = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for package in PACKAGES
        for path in folder_of(package).glob("*.py")
    }
    assert {name: lines for name, lines in long.items() if lines > 300} == {}


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_recipe(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("ddbench/")}
    expected = {"ddbench/py.typed"}
    for package in PACKAGES:
        folder = folder_of(package)
        files = [path for kind in ("*.py", "*.yaml", "*.csv", "*.html", "*.css", "*.js") for path in folder.glob(kind)]
        expected |= {f"{package.replace('.', '/')}/{path.name}" for path in files}
    assets = folder_of("ddbench.evaluate.leaderboard.page") / "assets"
    expected |= {f"ddbench/evaluate/leaderboard/page/assets/{path.name}" for path in assets.iterdir()}
    expected |= {f"ddbench/configs/smoke/{path.name}" for path in (ROOT / "configs" / "smoke").glob("*.yaml")}
    assert inside == expected
