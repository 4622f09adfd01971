"""From a synthetic set and its scores to a row: the request, the result and the cost."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from ddbench.artifact import canonical, tensors_sha256
from ddbench.data.realset import RealSet
from ddbench.distillation.guard import undone_steps
from ddbench.evaluate.leaderboard.published import look_up
from ddbench.evaluate.leaderboard.row import Row, RowSelection, without_paths
from ddbench.evaluate.leaderboard.test_split import image_test_split
from ddbench.evaluate.lr_search import LRSearch
from ddbench.evaluate.score import Scores
from ddbench.runtime.precision import precision_in_use
from ddbench.runtime.provenance import code_identity, device_name, versions
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


def synthetic_sha256(syn: SyntheticSet) -> str:
    """Identity of a set in rows: the hash that its file carries, and what its tensors do not say of themselves.

    Args:
        syn: Synthetic set.

    Returns:
        SHA-256, hexadecimal.
    """
    mixing = None if syn.epoch_labels is None else syn.epoch_labels.mixing
    natural = syn.compensation is None or syn.compensation.natural
    return set_identity(tensors_sha256(syn.tensors()), syn.label_kind, syn.formation, mixing, natural)


def described_sha256(document: Mapping[str, Any]) -> str:
    """Identity of a set in rows, from its file's description alone.

    Args:
        document: Description, as ``ddbench.artifact.describe`` reads it.

    Returns:
        The same hash as ``synthetic_sha256`` has for the set.
    """
    stored, extra = document.get("epoch_labels") or {}, document.get("compensation") or {}
    return set_identity(
        document["sha256"],
        document.get("label_kind", "hard"),
        document.get("formation", 1),
        stored.get("mixing"),
        extra.get("natural", True),
    )


def set_identity(tensors: str, label_kind: str, formation: int, mixing: str | None, natural: bool = True) -> str:
    """Identity of tensors with their meaning.

    Args:
        tensors: Hash of the tensors.
        label_kind: Meaning of soft labels: probabilities make another set than logits.
        formation: Images along a side of a mosaic; other than 1 makes another set.
        mixing: Mixing of labels of single views; None where there are none.
        natural: Whether natural images are trained on as they are.

    Returns:
        ``tensors`` itself where all of these are usual, else another hash.
    """
    meaning = {
        **({"labels": label_kind} if label_kind == "probabilities" else {}),
        **({"formation": formation} if formation != 1 else {}),
        **({"mixing": mixing} if mixing is not None else {}),
        **({} if natural else {"natural": False}),
    }
    return tensors if not meaning else hashlib.sha256(canonical([tensors, meaning]).encode()).hexdigest()


def make_row(
    syn: SyntheticSet,
    real: RealSet,
    scores: Scores,
    *,
    selection: RowSelection,
    device: torch.device | str,
    label: str | None = None,
    student: str | None = None,
    selected_step: int | None = None,
    recipe: Mapping[str, Any] | None = None,
    expert_seconds: float = 0.0,
    rates: LRSearch | None = None,
    teachers: Teachers | None = None,
    pool: str | None = None,
    note: str = "",
) -> Row:
    """The row of a set scored on the test split. Paths in it are cut to their last component.

    Args:
        syn: Synthetic set.
        real: Real set that it was tested on.
        scores: Scores on the test split.
        selection: Rule that chose the set, "given" where none is known.
        device: Device that trained and tested, where the scores do not name one.
        label: The method's name in the recipe, None where it is the method's own.
        student: The network used in distillation, None for a method that trains none.
        selected_step: Outer step of the set; None takes the one in its provenance.
        recipe: None takes the one in the set's provenance, of which also seconds, peak_bytes, step and
            buffer_fingerprint are taken over.
        expert_seconds: Time that experts took, in seconds.
        rates: Search of the learning rate; None where the protocol gives it.
        teachers: Networks that labeled while networks were trained; None where there were none.
        pool: Names of network pools that the row was requested with, separated by commas.
        note: Note for readers.

    Returns:
        The row, with the published accuracy of its setting where one is known.

    Raises:
        ValueError: Scores on another split.
    """
    if scores.split != "test":
        raise ValueError(f"a row is about the test split, these scores are about {scores.split}")
    made, tested_on = syn.provenance, image_test_split(real)
    fields = {**set_fields(syn, recipe), **score_fields(real, scores, torch.device(device))}
    published = look_up(syn.method, fields["dataset"], syn.ipc, scores.network, scores.protocol, tested_on)
    own = {
        "label": label or syn.method,
        "device": scores.device or fields["device"],
        "distillation_seed": None if selection == "given" else fields["distillation_seed"],
    }
    return Row(
        **{**fields, **own},
        student=student,
        selection=selection,
        selected_step=made.get("step") if selected_step is None else selected_step,
        expert_seconds=expert_seconds,
        charged=syn.charged,
        steps=scores.steps,
        compiled=scores.compiled,
        label_versions=syn.label_versions,
        teachers={} if teachers is None else teachers.bytes,
        teachers_fingerprint=None if teachers is None else teachers.fingerprint,
        lr=scores.lr,
        lr_policy="protocol" if rates is None else "search",
        lr_tried=() if rates is None else tuple(rates.tried),
        pool=pool,
        synthetic_sha256=synthetic_sha256(syn),
        buffer_fingerprint=made.get("buffer_fingerprint"),
        tested_on=tested_on,
        preprocessing_fingerprint=real.preprocessing.fingerprint,
        unranked=_unranked(made),
        note="; ".join(filter(None, (note, *made.get("notes", ()), _guards(made.get("guard") or {}), *scores.notes))),
        reported=published and published.accuracy,
    )


def set_fields(syn: Any, recipe: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Fields of a row that a set of any domain says.

    Args:
        syn: The set, with method, ipc, bytes and provenance.
        recipe: Resolved recipe; None takes the one in its provenance.

    Returns:
        Values by the names of fields.
    """
    made = syn.provenance
    resolved: dict[str, Any] = without_paths(dict(made.get("recipe") or {} if recipe is None else recipe))
    return {
        "method": syn.method,
        "label": made.get("label") or syn.method,
        "ipc": syn.ipc,
        "seconds": float(made.get("seconds") or 0.0),
        "peak_bytes": int(made.get("peak_bytes") or 0),
        "bytes": dict(syn.bytes),
        "distillation_seed": seed_of(resolved),
        "recipe": resolved,
    }


