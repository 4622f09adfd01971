"""A finished measurement: every accuracy, so that its scores can be weighted anew without training; one JSON file."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from ddbench.artifact import fingerprint, read_json, write_json
from ddbench.errors import UserError
from ddbench.evaluate.ddranking.recipes import LabelMode, Track
from ddbench.evaluate.ddranking.scores import AugmentationRobustness, LabelRobustness
from ddbench.evaluate.ddranking.train_and_test import SideResult
from ddbench.evaluate.leaderboard.row import folder_of

SCHEMA = 1
DERIVED = "derived"
"""The key of what follows from the rest; it is written for readers of the file, and never read back."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Accuracies behind DD-Ranking's scores of one synthetic set, on one track, with one network.

    Raises:
        ValueError: Accuracies are not fractions, or not one a seed, and for weights out of range.
    """

    kind: Literal["ddranking measurement"] = "ddranking measurement"
    """Kind of the file."""
    schema: int = SCHEMA
    """Version of the file format."""
    method: str
    """Name of the method."""
    dataset: str
    """Name of the real set."""
    ipc: int
    """Images per class that the set stores."""
    network: str
    """Network that is trained."""
    track: Track
    """"hard" or "soft"."""
    labels: LabelMode | None
    """The mode of the soft track, None on the hard one."""
    seeds: tuple[int, ...]
    """Of the runs; a run has one network of each side, and random images of its own."""
    search_seeds: tuple[int, ...]
    """Of the networks that rates are compared with; none where there is a single rate."""
    rates: tuple[float, ...]
    """Learning rates that every side chose from."""
    weight: float = 0.5
    """w of alpha."""
    ars_weight: float = 0.5
    """Gamma of beta."""
    sides: dict[str, SideResult]
    """By name, "syn", "random", "real"; on the soft track also "syn_hard"; for ARS also "syn_plain" and "random_plain",
    both without augmentation."""
    synthetic_sha256: str
    """Of the tensors and of what they mean (kind of labels, formation)."""
    real_fingerprint: str
    """Of the real set with its preprocessing."""
    mirror: bool
    """Whether augmentation may flip images."""
    preprocessing_fingerprint: str
    """Of the preprocessing alone."""
    teachers: dict[str, int]
    """Bytes by name, none on the hard track."""
    teachers_fingerprint: str | None
    """Of the teachers; None on the hard track."""
    device: str
    """Device that trained, by its name."""
    code: str
    """Identity of the code that measured."""
    versions: dict[str, str]
    """Versions by library."""
    date: str
    """Of the last training, as ``2026-01-31``. No host name, no path of a machine."""
    notes: tuple[str, ...] = ()
    """Notes for readers of the scores."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        missing = {"syn", "random", "real", *(("syn_hard",) if self.track == "soft" else ())} - set(self.sides)
        if missing:
            raise ValueError(f"there is no side {', '.join(sorted(missing))}")
        for name, side in self.sides.items():
            if len(side.accuracy) != len(self.seeds):
                raise ValueError(f"{len(side.accuracy)} accuracies of {name} for {len(self.seeds)} seeds")
        _ = self.label_robustness, self.augmentation_robustness

    @property
    def label_robustness(self) -> LabelRobustness:
        """HLR, IOR, alpha and LRS, a value a run."""
        return LabelRobustness(
            real=self.sides["real"].accuracy,
            syn_hard=self.sides["syn" if self.track == "hard" else "syn_hard"].accuracy,
            syn=self.sides["syn"].accuracy,
            random=self.sides["random"].accuracy,
            weight=self.weight,
        )

    @property
    def augmentation_robustness(self) -> AugmentationRobustness | None:
        """beta and ARS, a value a run; None where they were not measured."""
        if "syn_plain" not in self.sides or "random_plain" not in self.sides:
            return None
        return AugmentationRobustness(
            syn_with=self.sides["syn"].accuracy,
            random_with=self.sides["random"].accuracy,
            syn_without=self.sides["syn_plain"].accuracy,
            random_without=self.sides["random_plain"].accuracy,
            weight=self.ars_weight,
        )

    @property
    def trainings(self) -> int:
        """Number of networks trained for all sides, searches included."""
        return sum(side.trainings for side in self.sides.values())

    def weighted(self, weight: float | None = None, ars_weight: float | None = None) -> Measurement:
        """The same accuracies under other weights.

        Args:
            weight: Weight of IOR in alpha, against HLR; None leaves it as it is.
            ars_weight: Weight in beta of accuracies with augmentation, against those without; None leaves it as it is.

        Returns:
            A measurement whose scores follow from these weights.

        Raises:
            UserError: A weight outside [0, 1].
        """
        chosen = self.weight if weight is None else weight, self.ars_weight if ars_weight is None else ars_weight
        for value in chosen:
            require_weight(value)
        return replace(self, weight=chosen[0], ars_weight=chosen[1])

    def derived(self) -> dict[str, list[float]]:
        """All quantities that follow from the accuracies.

        Returns:
            By name, a value a run, fractions; those of ARS only where it was measured.
        """
        label, augmentation = self.label_robustness, self.augmentation_robustness
        quantities = {"hlr": label.hlr, "ior": label.ior, "alpha": label.alpha, "lrs": label.lrs}
        if augmentation is not None:
            quantities |= {"gain_with": augmentation.gain_with, "gain_without": augmentation.gain_without}
            quantities |= {"beta": augmentation.beta, "ars": augmentation.ars}
        return {name: list(runs) for name, runs in quantities.items()}

    def document(self) -> dict[str, Any]:
        """All of the measurement as JSON.

        Returns:
            Every field, and the quantities that follow from them.
        """
        return {**asdict(self), DERIVED: self.derived()}

    def path(self, folder: Path) -> Path:
        """Path of the measurement: ``<dataset>/ipc<n>/<method>-<question>.json``, the same for the same question.

        Args:
            folder: Folder of measurements.

        Returns:
            The path, whether or not the file exists.
        """
        question = {name: getattr(self, name) for name in _ASKED}
        question["sides"] = {
            name: list(side.accuracy) if side.given else side.recipe_fingerprint for name, side in self.sides.items()
        }
        method = re.sub(r"[^A-Za-z0-9._+-]+", "-", self.method).strip("-.") or "unnamed"
        return folder_of(folder, self.dataset, self.ipc) / f"{method}-{fingerprint(question)[:8]}.json"

    def save(self, folder: Path) -> Path:
        """Write the document, atomically; the same question again is answered in the same file.

        Args:
            folder: Folder of measurements.

        Returns:
            The file.
        """
        path = self.path(folder)
        write_json(path, self.document())
        return path


