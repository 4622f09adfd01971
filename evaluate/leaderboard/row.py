"""One leaderboard entry: one JSON file that keeps every accuracy, its seeds, its cost and what would reproduce it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from statistics import fmean, pstdev
from typing import Any, ClassVar, Literal

from ddbench.artifact import fingerprint, read_json, write_json
from ddbench.errors import UserError, nearest
from ddbench.evaluate.leaderboard.test_split import EvalSplit

SCHEMA = 2
"""Since 2 a row says what it was tested on, and the seed of its distillation."""

Selection = Literal["last", "validation", "oracle"]
RowSelection = Literal["last", "validation", "oracle", "given"]
"""How the set of a row was chosen; "given": it came as it is, and nothing is known of what it was chosen from."""
LrPolicy = Literal["protocol", "search"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A synthetic set scored by one protocol on one network.

    network: trained at evaluation; student: trained during distillation, None where none was. accuracy: fractions of
    the test split, one a fresh network, in the order of ``seeds``. seconds: of distillation; expert_seconds: of the
    expert buffer, which many runs share; evaluation_seconds: of all the fresh networks. peak_bytes: while distilling.
    bytes: the ledger, what the set costs to store by part (images, all label versions, learned rate and whatever else
    it carries); charged: what the paper of the method counts instead, by part, empty where that is the same;
    label_versions: how many labels an image has; items: how many graphs or forests a set of graphs has; roc_auc: of
    graphs, beside the accuracies and in their order, a fraction; steps: optimiser steps that every set was trained
    with, None for those of the protocol; compiled: whether the networks' training steps were, which changes rounding
    alone; teachers: bytes of each network that labels while networks are trained, listed apart. lr: the rate the fresh
    networks began with; lr_policy: whether the protocol gave it, or it was searched among lr_tried, on validation, as
    for every other method. tested_on: identity of the test split, None in rows of schema 1. distillation_seed:
    from which the set was made, None where nobody knows. unranked: why the row can not be the best of its group, empty
    where it can. pool: the pools of networks it was asked for with, by name, with commas between. recipe: fully
    resolved, empty for a set that came from elsewhere. reported: the accuracy that the source of the method prints,
    never ours. No host name, no path of a machine.
    Errors: ValueError when the accuracies are none, not one a seed, or not fractions; for rates that are not positive;
    and for times, bytes and counts that are negative, not finite, or beyond 64 bits.
    """

    schema: int = SCHEMA
    method: str
    label: str
    dataset: str
    ipc: int
    network: str
    student: str | None
    protocol: str
    selection: RowSelection
    selected_step: int | None = None
    accuracy: tuple[float, ...]
    seeds: tuple[int, ...]
    seconds: float
    expert_seconds: float = 0.0
    evaluation_seconds: float
    peak_bytes: int
    bytes: dict[str, int]
    charged: dict[str, int] = field(default_factory=dict)
    label_versions: int = 1
    items: int | None = None
    roc_auc: tuple[float, ...] = ()
    steps: int | None = None
    compiled: bool = False
    teachers: dict[str, int] = field(default_factory=dict)
    teachers_fingerprint: str | None = None
    lr: float | None = None
    lr_policy: LrPolicy = "protocol"
    lr_tried: tuple[float, ...] = ()
    pool: str | None = None
    device: str
    code: str
    versions: dict[str, str]
    synthetic_sha256: str
    buffer_fingerprint: str | None = None
    real_fingerprint: str
    tested_on: EvalSplit | None = None
    preprocessing_fingerprint: str
    distillation_seed: int | None = None
    unranked: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    reported: float | None = None

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not self.accuracy:
            raise ValueError("a row needs at least one accuracy")
        if len(self.accuracy) != len(self.seeds):
            raise ValueError(f"{len(self.accuracy)} accuracies for {len(self.seeds)} seeds")
        if self.roc_auc and len(self.roc_auc) != len(self.seeds):
            raise ValueError(f"{len(self.roc_auc)} values of roc_auc for {len(self.seeds)} seeds")
        reported = () if self.reported is None else (self.reported,)
        if not all(0.0 <= value <= 1.0 for value in (*self.accuracy, *self.roc_auc, *reported)):
            raise ValueError(
                "accuracy, roc_auc and reported are fractions in [0, 1], "
                f"not {self.accuracy}, {self.roc_auc} and {self.reported}"
            )
        _require_amounts(self)

    @property
    def accuracy_mean(self) -> float:
        return fmean(self.accuracy)

    @property
    def accuracy_std(self) -> float:
        """Population standard deviation (ddof 0), the one that the field's tables print; 0 for a single network."""
        return pstdev(self.accuracy)

    @property
    def made_with_seed(self) -> int | None:
        """Seed of the distillation, also of rows that say it in their recipe alone; None where nobody knows."""
        if self.distillation_seed is not None or self.selection == "given":
            return self.distillation_seed
        seed = self.recipe.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def score(self) -> tuple[float, ...]:
        """What rows are ranked by, one value a network: ROC-AUC where there is one, else accuracy."""
        return self.roc_auc or self.accuracy

    @property
    def score_mean(self) -> float:
        return fmean(self.score)

    @property
    def score_std(self) -> float:
        """Population standard deviation."""
        return pstdev(self.score)

    @property
    def total_bytes(self) -> int:
        """Of the ledger: without teachers."""
        return sum(self.bytes.values())

    @property
    def accuracy_per_byte(self) -> float | None:
        """Mean accuracy, a fraction, for each byte of the ledger; None where it says nothing."""
        return self.accuracy_mean / self.total_bytes if self.total_bytes else None

    @property
    def conditions(self) -> str:
        """What networks were trained under beyond the protocol; empty where there is nothing to say.

        Graphs have no test split of their own: it follows from the seed, so rows say which one they are of.
        """
        searched = f"rate searched on validation among {', '.join(f'{rate:g}' for rate in self.lr_tried)}"
        taught = f"labelled by {', '.join(sorted(self.teachers))} ({(self.teachers_fingerprint or '')[:8]})"
        stored = self.label_versions > 1 and not self.teachers
        told = [
            f"split {self.real_fingerprint[:8]}" if self.roc_auc else "",
            f"{self.steps} steps each" if self.steps else "",
            searched if self.lr_policy == "search" else "",
            taught if self.teachers else "",
            f"{self.label_versions} stored labels an image" if stored else "",
        ]
        return "; ".join(filter(None, told))

    @property
    def pools(self) -> tuple[str, ...]:
        """The names in ``pool``."""
        return tuple(filter(None, (self.pool or "").split(",")))

    @property
    def question(self) -> str:
        """Eight digits for what was asked, not for what came out: asked again, a row takes its predecessor's place.

        A set without a recipe, or one that came as it is, is asked about by its own hash.
        """
        asked: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("method", "label", "dataset", "ipc", "network", "student", "protocol", "selection", "seeds")
        }
        asked["recipe"] = (self.selection != "given" and self.recipe) or self.synthetic_sha256
        asked["real"] = self.real_fingerprint
        if self.lr_policy != "protocol":
            asked["lr"] = [self.lr_policy, self.lr_tried]
        if self.teachers:
            asked["teachers"] = self.teachers_fingerprint
        if self.steps:
            asked["steps"] = self.steps
        return fingerprint(asked)[:8]

    def path(self, folder: Path) -> Path:
        """Where the row lies under a results folder: ``<dataset>/ipc<n>/<method>-<question>.json``."""
        return folder_of(folder, self.dataset, self.ipc) / f"{_slug(self.method)}-{self.question}.json"

    def save(self, folder: Path) -> Path:
        """Write the row atomically; the same question asked again is answered in the same file."""
        path = self.path(folder)
        write_json(path, asdict(self))
        return path


