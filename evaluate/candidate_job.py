"""What one candidate is worth to selection: one job of many, wherever it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ddbench.data.realset import RealSet
from ddbench.evaluate.marks import SplitName
from ddbench.evaluate.protocol import Protocol
from ddbench.evaluate.score import score
from ddbench.runtime.compile import Choice
from ddbench.runtime.executors import Tell
from ddbench.runtime.executors.shared_filesystem import require_seen
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.training.teachers import Teachers


@dataclass(frozen=True, eq=False, kw_only=True)
class CandidateJob:
    """Called with a candidate's file, it gives the accuracies of the networks of ``seeds`` on ``split``.

    device: where it is done. The rest is as in ``score``.
    """

    real: RealSet
    protocol: Protocol
    network: str | None
    seeds: Sequence[int]
    split: SplitName
    device: torch.device
    steps: int | None
    teachers: Teachers | None
    compile: Choice

    def __call__(self, candidate: Path, tell: Tell) -> tuple[float, ...]:
        """Errors: UserError as in ``score``, and where this machine does not see the file."""
        del tell
        require_seen(candidate)
        return score(
            load_synthetic(candidate),
            self._real,
            protocol=self.protocol,
            network=self.network,
            seeds=self.seeds,
            device=self.device,
            split=self.split,
            steps=self.steps,
            teachers=self.teachers,
            compile=self.compile,
        ).accuracy

    @cached_property
    def _real(self) -> RealSet:
        return self.real.to(self.device)

    def __getstate__(self) -> dict[str, Any]:
        """Without the splits that nobody asks about."""
        own = {name: value for name, value in self.__dict__.items() if name != "_real"}
        asked = self.real.test if self.split == "test" else self.real.validation
        real = replace(self.real, train=asked, validation=asked, test=asked)
        return {**own, "real": real.to("cpu"), "teachers": self.teachers and self.teachers.to("cpu")}
