"""Fresh networks that take an exam: one job of many, wherever it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ddbench.evaluate.training.evaluation_trainer import EvaluationTrainer
from ddbench.runtime.device import peak_bytes
from ddbench.runtime.executors import ReportProgress
from ddbench.runtime.oom import memory_errors
from ddbench.runtime.provenance import device_name


@dataclass(frozen=True)
class JobResult:
    """Accuracy and whether the training stayed finite, of each network. device, peak_bytes: of where they were."""

    evaluate_seeds: list[tuple[float, bool]]
    device: str
    peak_bytes: int


def _kept() -> str:
    return "the synthetic sets, and the scores that are known already; the same command goes on"


@dataclass(frozen=True, eq=False)
class EvaluationJob:
    """Called with the seeds of networks that are trained at once. device: where."""

    exam: EvaluationTrainer
    device: torch.device

    def __call__(self, seeds: Sequence[int], report: ReportProgress) -> JobResult:
        with memory_errors("training evaluation networks", _kept, self._memory_suggestions):
            evaluate_seeds = self._here.train_and_test_stacked(seeds, report)
        return JobResult(evaluate_seeds, device_name(self.device), peak_bytes(self.device))

    def _memory_suggestions(self) -> list[str]:
        """What makes it smaller where memory ran out."""
        fewer = "fewer at once (--workers)" if self.device.type == "cpu" else "fewer jobs on this GPU"
        return [fewer, "a smaller network (evaluation.networks)", "a device with more memory"]

    @cached_property
    def _here(self) -> EvaluationTrainer:
        return self.exam.to(self.device)

    def __getstate__(self) -> dict[str, Any]:
        return {"exam": self.exam.without_unused_splits().to("cpu"), "device": self.device}
