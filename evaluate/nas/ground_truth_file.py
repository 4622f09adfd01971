"""The true ranking as a small table in a file, to be shared, or made by others."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ddbench.artifact import replacing
from ddbench.errors import UserError, unknown
from ddbench.evaluate.nas.ground_truth import GroundTruth
from ddbench.evaluate.nas.space import Space
from ddbench.files.json_file import LARGEST_JSON
from ddbench.files.regular_file import read_regular
from ddbench.files.strict_json import parse_json
from ddbench.files.tables import csv_text

COLUMNS = ("network", "arch", "accuracy", "accuracies", "test", "tests", "seconds")
HEAD = "# ddbench nas truth "


def _no_truth_value(cell: Any) -> Any:
    if isinstance(cell, bool):
        raise ValueError("a truth value is no number")
    return cell


def _cells(value: Any) -> Any:
    """The numbers of one cell: a list, or text with semicolons between."""
    if isinstance(value, str):
        return value.split(";") if value.strip() else ()
    return value if isinstance(value, list) else [value]


_Number = Annotated[float, BeforeValidator(_no_truth_value), Field(ge=0, allow_inf_nan=False)]
_Fraction = Annotated[_Number, Field(le=1)]
_Fractions = Annotated[tuple[_Fraction, ...], BeforeValidator(_cells)]


class _Entry(BaseModel):
    """A network of a table; one accuracy stands for all where a table has both."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)
    network: str = Field(validation_alias=AliasChoices("network", "arch"), min_length=1)
    accuracy: _Fractions = ()
    accuracies: _Fractions = ()
    test: _Fractions = ()
    tests: _Fractions = ()
    seconds: Annotated[tuple[_Number, ...], BeforeValidator(_cells)] = ()


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
        cells = [{name: _cell(value) for name, value in entry.items()} for entry in entries]
        text = HEAD + json.dumps(dict(truth.facts), sort_keys=True) + "\n" + csv_text(cells)
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
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no table that can be read: {error}", fix=_FIX) from None
    accuracy: dict[str, tuple[float, ...]] = {}
    test: dict[str, tuple[float, ...]] = {}
    seconds: dict[str, float] = {}
    outside = 0
    for location, cells in entries:
        entry = _entry(cells, location)
        network, accuracies = space.read(entry.network, location), entry.accuracies or entry.accuracy
        if not accuracies:
            raise UserError(f"{network} has no accuracy in the table", f"from  {location}", fix=_FIX)
        if network not in space:
            outside += 1
            continue
        if network in accuracy:
            raise UserError(f"{network} is in the table twice", f"from  {location}", fix="keep one of its lines")
        accuracy[network] = accuracies
        if tests := entry.tests or entry.test:
            test[network] = tests
        if entry.seconds:
            seconds[network] = entry.seconds[0]
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


def _cell(value: Any) -> Any:
    return ";".join(map(str, value)) if isinstance(value, list) else value


def _csv_entries(text: str, path: Path) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    raw = text.splitlines()
    facts = parse_json(raw[0][len(HEAD) :]) if raw and raw[0].startswith(HEAD) else {}
    above = next((number for number, entry in enumerate(raw) if entry.strip() and not entry.startswith("#")), len(raw))
    (_, columns), *lines = [*_csv_rows(raw[above:], above)] or [(0, [])]
    _require_columns(columns, f"{path}, line {above + 1}")
    entries: list[tuple[str, dict[str, Any]]] = []
    for number, cells in lines:
        location = f"{path}, line {number}"
        if len(cells) != len(columns):
            raise UserError("a line has more or fewer cells than there are columns", f"from  {location}", fix=_FIX)
        entries.append((location, dict(zip(columns, cells, strict=True))))
    return _mapping(facts, path), entries


def _csv_rows(raw: list[str], above: int) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, by their numbers in the file; the Python engine tells a missing cell from an empty one.

    Raises:
        ValueError: They are no CSV.
    """
    import pandas

    if not raw:
        return
    whole = io.StringIO("\n".join(raw))
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "skip_blank_lines": False, "engine": "python"}
    frame = pandas.read_csv(whole, header=None, names=range(2 * len(COLUMNS)), **options)
    for number, row in frame.dropna(how="all").iterrows():
        yield above + 1 + int(str(number)), row.dropna().tolist()


def _json_entries(text: str, path: Path) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    document = parse_json(text)
    listed = document if isinstance(document, list) else _mapping(document, path).get("networks")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise UserError(
            f"{path} has no list of networks", fix='write {"networks": [{"network": ..., "accuracy": ...}]}'
        )
    entries = [(f"{path}, network {number}", entry) for number, entry in enumerate(listed, start=1)]
    for location, entry in entries:
        _require_columns(entry, location)
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


def _entry(cells: Mapping[str, Any], location: str) -> _Entry:
    """Errors: UserError for the first cell that is wrong."""
    try:
        return _Entry.model_validate({name: value for name, value in cells.items() if value not in (None, "")})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    column, cell = first["loc"][0], first["input"]
    if column in ("network", "arch"):
        raise UserError("a line names no network", f"from  {location}", fix=_FIX)
    if first["type"] == "less_than_equal":
        problem, fix = f"{column} {float(cell):g} is no fraction", "write fractions: 0.9437 for 94.37 %"
    else:
        problem, fix = f"{column} {cell!r} is no number of 0 or more", _FIX
    raise UserError(problem, f"from  {location}", fix=fix)
