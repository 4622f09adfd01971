"""One leaderboard entry: one JSON file that keeps every accuracy, its seeds, its cost and what would reproduce it."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, ClassVar, Literal

from ddbench.artifact import fingerprint, read_json, write_json
from ddbench.errors import UserError, nearest
from ddbench.evaluate.leaderboard.row_checks import check_values, inferred_domain, slug
from ddbench.evaluate.leaderboard.row_checks import without_paths as without_paths
from ddbench.evaluate.leaderboard.test_split import EvalSplit
from ddbench.recipe.renamed_keys import recipe_with_current_names, recipe_with_former_names
from ddbench.runtime.precision import Precision

SCHEMA = 3
"""Since 2 a row says what it was tested on, and the seed of its distillation; since 3, of which domain it is."""

Selection = Literal["last", "validation", "oracle"]
RowSelection = Literal["last", "validation", "oracle", "given"]
"""How the set of a row was chosen; "given": it came as it is, and nothing is known of what it was chosen from."""
LrPolicy = Literal["protocol", "search"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A synthetic set scored by one protocol on one network.

    A row holds no host name and no path of a machine.

    Raises:
        ValueError: The accuracies are none, not one per seed, or not fractions; rates are not positive; times, bytes or
            counts are negative, not finite, or beyond 64 bits.
    """

    schema: int = SCHEMA
    """Version of the file format."""
    method: str
    """Name of the method."""
    label: str
    """Name of the method in its recipe."""
    domain: str = "images"
    """Domain of the data: ``images``, ``graphs``, or one of a plugin."""
    dataset: str
    """Name of the real set."""
    ipc: int
    """Images per class that the set stores."""
    network: str
    """Network trained at evaluation."""
    student: str | None
    """Network trained during distillation; None where none was."""
    protocol: str
    """Key of the evaluation protocol, such as ``mtt-v1``."""
    selection: RowSelection
    """Rule by which the set was chosen among its candidates."""
    selected_step: int | None = None
    """Outer step of the chosen set; None where nobody knows."""
    accuracy: tuple[float, ...]
    """Top-1 accuracies on the test split, fractions in the order of ``seeds``."""
    seeds: tuple[int, ...]
    """Evaluation seeds, one fresh network each."""
    seconds: float
    """Seconds of the distillation."""
    expert_seconds: float = 0.0
    """Seconds of the expert buffer, which many runs share."""
    evaluation_seconds: float
    """Seconds of all fresh networks together."""
    peak_bytes: int
    """Peak memory while distilling."""
    bytes: dict[str, int]
    """Bytes that storing the set takes, by part: images, all label versions, learned rate and whatever else."""
    charged: dict[str, int] = field(default_factory=dict)
    """Bytes that the method's paper counts instead, by part; empty where that is the same."""
    label_versions: int = 1
    """Labels that each image has."""
    items: int | None = None
    """Graphs or forests in a set of graphs; None for images."""
    roc_auc: tuple[float, ...] = ()
    """ROC-AUCs of graphs, fractions in the order of ``seeds``; empty for images."""
    steps: int | None = None
    """Updates that every set was trained with; None for those of the protocol."""
    compiled: bool = False
    """Whether training steps of the networks were compiled, which changes rounding alone."""
    precision: Precision = "float32"
    """Precision of products and convolutions; in files only where it is another than this."""
    teachers: dict[str, int] = field(default_factory=dict)
    """Bytes of each network that labels during training, not part of ``bytes``."""
    teachers_fingerprint: str | None = None
    """Fingerprint of those networks; None where there are none."""
    lr: float | None = None
    """Learning rate that the fresh networks began with."""
    lr_policy: LrPolicy = "protocol"
    """Origin of that rate: the protocol, or a search on validation, as for every other method."""
    lr_tried: tuple[float, ...] = ()
    """Rates that the search tried."""
    pool: str | None = None
    """Names of the network pools it was requested with, separated by commas."""
    device: str
    """Name of the device that evaluated."""
    code: str
    """Identity of the code."""
    versions: dict[str, str]
    """Versions of Python and the libraries."""
    synthetic_sha256: str
    """Hash of the synthetic set."""
    buffer_fingerprint: str | None = None
    """Fingerprint of the expert buffer; None where there was none."""
    real_fingerprint: str
    """Fingerprint of the real set."""
    tested_on: EvalSplit | None = None
    """Identity of the test split; None in rows of schema 1."""
    preprocessing_fingerprint: str
    """Fingerprint of the preprocessing."""
    distillation_seed: int | None = None
    """Seed that the set was made from; None where nobody knows."""
    unranked: str = ""
    """Reason why the row can not be the best of its group; empty where it can."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """Fully resolved recipe; empty for a set that came from elsewhere."""
    note: str = ""
    """Note for readers of the row."""
    reported: float | None = None
    """Accuracy that the source of the method prints, a fraction; never ours."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        check_values(self)

    @property
    def accuracy_mean(self) -> float:
        """Mean accuracy, a fraction."""
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
        """Values that rows are ranked by, one per network: ROC-AUC where there is one, else accuracy."""
        return self.roc_auc or self.accuracy

    @property
    def score_mean(self) -> float:
        """Mean score, a fraction."""
        return fmean(self.score)

    @property
    def score_std(self) -> float:
        """Population standard deviation of the scores."""
        return pstdev(self.score)

    @property
    def total_bytes(self) -> int:
        """Bytes of all parts together, without teachers."""
        return sum(self.bytes.values())

    @property
    def accuracy_per_byte(self) -> float | None:
        """Mean accuracy, a fraction, for each byte of the ledger; None where it says nothing."""
        return self.accuracy_mean / self.total_bytes if self.total_bytes else None

    @property
    def conditions(self) -> str:
        """Circumstances of the training beyond the protocol, in words; empty where there are none.

        Images alone have a test split of their own: that of other data follows from the seed, so rows say which it is.
        """
        searched = f"rate searched on validation among {', '.join(f'{rate:g}' for rate in self.lr_tried)}"
        labelers = f"labeled by {', '.join(sorted(self.teachers))} ({(self.teachers_fingerprint or '')[:8]})"
        stored = self.label_versions > 1 and not self.teachers
        parts = [
            f"split {self.real_fingerprint[:8]}" if self.domain != "images" else "",
            f"{self.steps} steps each" if self.steps else "",
            searched if self.lr_policy == "search" else "",
            labelers if self.teachers else "",
            f"{self.label_versions} stored labels an image" if stored else "",
        ]
        return "; ".join(filter(None, parts))

    @property
    def pools(self) -> tuple[str, ...]:
        """The names in ``pool``."""
        return tuple(filter(None, (self.pool or "").split(",")))

    @property
    def question(self) -> str:
        """Eight digits of the request, not of its result: made again, a row takes its predecessor's place.

        A set without a recipe, or one that came as it is, is identified by its own hash.
        """
        identity: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("method", "label", "dataset", "ipc", "network", "student", "protocol", "selection", "seeds")
        }
        recipe = self.recipe if self.selection != "given" else {}
        identity["recipe"] = recipe_with_former_names(recipe) or self.synthetic_sha256
        identity["real"] = self.real_fingerprint
        if self.lr_policy != "protocol":
            identity["lr"] = [self.lr_policy, self.lr_tried]
        if self.teachers:
            identity["teachers"] = self.teachers_fingerprint
        if self.steps:
            identity["steps"] = self.steps
        return fingerprint(identity)[:8]

    def path(self, folder: Path) -> Path:
        """Path of the row under a results folder: ``<dataset>/ipc<n>/<method>-<question>.json``."""
        return folder_of(folder, self.dataset, self.ipc) / f"{slug(self.method)}-{self.question}.json"

    def save(self, folder: Path) -> Path:
        """Write the row atomically; the same request made again writes the same file."""
        path = self.path(folder)
        usual = {"precision"} if self.precision == "float32" else set()
        write_json(path, {key: value for key, value in asdict(self).items() if key not in usual})
        return path