def _require_amounts(row: Row) -> None:
    rates = (*row.lr_tried, *(() if row.lr is None else (row.lr,)))
    if not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise ValueError(f"lr and lr_tried are positive numbers, not {row.lr} and {row.lr_tried}")
    for name in ("seconds", "expert_seconds", "evaluation_seconds"):
        if not (math.isfinite(value := getattr(row, name)) and value >= 0):
            raise ValueError(f"{name} is a finite number of 0 or more, not {value}")
    for name, least, values in (
        ("ipc", 1, (row.ipc,)),
        ("selected_step", 0, () if row.selected_step is None else (row.selected_step,)),
        ("peak_bytes", 0, (row.peak_bytes,)),
        ("bytes", 0, (*row.bytes.values(), row.total_bytes)),
        ("charged", 0, (*row.charged.values(), sum(row.charged.values()))),
        ("label_versions", 1, (row.label_versions,)),
        ("items", 0, () if row.items is None else (row.items,)),
        ("steps", 1, () if row.steps is None else (row.steps,)),
        ("teachers", 0, (*row.teachers.values(), sum(row.teachers.values()))),
        ("seeds", -_MOST, row.seeds),
    ):
        if not all(least <= value <= _MOST for value in values):
            raise ValueError(f"{name} is from {least} to {_MOST}, not {values}")


