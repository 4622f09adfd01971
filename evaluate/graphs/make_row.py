"""From scores on graphs to a row of the leaderboard."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from ddbench.artifact import canonical, tensors_sha256
from ddbench.evaluate.graphs.score import GraphScores
from ddbench.evaluate.leaderboard.make_row import NO_PREPROCESSING, score_fields, set_fields
from ddbench.evaluate.leaderboard.row import Row, without_paths
from ddbench.evaluate.leaderboard.test_split import graph_test_split
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.synthetic_graphs import SyntheticGraphs
from ddbench.runtime.provenance import versions


def graphs_sha256(syn: SyntheticGraphs) -> str:
    """Identity of a set of graphs in rows: the hash that its file carries.

    Args:
        syn: Set of graphs.

    Returns:
        SHA-256 of its tensors, hexadecimal.
    """
    return tensors_sha256(syn.tensors())


def graph_versions() -> dict[str, str]:
    """Versions that a result on graphs depends on.

    Returns:
        Version by name: those of all results, and of torch-geometric and scikit-learn.
    """
    return {**versions(), **{name: version(name) for name in ("torch-geometric", "scikit-learn")}}


def make_graph_row(syn: SyntheticGraphs, real: GraphSet, scores: GraphScores, *, device: torch.device) -> Row:
    """Row of a set of graphs; method, label, cost and recipe are those that the set carries.

    Args:
        syn: Set of graphs.
        real: Real graphs that it was tested on.
        scores: Scores on the test split.
        device: Device that trained and tested.

    Returns:
        The row, with the notes of the set before those of the scores.
    """
    return Row(
        **set_fields(syn),
        charged={"graphs": syn.charged_bytes},
        items=len(syn),
        synthetic_sha256=graphs_sha256(syn),
        note="; ".join((*syn.provenance.get("notes", ()), *scores.notes)),
        **_common(real, scores, device),
    )


def make_reference_row(
    name: str, ipc: int, real: GraphSet, scores: GraphScores, *, recipe: Mapping[str, Any], device: torch.device
) -> Row:
    """Row of a baseline that needs no network, the same for every size of set and every network.

    Args:
        name: Baseline, as method and label.
        ipc: Size of set that the row is shown with.
        real: Real graphs that it was tested on.
        scores: Scores on the test split.
        recipe: Recipe that the row is shown with; paths are cut.
        device: Device named in the row.

    Returns:
        The row, identified by the baseline and the real graphs.
    """
    about = canonical([name, real.fingerprint])
    return Row(
        method=name,
        label=name,
        ipc=ipc,
        seconds=0.0,
        peak_bytes=0,
        bytes=dict(scores.bytes),
        synthetic_sha256=hashlib.sha256(about.encode()).hexdigest(),
        recipe=without_paths(dict(recipe)),
        note="; ".join(scores.notes),
        **_common(real, scores, device),
    )


def scores_of(row: Row, syn: SyntheticGraphs) -> GraphScores:
    """Scores that a row was made from, but for those on validation, which rows do not store.

    Args:
        row: Row of the set.
        syn: The set, whose own notes are cut off the row's.

    Returns:
        The scores, without validation.
    """
    said_by_set = "; ".join(syn.provenance.get("notes", ()))
    rest = row.note.removeprefix(said_by_set).removeprefix("; ")
    return GraphScores(
        accuracy=row.accuracy,
        roc_auc=row.roc_auc,
        validation=(),
        seeds=row.seeds,
        seconds=row.evaluation_seconds,
        protocol=row.protocol,
        network=row.network,
        notes=(rest,) if rest else (),
    )


def _common(real: GraphSet, scores: GraphScores, device: torch.device) -> dict[str, Any]:
    return {
        **score_fields(real, scores, device),
        "domain": "graphs",
        "student": None,
        "selection": "validation",
        "roc_auc": scores.roc_auc,
        "versions": graph_versions(),
        "tested_on": graph_test_split(real),
        "preprocessing_fingerprint": NO_PREPROCESSING,
    }
