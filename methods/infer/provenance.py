"""Provenance of a set of INFER: its budget and its teachers."""

from __future__ import annotations

from typing import Any

from torch import nn

from ddbench.methods.infer.budget import Budget
from ddbench.training.teachers import Teachers


def facts(budget: Budget, teachers: Teachers | None) -> dict[str, Any]:
    """Describe a set's budget and teachers, for provenance.

    Args:
        budget: What was bought.
        teachers: Teachers that were used; None where there were none.

    Returns:
        What the budget bought; of teachers names, accuracies on the test split and fingerprint.
    """
    document: dict[str, Any] = {"budget": budget.facts()}
    if teachers is not None:
        document["teachers"] = {
            "networks": _names(teachers),
            "accuracy": [round(value, 4) for value in teachers.accuracy],
            "fingerprint": teachers.fingerprint,
        }
    return document


def notes(budget: Budget, teachers: Teachers | None, *, rounded: bool) -> list[str]:
    """Describe the same in sentences, with what a reader may not expect.

    Args:
        budget: What was bought.
        teachers: Teachers that were used; None where there were none.
        rounded: Whether natural images were rounded to pixels.

    Returns:
        Sentences for rows and pages.
    """
    sentences = [budget.in_words()]
    if teachers is not None:
        each = zip(_names(teachers), teachers.accuracy, strict=True)
        listed = ", ".join(f"{name} ({100 * accuracy:.1f} %)" for name, accuracy in each)
        sentences.append(f"teachers, with their accuracy on test: {listed}; fingerprint {teachers.fingerprint}")
        if budget.teachers and (plain := _without_batch_norm(teachers)):
            sentences.append(f"no batch norm in {', '.join(plain)}: its compensators follow the cross-entropy alone")
    if rounded:
        sentences.append("natural images were rounded to pixels of 256 levels")
    return sentences


def _names(teachers: Teachers) -> list[str]:
    """Of each the network, or the published weights that it has."""
    return [weights or name for weights, name in zip(teachers.weights, teachers.networks, strict=True)]


def _without_batch_norm(teachers: Teachers) -> list[str]:
    """The networks that have no batch-norm layer whose statistics could be matched."""
    return [
        name
        for number, name in enumerate(teachers.networks)
        if not any(isinstance(module, nn.BatchNorm2d) for module in teachers.member(number).modules())
    ]