_MOST = 2**63 - 1
_MISNAMED = "unexpected_keyword_argument"


def folder_of(results: Path, dataset: str, ipc: int) -> Path:
    """Where the rows of a data set at an ipc lie under a results folder."""
    return results / _slug(dataset) / f"ipc{ipc}"


def load_row(path: Path) -> Row:
    """Read one row. Errors: UserError that names the file and the key that is wrong."""
    from pydantic import TypeAdapter, ValidationError

    document = read_json(path, "row of the leaderboard")
    if isinstance(document, dict) and isinstance(found := document.get("schema"), int) and found > SCHEMA:
        raise UserError(f"{path} was written by a newer ddbench", f"key   schema: {found}", fix="upgrade ddbench")
    try:
        return TypeAdapter(Row).validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = next((problem for problem in problems if problem["type"] == _MISNAMED), problems[0])
        key = ".".join(str(part) for part in first["loc"])
        guess = nearest(key, Row.__dataclass_fields__) if first["type"] == _MISNAMED else None
        raise UserError(
            f"{path} is not a row of the leaderboard",
            f"key   {key}" if key else "",
            f"why   {first['msg']}",
            fix=f"did you mean {guess!r}?" if guess else "restore the file, or delete it and evaluate again",
        ) from None


def load_rows(folders: Iterable[Path]) -> list[Row]:
    """Every row under these folders (or the row files themselves), in the order of their paths, each file once.

    Errors: UserError for a folder that does not exist, and for the first file that is not a row.
    """
    paths: set[Path] = set()
    for folder in folders:
        if not folder.exists():
            raise UserError(
                f"there is no folder of results at {folder}", fix="run a recipe first, or give another folder"
            )
        paths.update(path.resolve() for path in (folder.rglob("*.json") if folder.is_dir() else [folder]))
    return [load_row(path) for path in sorted(paths)]


def without_paths(document: Any) -> Any:
    """A JSON document in which every absolute path (also as ``folder:/a/b``) has shrunk to its last component."""
    if isinstance(document, dict):
        return {key: without_paths(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [without_paths(value) for value in document]
    if isinstance(document, PurePath):
        return document.name
    if isinstance(document, str) and (found := _ABSOLUTE.match(document)):
        return found["kind"] + re.split(r"[/\\]", document.rstrip("/\\"))[-1]
    return document


_ABSOLUTE = re.compile(r"(?P<kind>(?:[a-z]{2,}:)?)(?:[/\\~]|[A-Za-z]:[/\\])")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-.") or "unnamed"