_ASKED = (
    *("method", "dataset", "ipc", "network", "track", "labels", "seeds", "search_seeds", "rates"),
    *("synthetic_sha256", "real_fingerprint", "mirror", "teachers_fingerprint"),
)


def require_weight(value: float) -> None:
    """Check the weight of one of two halves.

    Args:
        value: Weight of the first half, against the second.

    Raises:
        UserError: It is outside [0, 1].
    """
    if not 0 <= value <= 1:
        raise UserError(f"a weight is a number from 0 to 1, not {value:g}", fix="0.5 weighs both halves alike")


def load_measurement(path: Path) -> Measurement:
    """Read a measurement that ``ddbench ddranking`` wrote.

    Args:
        path: JSON file of the measurement.

    Returns:
        The measurement; derived quantities are computed anew.

    Raises:
        UserError: The file is no whole measurement, or of a newer ddbench; the error names the file and the key.
    """
    from pydantic import TypeAdapter, ValidationError

    document = read_json(path, "measurement of DD-Ranking")
    fix = "give a file that ddbench ddranking wrote, or measure the synthetic set again"
    if not isinstance(document, dict) or document.get("kind") != Measurement.kind:
        raise UserError(f"{path} is not a measurement of DD-Ranking", fix=fix)
    if isinstance(schema := document.get("schema"), int) and schema > SCHEMA:
        raise UserError(f"{path} was written by a newer ddbench", f"key   schema: {schema}", fix="upgrade ddbench")
    document.pop(DERIVED, None)
    try:
        return TypeAdapter(Measurement).validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{path} is not a whole measurement", f"key   {key}" if key else "", f"why   {first['msg']}", fix=fix
        ) from None
