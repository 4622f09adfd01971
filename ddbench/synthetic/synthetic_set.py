"""Synthetic sets of images: everything that is needed to train on them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from ddbench import artifact
from ddbench.data.preprocessing import seen_value
from ddbench.errors import UserError
from ddbench.recipe.renamed_keys import with_current_names
from ddbench.synthetic.compensators import Compensation, compensation_from, rendered, seen_pixels
from ddbench.synthetic.description import check_image_set
from ddbench.synthetic.epoch_labels import EpochLabels, epoch_labels_from
from ddbench.synthetic.multi_formation import decode_formation, decoded_rows
from ddbench.synthetic.tensor_checks import require_agreement, require_fitting_parts
from ddbench.training.losses import LabelKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KIND = "synthetic set"
"""Kind of its files."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticSet:
    """A few images per class with labels, and the facts without which they can not be used."""

    images: Tensor
    """(S, C, H, W), float32 in the space of ``preprocessing``, or pixels, uint8."""
    labels: Tensor
    """(S,) int64 when ``label_kind`` is "hard", else (S, classes), probabilities or logits, float32 or float16; one for
    each image that is rendered, where there is a compensation."""
    label_kind: LabelKind = "hard"
    """Kind of the labels: "hard", "probabilities" or "logits"."""
    student_lr: Tensor | None = None
    """The learned rate of the student's SGD, a scalar tensor, None where the method learns none."""
    warm_images: Tensor | None = None
    """Shaped as images, None but for sets made for the protocol ``ftd-warm-ema-v1``, which trains a network on them
    before it goes on with the images."""
    formation: int = 1
    """f, where each image is a mosaic of f x f smaller ones, which ``decoded()`` enlarges."""
    compensation: Compensation | None = None
    """What is added to the images, natural ones then, to make more of them, which ``decoded()`` renders."""
    epoch_labels: EpochLabels | None = None
    """Labels that a teacher gave every view in every epoch, for protocols that show the same views again."""
    ipc: int
    """Images per class, as stored."""
    dataset: str
    """Name of the data set that it was made from."""
    class_names: tuple[str, ...]
    """One name a class, in the order of labels."""
    network: str
    """Student that it was distilled with."""
    preprocessing: dict[str, Any]
    """``Preprocessing.describe()``, with its fingerprint."""
    method: str
    """Method that made it."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Recipe, outer step, seconds, versions and the fingerprints of what the set was made from; JSON only."""

    def __post_init__(self) -> None:
        require_fitting_parts(self)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "x".join(str(side) for side in self.images.shape[1:])
        return (
            f"SyntheticSet({self.method!r} on {self.dataset!r}, ipc {self.ipc}, {len(self)} images {shape}, "
            f"{self.label_kind} labels)"
        )

    def _repr_html_(self) -> str:
        return _display().as_html(self)

    def show(self, home: str | Path | None = None) -> Figure:
        """Draw the images, preprocessing undone: classes down, images across.

        Args:
            home: Folder of the whitening of a ZCA set; None takes $DDBENCH_HOME, else ``./artifacts``.

        Returns:
            A matplotlib figure, which notebooks draw; in a script, ``show().savefig("set.png")``.

        Raises:
            UserError: The set is whitened, and its whitening is not in the home.
        """
        return _display().as_figure(self, home)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def bytes(self) -> dict[str, int]:
        """What the set costs to store, by part, in bytes; all label versions count."""
        return {
            "images": self.images.numel() * self.images.element_size(),
            "labels": self.labels.numel() * self.labels.element_size(),
            "student_lr": 0 if self.student_lr is None else self.student_lr.element_size(),
            **({} if (warm := self.warm_images) is None else {"warm_images": warm.numel() * warm.element_size()}),
            **({} if (extra := self.compensation) is None else _sizes(extra.tensors())),
            **({} if (stored := self.epoch_labels) is None else {"epoch_labels": stored.bytes}),
        }

    @property
    def charged(self) -> dict[str, int]:
        """What the method's paper counts as its storage, by part, in bytes; empty where that is :attr:`bytes`."""
        return dict(self.provenance.get("charged") or {})

    @property
    def label_versions(self) -> int:
        """How many labels are stored for each image."""
        return 1 if self.epoch_labels is None else self.epoch_labels.epochs

    def to(self, device: torch.device | str) -> SyntheticSet:
        """Copy to a device.

        Args:
            device: Where all tensors go.

        Returns:
            The copy.
        """
        moved: dict[str, Any] = {name: tensor.to(device) for name, tensor in self._own_tensors().items()}
        for name in ("compensation", "epoch_labels"):
            if (part := getattr(self, name)) is not None:
                moved[name] = part.to(device)
        return replace(self, **moved)

    def decoded(self) -> SyntheticSet:
        """Expand the set to what is trained on.

        A mosaic becomes its images in full size, with one label for all of them; natural images become those that
        compensators make of them; pixels become what networks see. Differentiable in images, warm images and soft
        labels.

        Returns:
            A set of float32 images, (shown_ipc * classes, C, H, W), class by class; the set itself where it is that
            already.
        """
        labels = self.labels if self.label_kind == "hard" else self.labels.float()
        if self.compensation is not None:
            rows = torch.arange(len(labels), device=self.images.device)
            shown = rendered(self.images, self.compensation, self.preprocessing, rows)
            return replace(self, images=shown, labels=labels, compensation=None, ipc=self.shown_ipc)
        if self.images.dtype == torch.uint8 or labels is not self.labels:
            return replace(self, images=seen_pixels(self.images, self.preprocessing), labels=labels).decoded()
        if self.formation == 1:
            return self
        rows = decoded_rows(self.hard_labels(), self.classes, self.formation)
        grey = seen_value(self.preprocessing, 0.5, self.images)
        images, warm = (
            None if stored is None else decode_formation(stored, self.formation, grey)[rows]
            for stored in (self.images, self.warm_images)
        )
        labels = labels[rows % len(self)]
        return replace(self, images=images, labels=labels, warm_images=warm, formation=1, ipc=self.shown_ipc)

    @property
    def shown_ipc(self) -> int:
        """Images per class that are trained on."""
        if self.compensation is not None:
            return len(self.labels) // self.classes
        return self.ipc * self.formation**2

    def hard_labels(self) -> Tensor:
        """Reduce labels to classes.

        Returns:
            The labels themselves, or the most likely class of soft ones, int64, one per label.
        """
        return self.labels if self.label_kind == "hard" else self.labels.argmax(1)

    def made_for(self) -> Tensor:
        """Tell the class that each image was made for.

        Soft labels may see something else in an image; there its position tells, as sets with one ipc are class-major.

        Returns:
            (S,), int64.
        """
        if self.label_kind == "hard" or len(self) != self.classes * self.ipc:
            return self.hard_labels()
        return torch.arange(self.classes).repeat_interleave(self.ipc)

    def to_dataset(self) -> TensorDataset:
        """Turn the set into pairs for a training of your own.

        Returns:
            A ``torch.utils.data.Dataset`` of (image, label): images (C, H, W), float32, in the space of
            ``preprocessing``; soft labels come as probabilities, which ``torch.nn.CrossEntropyLoss`` takes as they are.
        """
        seen = self.decoded()
        labels = seen.labels.softmax(1) if self.label_kind == "logits" else seen.labels
        return TensorDataset(seen.images, labels)

    def save(self, path: Path) -> str:
        """Write one safe file, atomically.

        Args:
            path: The file, ``.safetensors``.

        Returns:
            The SHA-256 of its tensors.
        """
        rate = None if self.student_lr is None else self.student_lr.item()
        own = {"student_lr": rate, "class_names": list(self.class_names)}
        document = {name: own[name] if name in own else getattr(self, name) for name in _DESCRIBED}
        if self.formation != 1:
            document["formation"] = self.formation
        if self.compensation is not None:
            document["compensation"] = {"natural": self.compensation.natural}
        if self.epoch_labels is not None:
            document["epoch_labels"] = self.epoch_labels.document()
        return artifact.save(path, KIND, self.tensors(), document)

    def tensors(self) -> dict[str, Tensor]:
        """List all tensors for a file.

        Returns:
            Tensors by name; those of the epoch labels begin with ``epoch_labels.``.
        """
        stored = {} if self.epoch_labels is None else self.epoch_labels.tensors()
        extra = {} if self.compensation is None else self.compensation.tensors()
        return {**self._own_tensors(), **extra, **{f"{_EPOCH}{name}": tensor for name, tensor in stored.items()}}

    def _own_tensors(self) -> dict[str, Tensor]:
        optional = {"student_lr": self.student_lr, "warm_images": self.warm_images}
        present = {name: tensor for name, tensor in optional.items() if tensor is not None}
        return {"images": self.images, "labels": self.labels, **present}