def folder_of(results: Path, dataset: str, ipc: int) -> Path:
    """Folder of the rows of a data set at an ipc, under a results folder."""
    return results / slug(dataset) / f"ipc{ipc}"


def load_row(path: Path) -> Row:
    """Read one row.

    Args:
        path: JSON file of the row.

    Returns:
        The row.

    Raises:
        UserError: The file is not a row; the error names the file and the key.
    """
    from pydantic import ValidationError

    document = read_json(path, "row of the leaderboard")
    if isinstance(document, dict) and isinstance(schema := document.get("schema"), int) and schema > SCHEMA:
        raise UserError(f"{path} was written by a newer ddbench", f"key   schema: {schema}", fix="upgrade ddbench")
    try:
        row = _row_adapter().validate_json(path.read_bytes(), strict=True)
        domain = row.domain if "domain" in document else inferred_domain(row)
        return replace(row, domain=domain, recipe=recipe_with_current_names(row.recipe))
    except ValidationError as error:
        problems = error.errors(include_url=False)
        misnamed = "unexpected_keyword_argument"
        first = next((problem for problem in problems if problem["type"] == misnamed), problems[0])
        key = ".".join(str(part) for part in first["loc"])
        guess = nearest(key, Row.__dataclass_fields__) if first["type"] == misnamed else None
        raise UserError(
            f"{path} is not a row of the leaderboard",
            f"key   {key}" if key else "",
            f"why   {first['msg']}",
            fix=f"did you mean {guess!r}?" if guess else "restore the file, or delete it and evaluate again",
        ) from None


@functools.cache
def _row_adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Row)


def load_rows(folders: Iterable[Path]) -> list[Row]:
    """Read every row under some folders, each file once.

    Args:
        folders: Folders of rows, or row files themselves.

    Returns:
        Rows in the order of their paths.

    Raises:
        UserError: A folder does not exist, or a file is not a row.
    """
    paths: set[Path] = set()
    for folder in folders:
        if not folder.exists():
            raise UserError(
                f"there is no folder of results at {folder}", fix="run a recipe first, or give another folder"
            )
        paths.update(path.resolve() for path in (folder.rglob("*.json") if folder.is_dir() else [folder]))
    return [load_row(path) for path in sorted(paths)]
