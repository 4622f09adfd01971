"""Initial pixels that experts already recognize: DATM's."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from ddbench.data.class_subset import shuffled_rows
from ddbench.distillation.task import OuterStep, Task
from ddbench.methods.parts.expert_ensemble import ExpertEnsemble
from ddbench.methods.parts.initialization import InitialImages, Initialization


class CorrectInit(Initialization):
    """Random real images that an expert classifies correctly. Experts are asked one after the other until all is full.

    Source: Guo et al. 2024 (DATM, arXiv:2310.05773), released ``DATM.py``, ``samples_predicted_correctly``. Differs:
    the experts are those at ``label_expert_epoch``, there always the last; an image is taken once, however many experts
    recognize it; all experts may be asked; a class that they all together can not fill is filled with those of its
    images that the first expert finds likeliest to be of the class, and a note says so.
    """

    kind: Literal["correct"] = "correct"
    asks_experts: ClassVar[bool] = True

    def start(self, task: Task, ipc: int, step: OuterStep, label_expert_epoch: int) -> InitialImages:
        real = task.real
        real.require_ipc(ipc)
        ensemble = ExpertEnsemble(task, label_expert_epoch)
        draws = step.stream("pixels")
        waiting = [shuffled_rows(real, label, draws) for label in range(real.classes)]
        chosen: list[list[int]] = [[] for _ in waiting]
        for expert in range(len(ensemble)):
            for label, rows in enumerate(waiting):
                if len(chosen[label]) < ipc:
                    waiting[label] = _take(ensemble, expert, label, rows, ipc, chosen[label])
        notes = []
        for label, rows in enumerate(waiting):
            lacking = ipc - len(chosen[label])
            if lacking > 0:
                chosen[label] += _likeliest(ensemble, label, rows)[:lacking].tolist()
                name = real.class_names[label]
                notes.append(f"class {name!r}: no expert classifies {lacking} of its {ipc} initial images correctly")
        rows = torch.tensor([row for of_class in chosen for row in of_class])
        return InitialImages(real.inputs(real.train, rows), tuple(notes))


def _take(ensemble: ExpertEnsemble, expert: int, label: int, rows: Tensor, ipc: int, chosen: list[int]) -> Tensor:
    """Move rows that the expert puts into the class to ``chosen``, up to ``ipc``. Returns those still not chosen."""
    left = []
    for chunk, logits in ensemble.logits_of_rows(expert, rows):
        right = logits.argmax(1) == label
        correct = chunk[right][: ipc - len(chosen)]
        chosen += correct.tolist()
        left.append(chunk[~torch.isin(chunk, correct)])
        if len(chosen) == ipc:
            break
    return torch.cat(left)


def _likeliest(ensemble: ExpertEnsemble, label: int, rows: Tensor) -> Tensor:
    """Rows by falling probability of the class under expert 0."""
    judged = [logits.log_softmax(1)[:, label] for _, logits in ensemble.logits_of_rows(0, rows)]
    return rows[torch.cat(judged).argsort(descending=True, stable=True)]
