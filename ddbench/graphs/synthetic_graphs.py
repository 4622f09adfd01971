"""Synthetic sets of graphs: a few graphs, or sets of computation trees, with labels and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.graphs.forests import Forests, forests_from
from ddbench.graphs.graphs import Graphs
from ddbench.graphs.integer_packing import packed, stored_bytes, unpacked
from ddbench.graphs.stored_graphs import pack_graphs, unpack_graphs
from ddbench.synthetic.description import check_graph_set

if TYPE_CHECKING:
    from torch_geometric.data import Data

KIND = "synthetic graph set"


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticGraphs:
    """S items to train a graph network on, with labels, and the facts without which they can not be used.

    Raises:
        ValueError: Any of this does not fit.
    """

    payload: Forests | Graphs
    """Forests of computation trees, or graphs, whose own y does not count."""
    labels: Tensor
    """(S,), int64, when ``label_kind`` is "hard", else (S, classes), float32, probabilities."""
    label_kind: Literal["hard", "probabilities"] = "hard"
    """Kind of the labels."""
    frequency: Tensor
    """(S,), int64, how many training graphs each item stands for: the support of a set of trees, 1 for a graph."""
    ipc: int
    """The most items of a class that were allowed."""
    dataset: str
    """Name of the data set that it was made from."""
    class_names: tuple[str, ...]
    """One name a class, in the order of labels."""
    method: str
    """Method that made it."""
    node_cardinalities: tuple[int, ...]
    """Column j of the codes is below the j-th of these."""
    edge_cardinalities: tuple[int, ...]
    """Column j of the codes is below the j-th of these."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Recipe, seconds, versions and the fingerprints of what the set was made from; JSON only."""

    def __post_init__(self) -> None:
        items, shape = len(self.payload), tuple(self.labels.shape)
        if not items or len(self.labels) != items or tuple(self.frequency.shape) != (items,):
            raise ValueError(f"{items} items, labels {shape} and frequencies {tuple(self.frequency.shape)}")
        if self.label_kind not in ("hard", "probabilities"):
            raise ValueError(f"labels can not be {self.label_kind!r}")
        hard = self.label_kind == "hard"
        if shape != ((items,) if hard else (items, self.classes)) or self.labels.is_floating_point() == hard:
            raise ValueError(
                f"{self.label_kind} labels of {self.classes} classes can not be {self.labels.dtype} {shape}"
            )
        if hard and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < self.classes:
            raise ValueError(f"a label is not one of {self.classes} classes")
        if not hard and not bool(((self.labels >= 0).all(1) & ((self.labels.sum(1) - 1).abs() < 1e-3)).all()):
            raise ValueError("probabilities of an item do not add up to 1")
        if self.frequency.is_floating_point() or int(self.frequency.min()) < 1 or self.ipc < 1:
            raise ValueError(f"a frequency is not a number from 1, or ipc is {self.ipc}")
        if not self.node_cardinalities:
            raise ValueError("its nodes have no codes")
        for name, codes, limits in zip(
            ("node", "edge"), self._codes(), (self.node_cardinalities, self.edge_cardinalities), strict=True
        ):
            highest = codes.amax(0).tolist() if len(codes) else [-1] * codes.shape[1]
            if len(highest) != len(limits) or any(code >= limit for code, limit in zip(highest, limits, strict=True)):
                raise ValueError(f"codes of {name}s up to {highest} do not fit cardinalities {list(limits)}")

    def _codes(self) -> tuple[Tensor, Tensor]:
        """Codes of nodes, (n, F), and of edges, (m, R), all that occur."""
        if isinstance(self.payload, Graphs):
            return self.payload.node_features, self.payload.edge_features
        return torch.from_numpy(self.payload.trees.node_labels), torch.from_numpy(self.payload.trees.edge_labels)

    def __repr__(self) -> str:
        kind = "graphs" if isinstance(self.payload, Graphs) else "computation trees"
        return (
            f"SyntheticGraphs({self.method!r} on {self.dataset!r}, ipc {self.ipc}, {len(self)} items ({kind}), "
            f"{self.label_kind} labels)"
        )

    def __len__(self) -> int:
        return len(self.payload)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def bytes(self) -> dict[str, int]:
        """What the set costs to store, by part, in bytes: every integer in the smallest type that holds its tensor.

        A frequency of 1 everywhere costs nothing.
        """
        if isinstance(self.payload, Graphs):
            stored = pack_graphs(self.payload)
            features = stored_bytes({name: tensor for name, tensor in stored.items() if name.endswith("_features")})
            parts = {"structure": stored_bytes(stored) - features, "features": features}
        else:
            parts = self.payload.bytes
        own = {name: tensor.numel() * tensor.element_size() for name, tensor in self._own_tensors().items()}
        return {**parts, "frequency": 0, **own}

    @property
    def charged_bytes(self) -> int:
        """Bytes as Mirage's paper counts them: two for each code of a node and each end of an edge, trees written out.

        Edges are directed, so that an undirected one counts twice. Source: inferred; it gives the paper's 318 bytes for
        NCI1, and 1,046,828 for NCI1's training graphs.
        """
        if isinstance(self.payload, Graphs):
            return 2 * (self.payload.node_features.numel() + 2 * self.payload.edge_index.shape[1])
        return self.payload.unfolded_bytes

    def hard_labels(self) -> Tensor:
        """Reduce labels to classes.

        Returns:
            The labels themselves, or the most likely class of each item, (S,), int64.
        """
        return self.labels if self.label_kind == "hard" else self.labels.argmax(1)

    def to_pyg(self) -> list[Data]:
        """Turn the set into PyG's graphs.

        Returns:
            One ``Data`` an item as the payload gives it, with y, (1,) or probabilities (1, classes), and freq, (1,).
        """
        made = self.payload.to_pyg()
        for item, data in enumerate(made):
            data.y, data.freq = self.labels[item : item + 1], self.frequency[item : item + 1]
        return made

    def tensors(self) -> dict[str, Tensor]:
        """List all that is stored, by name, in the smallest unsigned integers.

        Returns:
            Tensors by name.
        """
        payload = pack_graphs(self.payload) if isinstance(self.payload, Graphs) else self.payload.tensors()
        return {**{f"{_PAYLOAD}{name}": tensor for name, tensor in payload.items()}, **self._own_tensors()}

    def _own_tensors(self) -> dict[str, Tensor]:
        labels = packed(self.labels) if self.label_kind == "hard" else self.labels
        once = bool((self.frequency == 1).all())
        return {"labels": labels, **({} if once else {"frequency": packed(self.frequency)})}

    def save(self, path: Path) -> str:
        """Write one safe file, atomically.

        Args:
            path: The file, ``.safetensors``.

        Returns:
            The SHA-256 of its tensors.

        Raises:
            UserError: The file can not be written.
        """
        document = {
            "payload": "graphs" if isinstance(self.payload, Graphs) else "forests",
            "class_names": list(self.class_names),
            "node_cardinalities": list(self.node_cardinalities),
            "edge_cardinalities": list(self.edge_cardinalities),
            **{name: getattr(self, name) for name in _PLAIN},
        }
        return artifact.save(path, KIND, self.tensors(), document)