def score_fields(real: Any, scores: Any, device: torch.device) -> dict[str, Any]:
    """Fields of a row that follow from scores in any domain.

    Args:
        real: Real data, with name and fingerprint.
        scores: Accuracies with their seeds, network, protocol and seconds.
        device: Device that evaluated.

    Returns:
        Values by the names of fields.
    """
    return {
        "dataset": without_paths(real.name),
        "network": scores.network,
        "protocol": scores.protocol,
        "accuracy": scores.accuracy,
        "seeds": scores.seeds,
        "evaluation_seconds": scores.seconds,
        "device": device_name(device),
        "precision": "float32" if device.type == "cpu" else precision_in_use(),
        "code": code_identity(),
        "versions": versions(),
        "real_fingerprint": real.fingerprint,
    }


def plain_row(
    syn: Any, real: Any, scores: Any, domain: str, *, selection: RowSelection, device: torch.device, note: str = ""
) -> Row:
    """Make the row of a set of a domain that has nothing to say beyond what every domain does.

    Args:
        syn: The set, with ``tensors()``, method, ipc, bytes and provenance.
        real: Real data, with name and fingerprint.
        scores: Accuracies with their seeds, network, protocol and seconds.
        domain: Name of the domain.
        selection: How the set was chosen.
        device: Device that evaluated.
        note: What a reader of the row must know.

    Returns:
        The row.
    """
    return Row(
        **set_fields(syn),
        **score_fields(real, scores, device),
        domain=domain,
        student=None,
        selection=selection,
        synthetic_sha256=tensors_sha256(syn.tensors()),
        preprocessing_fingerprint=NO_PREPROCESSING,
        note="; ".join(filter(None, (note, *syn.provenance.get("notes", ()), *scores.notes))),
    )


NO_PREPROCESSING = "none"
"""Fingerprint in rows of domains without preprocessing."""


def seed_of(recipe: Mapping[str, Any]) -> int | None:
    """Read the distillation seed off a resolved recipe, which names one in ``seeds`` where it is not its ``seed``.

    Args:
        recipe: Resolved recipe.

    Returns:
        The seed, None where it names none.
    """
    seeds = recipe.get("seeds")
    seed = seeds[0] if isinstance(seeds, list | tuple) and len(seeds) == 1 else recipe.get("seed")
    return seed if isinstance(seed, int) else None


def _unranked(made: Mapping[str, Any]) -> str:
    """Say why a distilled set can not be called the best: it is what it began as, or most of its steps were undone."""
    if made.get("unmoved"):
        return "its images and labels are those that its distillation began with"
    steps, undone = made.get("step") or 0, undone_steps(made.get("guard") or {})
    return f"most of its {steps} outer steps were undone" if 2 * min(undone, steps) > steps else ""


def _guards(counts: Mapping[str, int]) -> str:
    """What the guards of the distillation did, for a reader of the row; nothing where they did nothing."""
    acted = [f"{count} outer steps {reason}" for reason, count in sorted(counts.items()) if count]
    return f"guards: {', '.join(acted)}" if acted else ""
