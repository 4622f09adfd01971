"""The true ranking as a small table in a file, to be shared, or made by others."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from ddbench.artifact import replacing
from ddbench.errors import UserError, unknown
from ddbench.evaluate.nas.ground_truth import GroundTruth
from ddbench.evaluate.nas.space import Space
from ddbench.files.json_file import LARGEST_JSON
from ddbench.files.regular_file import read_regular
from ddbench.files.strict_json import parse_json

COLUMNS = ("network", "arch", "accuracy", "accuracies", "test", "tests", "seconds")
HEAD = "# ddbench nas truth "


def write_truth(truth: GroundTruth, path: Path) -> None:
    """Write a table, atomically.

    Args:
        truth: Table of true accuracies.
        path: ``.json``, or ``.csv`` with the facts in a comment on its first line.

    Raises:
        UserError: Another ending.
    """
    entries = [
        {
            "network": network,
            "accuracy": round(fmean(accuracies), 6),
            "accuracies": list(accuracies),
            "test": round(fmean(tests), 6) if (tests := truth.test.get(network)) else None,
            "tests": list(tests or ()),
            "seconds": round(truth.seconds[network], 3) if network in truth.seconds else None,
        }
        for network, accuracies in truth.accuracy.items()
    ]
    if _form(path) == ".json":
        text = json.dumps({"facts": dict(truth.facts), "networks": entries}, indent=1)
    else:
        text = HEAD + json.dumps(dict(truth.facts), sort_keys=True) + "\n" + _as_csv(entries)
    with replacing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def read_truth(path: Path, space: Space) -> GroundTruth:
    """A table that :func:`write_truth` wrote, or one of the user's with the columns arch (or network) and accuracy.

    Args:
        path: ``.json`` or ``.csv``; accuracies are fractions.
        space: Space of the ranking; networks that are not of it are left out, with a note.

    Returns:
        The table, its networks by their canonical names.

    Raises:
        UserError: An unknown column or network, a network that comes twice, and a number that is no fraction; the error
            names file and line.
    """
    content = read_regular(path, "table of true accuracies", most=LARGEST_JSON)
    try:
        text = content.decode("utf-8-sig")
        facts, entries = _json_entries(text, path) if _form(path) == ".json" else _csv_entries(text, path)
    except (ValueError, RecursionError, csv.Error) as error:
        raise UserError(f"{path} is no table that can be read: {error}", fix=_FIX) from None
    accuracy: dict[str, tuple[float, ...]] = {}
    test: dict[str, tuple[float, ...]] = {}
    seconds: dict[str, float] = {}
    outside = 0
    for location, entry in entries:
        network = _network(entry, location, space)
        accuracies = _fractions(entry, "accuracies", location) or _fractions(entry, "accuracy", location)
        if not accuracies:
            raise UserError(f"{network} has no accuracy in the table", f"from  {location}", fix=_FIX)
        if network not in space:
            outside += 1
            continue
        if network in accuracy:
            raise UserError(f"{network} is in the table twice", f"from  {location}", fix="keep one of its lines")
        accuracy[network] = accuracies
        if tests := _fractions(entry, "tests", location) or _fractions(entry, "test", location):
            test[network] = tests
        if took := _numbers(entry, "seconds", location):
            seconds[network] = took[0]
    if not accuracy:
        raise UserError(f"{path} has no network of the space {space.name}", fix="choose its space with --space")
    fewest, most = (pick(len(values) for values in accuracy.values()) for pick in (min, max))
    notes = [f"{outside} networks of {path.name} are not of {space.name}"] if outside else []
    if fewest < most:
        notes.append(f"networks of {path.name} have {fewest} to {most} seeds: the first {fewest} of each are compared")
    return GroundTruth(
        accuracy={network: values[:fewest] for network, values in accuracy.items()},
        test=test,
        seconds=seconds,
        facts=facts,
        where=path.name,
        notes=tuple(notes),
    )


_FIX = "write lines such as  arch,accuracy  and below  convnet-d3-w64,0.8137  (fractions), or use ddbench nas truth"


def _form(path: Path) -> str:
    if path.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"{path} is neither .csv nor .json", fix="a table of true accuracies is one of these")
    return path.suffix.lower()


def _as_csv(entries: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [column for column in COLUMNS if column != "arch"]
    writer.writerow(columns)
    for entry in entries:
        cells = (entry[column] for column in columns)
        writer.writerow([";".join(map(str, cell)) if isinstance(cell, list) else cell for cell in cells])
    return text.getvalue().rstrip("\n")


def _csv_entries(text: str, path: Path) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    raw = text.splitlines()
    facts = parse_json(raw[0][len(HEAD) :]) if raw and raw[0].startswith(HEAD) else {}
    above = next((number for number, entry in enumerate(raw) if entry.strip() and not entry.startswith("#")), len(raw))
    reader = csv.DictReader(raw[above:], strict=True)
    _require_columns(reader.fieldnames or (), f"{path}, line {above + 1}")
    entries: list[tuple[str, dict[str, Any]]] = []
    for entry in reader:
        location = f"{path}, line {above + reader.line_num}"
        if None in entry or None in entry.values():
            raise UserError("a line has more or fewer cells than there are columns", f"from  {location}", fix=_FIX)
        entries.append((location, {key: cell.split(";") for key, cell in entry.items() if cell.strip()}))
    return _mapping(facts, path), entries


def _json_entries(text: str, path: Path) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    document = parse_json(text)
    listed = document if isinstance(document, list) else _mapping(document, path).get("networks")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise UserError(
            f"{path} has no list of networks", fix='write {"networks": [{"network": ..., "accuracy": ...}]}'
        )
    entries: list[tuple[str, dict[str, Any]]] = []
    for number, entry in enumerate(listed, start=1):
        location = f"{path}, network {number}"
        _require_columns(entry, location)
        cells = {
            key: value if isinstance(value, list) else [value] for key, value in entry.items() if value is not None
        }
        entries.append((location, cells))
    return _mapping({} if isinstance(document, list) else document.get("facts", {}), path), entries


def _mapping(facts: object, path: Path) -> dict[str, Any]:
    if not isinstance(facts, dict):
        raise UserError(f"{path} is no table of true accuracies", fix=_FIX)
    return facts


def _require_columns(names: Iterable[str], location: str) -> None:
    columns = list(names)
    for column in columns:
        if column not in COLUMNS:
            raise unknown("column of true accuracies", str(column), COLUMNS, location)
    if not {"network", "arch"} & set(columns) or not {"accuracy", "accuracies"} & set(columns):
        raise UserError("a table of true accuracies names networks and accuracies", f"from  {location}", fix=_FIX)


def _network(entry: Mapping[str, list[Any]], location: str, space: Space) -> str:
    named = entry.get("network") or entry.get("arch")
    if not named or not isinstance(named[0], str):
        raise UserError("a line names no network", f"from  {location}", fix=_FIX)
    return space.read(named[0].strip(), location)


def _numbers(entry: Mapping[str, list[Any]], column: str, location: str) -> tuple[float, ...]:
    numbers = []
    for cell in entry.get(column, ()):
        try:
            value = float("nan" if isinstance(cell, bool) else cell)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise UserError(f"{column} {cell!r} is no number of 0 or more", f"from  {location}", fix=_FIX)
        numbers.append(value)
    return tuple(numbers)


def _fractions(entry: Mapping[str, list[Any]], column: str, location: str) -> tuple[float, ...]:
    fractions = _numbers(entry, column, location)
    for value in fractions:
        if value > 1:
            raise UserError(
                f"{column} {value:g} is no fraction", f"from  {location}", fix="write fractions: 0.9437 for 94.37 %"
            )
    return fractions