def load_synthetic_graphs(path: str | Path) -> SyntheticGraphs:
    """Read a synthetic set of graphs.

    Args:
        path: The file.

    Returns:
        The set.

    Raises:
        UserError: It is absent, damaged, or something else.
    """
    path = Path(path)
    tensors, document = artifact.load(path, KIND)
    check_graph_set(document, path)
    try:
        return _from_file(tensors, document)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not a whole set of synthetic graphs: {error}", fix="distill it again") from None


def _from_file(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> SyntheticGraphs:
    lists: dict[str, Any] = {
        name: tuple(document[name]) for name in ("class_names", "node_cardinalities", "edge_cardinalities")
    }
    hard = document["label_kind"] == "hard"
    labels = unpacked(tensors, "labels") if hard else tensors["labels"]
    if not hard and (labels.dtype != torch.float32 or labels.ndim != 2 or not labels.shape[1]):
        raise ValueError(f"its labels are {labels.dtype} of shape {tuple(labels.shape)}")
    held = {name.removeprefix(_PAYLOAD): tensor for name, tensor in tensors.items() if name.startswith(_PAYLOAD)}
    graphs = document["payload"] == "graphs"
    return SyntheticGraphs(
        payload=unpack_graphs(held, labels if hard else labels.argmax(1)) if graphs else forests_from(held),
        labels=labels,
        frequency=unpacked(tensors, "frequency") if "frequency" in tensors else torch.ones(len(labels)).long(),
        **lists,
        **{name: document[name] for name in _PLAIN},
    )


_PAYLOAD = "payload."
_PLAIN = ("label_kind", "ipc", "dataset", "method", "provenance")