def _display() -> Any:
    """Import the module that draws sets, which stands above this one, when a set is first shown."""
    return importlib.import_module("ddbench.figures.notebook")


def load_synthetic(path: str | Path) -> SyntheticSet:
    """Read a synthetic set.

    Args:
        path: The file. A name alone is one in the current folder.

    Returns:
        The set, its tensors on the CPU.

    Raises:
        UserError: The file is absent, damaged or something else, or its description says what can not be: a value out
            of bounds, a fingerprint that is not that of what it stands for, other counts than its tensors have.
    """
    path = Path(path)
    tensors, document = artifact.load(path, KIND)
    about = check_image_set(document, path)
    try:
        require_agreement(tensors, about)
        return SyntheticSet(
            images=tensors["images"],
            labels=tensors["labels"],
            student_lr=tensors.get("student_lr"),
            warm_images=tensors.get("warm_images"),
            formation=document.get("formation", 1),
            compensation=compensation_from(tensors, extra) if (extra := document.get("compensation")) else None,
            epoch_labels=_epoch_labels(tensors, document.get("epoch_labels")),
            class_names=tuple(document["class_names"]),
            **{key: document[key] for key in _PLAIN if key != "provenance"},
            provenance=with_current_names(document["provenance"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not a whole synthetic set: {error}", fix="distill it again, or export it again"
        ) from None


def _sizes(tensors: dict[str, Tensor]) -> dict[str, int]:
    return {name: tensor.numel() * tensor.element_size() for name, tensor in tensors.items()}


def _epoch_labels(tensors: dict[str, Tensor], document: dict[str, Any] | None) -> EpochLabels | None:
    if document is None:
        return None
    stored = {name.removeprefix(_EPOCH): tensor for name, tensor in tensors.items() if name.startswith(_EPOCH)}
    return epoch_labels_from(stored, document)


_EPOCH = "epoch_labels."
_PLAIN = ("label_kind", "ipc", "dataset", "network", "preprocessing", "method", "provenance")
_DESCRIBED = ("label_kind", "student_lr", "ipc", "dataset", "class_names", *_PLAIN[3:])
"""Keys of a file's description, in their order; further ones follow."""
