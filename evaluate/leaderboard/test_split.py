"""Identity of the real data that rows were tested on: by content, since one name may stand for several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.artifact import tensors_sha256

if TYPE_CHECKING:
    from ddbench.data.realset import RealSet
    from ddbench.evaluate.leaderboard.row import Row
    from ddbench.graphs.graphset import GraphSet


@dataclass(frozen=True, kw_only=True)
class EvalSplit:
    """The test split of a row."""

    sha256: str
    """Of its pixels and labels, or of its graphs, as they are stored, before any preprocessing."""
    count: int
    """Images, or graphs."""
    classes: int
    """How many the data set has."""
    size: int | None = None
    """Side of the images in pixels; None for graphs."""
    channels: int | None = None
    """1 for grey images, 3 for color; None for graphs."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or not set(self.sha256) <= set("0123456789abcdef"):
            raise ValueError(f"sha256 is 64 hexadecimal digits, not {self.sha256[:80]!r}")
        amounts = [self.count, self.classes, *(n for n in (self.size, self.channels) if n is not None)]
        if not all(1 <= amount < 2**63 for amount in amounts):
            raise ValueError(f"count, classes, size and channels are from 1 to {2**63 - 1}, not {amounts}")

    def text(self) -> str:
        """Digits and facts that distinguish it from others of the same name.

        Returns:
            Text such as ``test 1f0c9a2b: 24 images, 3 classes, 32 pixels``.
        """
        things = "graphs" if self.size is None else "images"
        side = "" if self.size is None else f", {self.size} pixels"
        return f"test {self.sha256[:8]}: {self.count} {things}, {self.classes} classes{side}"


def image_test_split(real: RealSet) -> EvalSplit:
    """Identify the test images of a data set.

    Args:
        real: Its stored pixels and labels are hashed; preprocessing does not matter.

    Returns:
        Equal values for equal test images in equal order, whatever the data set is called.
    """
    return EvalSplit(
        sha256=tensors_sha256({"images": real.test.images, "labels": real.test.labels}),
        count=len(real.test),
        classes=real.classes,
        size=real.size,
        channels=real.channels,
    )


def graph_test_split(real: GraphSet) -> EvalSplit:
    """Identify the test graphs of a data set.

    Args:
        real: Its node and edge codes, edges and classes are hashed.

    Returns:
        Equal values for equal test graphs in equal order.
    """
    return EvalSplit(sha256=tensors_sha256(real.test.tensors()), count=len(real.test), classes=real.classes)


def test_split_names(rows: Sequence[Row]) -> list[str]:
    """Tell apart what rows of one data set's name were tested on.

    Rows written before test splits were recorded belong to the split of a row with the same real data; failing that, to
    the only split that their data set's name has here; else their split is unknown.

    Args:
        rows: In any order.

    Returns:
        For each row what stands behind the name of its data set: empty where the name stands for one split alone.
    """
    by_real = {row.real_fingerprint: row.tested_on for row in rows if row.tested_on is not None}
    splits = [row.tested_on or by_real.get(row.real_fingerprint) for row in rows]
    several: dict[str, set[EvalSplit]] = defaultdict(set)
    for row, split in zip(rows, splits, strict=True):
        if split is not None:
            several[row.dataset].add(split)
    return [
        "" if len(several[row.dataset]) < 2 else split.text() if split is not None else "test split not recorded"
        for row, split in zip(rows, splits, strict=True)
    ]
