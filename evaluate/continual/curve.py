"""Accuracy by step: what several networks and class orders say together, and its document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from ddbench import artifact
from ddbench.evaluate.continual.step_score import StepScore, in_a_path


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The steps of one method at one ipc, in all class orders that were evaluated."""

    scores: tuple[tuple[StepScore, ...], ...]
    """By order, then by step. Means and standard deviations (population) are over all networks of all orders, as in the
    source, whose table has 5 orders x 3 networks."""

    @property
    def label(self) -> str:
        """Name of the method."""
        return self.scores[0][0].question.method

    @property
    def ipc(self) -> int | None:
        """Images per class; None for the upper bound."""
        return self.scores[0][0].question.ipc

    @property
    def seen(self) -> tuple[int, ...]:
        """Number of classes seen after each step."""
        return tuple(len(score.question.seen) for score in self.scores[0])

    @property
    def accuracy(self) -> list[list[float]]:
        """By step, the accuracies of all networks, order by order."""
        return [[one for score in step for one in score.accuracy] for step in zip(*self.scores, strict=True)]

    @property
    def mean(self) -> list[float]:
        """Mean accuracy at each step, a fraction."""
        return [fmean(step) for step in self.accuracy]

    @property
    def std(self) -> list[float]:
        """Population standard deviation at each step, a fraction."""
        return [pstdev(step) for step in self.accuracy]

    @property
    def average(self) -> float:
        """Average incremental accuracy: the mean over the steps of the mean over networks and orders."""
        return fmean(self.mean)

    @property
    def averages_by_order(self) -> list[float]:
        """The average incremental accuracy of each class order."""
        return [fmean(fmean(score.accuracy) for score in order) for order in self.scores]

    def document(self) -> dict[str, Any]:
        """All of the curve as JSON.

        Returns:
            The setting, costs, and accuracies as fractions by class order, step and network, with mean and deviation.
        """
        first, last = self.scores[0][0].question, self.scores[0][-1]
        return {
            "kind": "continual curve",
            "schema": 1,
            "method": self.label,
            "ipc": self.ipc,
            "dataset": first.dataset,
            "network": first.network,
            "protocol": first.protocol,
            "epochs": first.epochs,
            "steps": first.steps,
            "orders": [order[0].question.order for order in self.scores],
            "seeds": list(first.seeds),
            "classes_seen": list(self.seen),
            "accuracy": self.accuracy,
            "accuracy_mean": self.mean,
            "accuracy_std": self.std,
            "average_incremental_accuracy": self.average,
            "average_incremental_accuracy_std_over_orders": pstdev(self.averages_by_order),
            "final_accuracy_mean": self.mean[-1],
            "final_accuracy_std": self.std[-1],
            "memory_images": [score.memory_images for score in self.scores[0]],
            "memory_bytes": [score.memory_bytes for score in self.scores[0]],
            "distill_seconds": fmean(sum(score.distill_seconds for score in order) for order in self.scores),
            "how": last.question.how,
            "notes": sorted({note for order in self.scores for score in order for note in score.notes}),
        }

    def save(self, home: Path) -> Path:
        """Write the document next to those of its steps, under a name that follows from the steps it is made of.

        Args:
            home: Folder of results, under which the steps lie.

        Returns:
            The path. A file that has the same document already is not written again.
        """
        question = self.scores[0][0].question
        parts = [score.question.path(home).name for order in self.scores for score in order]
        name = f"curve-{in_a_path(question.title)}-{question.steps}-steps-{artifact.fingerprint(parts)}.json"
        path = question.path(home).with_name(name)
        document = {**self.document(), "parts": parts}
        if not path.exists() or artifact.read_json(path, "curve") != document:
            artifact.write_json(path, document)
        return path


def curves_of(scores: Iterable[StepScore]) -> list[Curve]:
    """Curves that points make, by method and ipc.

    Args:
        scores: Points of any methods, class orders and steps, in any order.

    Returns:
        The curves, in the order in which their methods and ipcs first appear, each with its steps ascending.
    """
    by_method: dict[tuple[str, int | None], dict[int, list[StepScore]]] = {}
    for score in scores:
        question = score.question
        by_method.setdefault((question.method, question.ipc), {}).setdefault(question.order, []).append(score)
    return [
        Curve(scores=tuple(tuple(sorted(order, key=lambda s: s.question.step)) for order in orders.values()))
        for orders in by_method.values()
    ]
