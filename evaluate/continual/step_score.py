"""One point of a curve: networks trained on what is in memory after a step, and its document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ddbench import artifact
from ddbench.evaluate.score_cache import SCHEMA, ScoreCache

KIND = "continual step"


@dataclass(frozen=True, kw_only=True)
class StepKey:
    """Everything that the scores of one step follow from."""

    method: str
    """Its label in the recipe."""
    ipc: int | None
    """None where all real images are trained on."""
    dataset: str
    """Name of the whole data set."""
    order: int
    """The number of the class order."""
    step: int
    """From 0."""
    steps: int
    """How many there are."""
    seen: tuple[int, ...]
    """Classes of the whole data set, in the order in which they came."""
    network: str
    """Name of the networks that are trained."""
    protocol: str
    """Key of the protocol, such as ``dsa-v1``."""
    protocol_fingerprint: str
    """Of every number of the protocol as it was used."""
    epochs: int
    """E of that protocol."""
    seeds: tuple[int, ...]
    """Of the fresh networks."""
    memory_sha256: str
    """Of what is trained on."""
    real_fingerprint: str
    """Of the whole data set with its preprocessing."""
    mirror: bool
    """Whether augmentation may flip the images of this data set."""
    how: str
    """How the memory came about, in a sentence."""

    @property
    def title(self) -> str:
        """Method and ipc, as names of files have them."""
        return self.method if self.ipc is None else f"{self.method}-ipc{self.ipc}"

    @property
    def file_name(self) -> str:
        """Beginning of the name of the file that has the answer."""
        return f"{in_a_path(self.title)}-order{self.order}-step{self.step + 1}of{self.steps}"

    def cache(self, home: Path) -> ScoreCache:
        """Cache that has the answer.

        Args:
            home: Folder of results.

        Returns:
            The cache of this data set, in a folder of its own.
        """
        return ScoreCache(home / "continual" / in_a_path(self.dataset))

    def path(self, home: Path) -> Path:
        """Path of the answer: one file a question, so that nothing is trained twice.

        Args:
            home: Folder of results.

        Returns:
            The path, whether or not the file exists.
        """
        return self.cache(home).path(asdict(self), self.file_name)


@dataclass(frozen=True, kw_only=True)
class StepScore:
    """The answer."""

    question: StepKey
    """Key of the step."""
    accuracy: tuple[float, ...]
    """Fractions on the test images of all classes seen, in the order of the question's seeds."""
    lr: float | None
    """The rate that training began with."""
    memory_images: int
    """As trained on."""
    memory_bytes: int
    """As stored."""
    distill_seconds: float
    """What making this step's part took."""
    seconds: float
    """Of training and testing."""
    device: str
    """Device that trained, by its name."""
    code: str
    """Identity of the code that trained."""
    versions: Mapping[str, str]
    """Versions by library."""
    notes: tuple[str, ...] = field(default=())
    """What a reader must know."""

    def save(self, home: Path) -> Path:
        """Write the scores into the cache of their data set.

        Args:
            home: Folder of results.

        Returns:
            The file.
        """
        document, key = {**asdict(self), "kind": KIND, "schema": SCHEMA}, self.question
        key.cache(home).keep(asdict(key), document, key.file_name)
        return key.path(home)


def known_score(question: StepKey, home: Path) -> StepScore | None:
    """Stored answer to a question.

    Args:
        question: Key of the step.
        home: Folder of results.

    Returns:
        The answer, None where there is none yet.

    Raises:
        UserError: Its file is damaged, or of a newer ddbench.
    """
    answer = question.cache(home).find(asdict(question), question.file_name)
    if answer is None:
        return None
    document = json.dumps({**answer, "question": asdict(question)})
    try:
        return TypeAdapter(StepScore).validate_json(document, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise artifact.damaged(question.path(home), f"its fields are not whole: {key}: {first['msg']}") from None


def in_a_path(name: str) -> str:
    """A name, which may be that of a file's label, as one part of a path.

    Args:
        name: Any text.

    Returns:
        At most 100 letters, digits and ``._+-``; usual names are themselves, and "unnamed" is one without any of these.
    """
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-.")[:100] or "unnamed"
