"""One distillation on disk: where it stands, what it logged, and the candidates it left."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench import artefact


@dataclass
class Clock:
    """Where a run stands: steps done, seconds spent on them over all sittings, most memory in use."""

    step: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0


class Run:
    """One distillation on disk: the set of step 0, the state, ``events.jsonl`` and ``candidates/``, all in ``folder``.

    ``candidates-plain/`` is there where the candidates are moving averages. writes: False for ranks that only read.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.folder, self.writes = folder, writes
        self.saved: int | None = None
        """The step of the state on disk, once this process has written or read one."""
        self.start, self.state = folder / "start.safetensors", folder / "state.safetensors"
        self.events = folder / "events.jsonl"
        self.candidates, self.plain = folder / "candidates", folder / "candidates-plain"

    def candidate(self, step: int) -> Path:
        return self.candidates / f"{step:06d}.safetensors"

    def plain_candidate(self, step: int) -> Path:
        """Where the candidate is a moving average: the images of that step themselves."""
        return self.plain / f"{step:06d}.safetensors"

    def kept(self) -> list[Path]:
        """The candidates, in the order of their outer steps."""
        found = {int(path.stem): path for path in self.candidates.glob("*.safetensors") if path.stem.isdecimal()}
        return [found[step] for step in sorted(found)]

    def log(self, event: dict[str, Any]) -> None:
        """Append one line of JSON; a number that is not finite, which JSON does not know, is written as null."""
        if not self.writes:
            return
        finite = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in event.items()}
        with self.events.open("a") as file:
            file.write(json.dumps(finite, allow_nan=False) + "\n")

    def forget_events_after(self, step: int) -> None:
        """Drop what a killed process logged after its last checkpoint: it will happen again."""
        if not (self.writes and self.events.exists()):
            return
        lines = self.events.read_text().splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        with artefact.replacing(self.events) as part:
            part.write_text("".join(line + "\n" for line in kept))
