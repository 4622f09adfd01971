"""From a dataset's name to the real graphs of a run: found, read and split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from ddbench import artefact
from ddbench.data.rawdata import Request
from ddbench.data.sources import find_source
from ddbench.errors import UserError
from ddbench.graphs.graphset import GraphSet
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
) -> GraphSet:
    """The graph set of this name, divided into training, validation and test.

    name: ``motifs``, ``tu:NAME``, ``ogb:NAME`` or ``pyg:MODULE:CALLABLE``. validation, seed: of the shuffled split;
    a set with an official split keeps it, whatever they are. home: what is downloaded lies in ``home/downloads``.
    data_root: a folder with the data, which is only read; what is not there is looked for under home, then downloaded.
    where: the recipe's line, for messages.
    Errors: UserError for unknown names, fractions out of range, and data that is missing, damaged, or not labels.
    """
    found = find_source(name, where)
    home = Path(home)
    root = Path(data_root or home / "downloads").expanduser()
    raw = found.source.load_graphs(Request(what=found.what, data_root=root, home=home, quiet=quiet, where=where))
    if len(raw.class_names) < 2:
        raise UserError(
            f"all graphs of {name} are of one class",
            f"from  {where}" if where else "",
            fix="choose a set with two classes or more",
        )
    graphs, official = raw.graphs, raw.official
    if official is None:
        parts = shuffled_split(len(graphs), validation, seed, where)
    else:
        parts = official.train, official.validation, official.test
    train, held, test = (graphs.subset(rows) for rows in parts)
    facts: dict[str, Any] = {
        "name": found.short,
        "class_names": raw.class_names,
        "node_cardinalities": _cardinalities(graphs.node_features),
        "edge_cardinalities": _cardinalities(graphs.edge_features),
        "split": official.name if official else split_in_words(validation, seed),
        "metric": raw.metric or ("roc-auc" if len(raw.class_names) == 2 else "accuracy"),
    }
    content = [artefact.tensors_sha256(part.tensors()) for part in (train, held, test)]
    return GraphSet(
        **facts,
        train=train,
        validation=held,
        test=test,
        fingerprint=artefact.fingerprint({**facts, "content": content}),
        notes=raw.notes,
    )


def _cardinalities(codes: Tensor) -> tuple[int, ...]:
    """One more than the largest code of each column."""
    return tuple((codes.amax(0) + 1).tolist()) if len(codes) else (1,) * codes.shape[1]
