"""From a dataset's name to the real graphs of a run: found, read and split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddbench import artifact
from ddbench.data.check import check_classes
from ddbench.data.known_sets import KNOWN_GRAPHS
from ddbench.data.load import readable
from ddbench.data.rawdata import Request
from ddbench.data.sources import DatasetSource, find_source, other_kind
from ddbench.errors import UserError
from ddbench.graphs.download import NotHereError as NotHereError
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.graphset import GraphSet
from ddbench.graphs.rawgraphs import RawGraphs
from ddbench.graphs.splits import shuffled_split, split_in_words


def load_graphs(
    name: str,
    *,
    validation: float = 0.1,
    seed: int = 0,
    home: Path,
    data_root: Path | None = None,
    quiet: bool = False,
    where: str = "",
    download: bool = True,
) -> GraphSet:
    """Load a graph set, divided into training, validation and test, and checked.

    Args:
        name: ``motifs``, ``tu:NAME``, ``ogb:NAME`` or ``pyg:MODULE:CALLABLE``.
        validation: Fraction of the shuffled split; a set with an official split keeps it, whatever this is.
        seed: Seed of the shuffled split.
        home: What is downloaded lies in ``home/downloads``.
        data_root: A folder with the data, which is only read; what is not there is looked for under home, then
            downloaded.
        quiet: Whether no progress is shown.
        where: The recipe's line, for errors; may be empty.
        download: Whether what is not there may be downloaded.

    Returns:
        The set.

    Raises:
        UserError: Unknown names, fractions out of range, and data that is missing, damaged, not labels, or without
            graphs of every class in train and in test.
        NotHereError: The set is not on this machine, and may not be downloaded.
    """
    reference = find_source(name, where)
    home = Path(home)
    root = Path(data_root or home / "downloads").expanduser()
    request = Request(what=reference.what, data_root=root, home=home, quiet=quiet, where=where, download=download)
    with readable(name, where):
        raw = _raw_graphs(reference.source, request)
    _check_known(reference.short, raw, where)
    graphs, official = raw.graphs, raw.official
    if official is None:
        parts = shuffled_split(len(graphs), validation, seed, where)
    else:
        parts = official.train, official.validation, official.test
    train, validation_graphs, test = (graphs.subset(rows) for rows in parts)
    check_classes(
        {"train": train.y, "test": test.y},
        raw.class_names,
        name,
        of="graphs",
        where=where,
        fix="choose another seed, which divides the set anew, or a larger set" if official is None else "",
    )
    facts: dict[str, Any] = {
        "name": reference.short,
        "class_names": raw.class_names,
        "node_cardinalities": _cardinalities(graphs.node_features),
        "edge_cardinalities": _cardinalities(graphs.edge_features),
        "split": official.name if official else split_in_words(validation, seed),
        "metric": raw.metric or ("roc-auc" if len(raw.class_names) == 2 else "accuracy"),
    }
    content = [artifact.tensors_sha256(part.tensors()) for part in (train, validation_graphs, test)]
    return GraphSet(
        **facts,
        train=train,
        validation=validation_graphs,
        test=test,
        fingerprint=artifact.fingerprint({**facts, "content": content}),
        notes=(*raw.notes, *_validation_notes(validation_graphs, raw)),
    )


def _check_known(name: str, raw: RawGraphs, location: str) -> None:
    """Refuse a known set with other classes or another number of graphs than are known of it."""
    known = KNOWN_GRAPHS.get(name)
    if known is not None and known != (len(raw.class_names), len(raw.graphs)):
        raise UserError(
            f"this is not {name} as it is known by that name",
            f"from     {location}" if location else "",
            f"classes  {len(raw.class_names):,} found, {known[0]:,} known",
            f"graphs   {len(raw.graphs):,} found, {known[1]:,} known",
            fix="restore the whole set; part of a set can be used under a name of its own, as tu:NAME or pyg:",
        )


def _validation_notes(held: Graphs, raw: RawGraphs) -> tuple[str, ...]:
    missing = (torch.bincount(held.y, minlength=len(raw.class_names)) == 0).nonzero().flatten().tolist()
    if not len(held) or not missing:
        return ()
    return (f"{len(missing)} of {len(raw.class_names)} classes have no validation graph",)


def _cardinalities(codes: Tensor) -> tuple[int, ...]:
    """One more than the largest code of each column."""
    return tuple((codes.amax(0) + 1).tolist()) if len(codes) else (1,) * codes.shape[1]


def _raw_graphs(source: DatasetSource, request: Request) -> RawGraphs:
    """Read the graphs of a source. Raises: UserError for a set of images."""
    if source.domain != "graphs":
        raise other_kind(request, source.domain, "graphs", "a set of graphs, such as motifs or tu:NCI1")
    return source.loader("ddbench.graphs")(request)
