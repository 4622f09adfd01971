"""Descriptions of synthetic sets as they lie in files: one model a kind, with the bounds of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from ddbench.artifact import fingerprint
from ddbench.synthetic.recorded import (
    Amount,
    Fingerprint,
    Ipc,
    Name,
    Number,
    Recorded,
    RecordedRecipe,
    Sha256,
    Text,
    checked,
)

LARGEST_MOSAIC = 32
"""Small images in a row of one image that a file may ask to be enlarged."""


class RecordedPreprocessing(Recorded):
    """``Preprocessing.describe()``, whose fingerprint is computed and not believed."""

    kind: Literal["identity", "meanstd", "zca", "kip"]
    """Kind of the map."""
    fingerprint: Fingerprint
    """Fingerprint that the file claims."""
    mean: list[Annotated[float, Field(allow_inf_nan=False)]] = []
    """Mean of each channel, of "meanstd"."""
    std: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = []
    """Standard deviation of each channel, of "meanstd"."""
    eps: Amount | None = None
    """Number that was added to eigenvalues, of "zca"."""
    ridge: Amount | None = None
    """Number that was added to eigenvalues, in units of their mean, of "kip"."""
    fitted_on: Annotated[str, StringConstraints(max_length=200)] = ""
    """Hash of the training images, of "zca" and "kip"."""

    @model_validator(mode="after")
    def _is_what_its_fingerprint_says(self) -> RecordedPreprocessing:
        if self.kind == "meanstd" and not 1 <= len(self.mean) == len(self.std):
            raise ValueError("mean and std are not one number a channel each")
        if self.fingerprint not in self._fingerprints():
            raise ValueError("its fingerprint is that of another preprocessing: a number in it was changed")
        return self

    def _fingerprints(self) -> list[str]:
        """Of what is described. Constants above 1 were rounded once more when they were written."""
        if self.kind == "identity":
            return [fingerprint({"kind": "identity"})]
        if self.kind == "zca":
            return [fingerprint({"kind": "zca", "eps": self.eps, "fitted_on": self.fitted_on})]
        if self.kind == "kip":
            return [fingerprint({"kind": "kip", "ridge": self.ridge, "fitted_on": self.fitted_on})]
        written = {"mean": self.mean, "std": self.std}
        rounded = {name: [float(f"{value:.7g}") for value in values] for name, values in written.items()}
        return [
            fingerprint({"kind": "meanstd", **{name: [round(v, 6) for v in values] for name, values in one.items()}})
            for one in (written, rounded)
        ]


class RecordedProvenance(Recorded):
    """Origin of a set, as far as a command follows it; a method may add facts of its own."""

    recipe: RecordedRecipe | None = None
    """Recipe of the run."""
    label: Name | None = None
    """Label of the method in the recipe."""
    student: Name | None = None
    """Student of an imported set."""
    selection: Literal["last", "validation", "oracle", "given"] | None = None
    """How the set was chosen among candidates."""
    step: Number | None = None
    """Outer step after which it was stored."""
    seconds: Amount | None = None
    """Seconds of the distillation."""
    expert_seconds: Amount = 0.0
    """Seconds of the experts' training."""
    peak_bytes: Number | None = None
    """Most memory in use, in bytes."""
    guard: dict[Name, Number] | None = None
    """Counts of each guard."""
    charged: dict[Name, Number] | None = None
    """Bytes by part, as the method's paper counts."""
    notes: Annotated[list[Text], Field(max_length=1000)] = []
    """Sentences for readers of results."""
    buffer_fingerprint: Name | None = None
    """Fingerprint of the experts."""
    real_fingerprint: Name | None = None
    """Fingerprint of the real data."""
    identity: dict[str, Any] | None = None
    """What the distillation follows from."""


class _Set(Recorded):
    """What sets of images and of graphs have in common."""

    kind: str
    schema_: Annotated[int, Field(alias="schema")]
    sha256: Sha256
    ipc: Ipc
    dataset: Name
    class_names: Annotated[list[Name], Field(min_length=1, max_length=10**6)]
    method: Name
    provenance: RecordedProvenance


class _Compensation(Recorded):
    natural: bool


class _EpochLabels(Recorded):
    batch: Annotated[int, Field(ge=1, le=2**31)]
    mixing: Literal["none", "cutmix", "mixup"]


class ImageSetDescription(_Set):
    """Description of a synthetic set of images, written by any version."""

    label_kind: Literal["hard", "probabilities", "logits"]
    """Kind of the labels."""
    student_lr: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Learned rate; None where none was learned."""
    network: Name
    """Student that it was distilled with."""
    preprocessing: RecordedPreprocessing
    """Space of the images."""
    formation: Annotated[int, Field(ge=1, le=LARGEST_MOSAIC)] = 1
    """Crops a side into which an image decodes."""
    compensation: _Compensation | None = None
    """Facts about compensators; None where there are none."""
    epoch_labels: _EpochLabels | None = None
    """Facts about labels of each epoch; None where there are none."""


class ImageSetDescription2(ImageSetDescription):
    """The same since schema 2, whose keys are all known."""

    model_config = ConfigDict(extra="forbid")


class GraphSetDescription(_Set):
    """Description of a synthetic set of graphs, written by any version."""

    payload: Literal["graphs", "forests"]
    """Graphs, or forests of computation trees."""
    label_kind: Literal["hard", "probabilities"]
    """Kind of the labels."""
    node_cardinalities: Annotated[list[Annotated[int, Field(ge=1, le=2**24)]], Field(min_length=1, max_length=4096)]
    """Number of codes of each column of node features."""
    edge_cardinalities: Annotated[list[Annotated[int, Field(ge=1, le=2**24)]], Field(max_length=4096)]
    """Number of codes of each column of edge features."""


class GraphSetDescription2(GraphSetDescription):
    """The same since schema 2, whose keys are all known."""

    model_config = ConfigDict(extra="forbid")


def check_image_set(document: dict[str, Any], path: Path) -> ImageSetDescription:
    """Check the description of a set of images.

    Args:
        document: Description of the artifact.
        path: The file, for errors.

    Returns:
        The description, with its defaults.

    Raises:
        UserError: A key is missing, unknown, or has a value that it can not have; names file and key.
    """
    model = ImageSetDescription2 if document["schema"] >= 2 else ImageSetDescription
    return checked(model, document, path, "synthetic set", fix=_FIX)


def check_graph_set(document: dict[str, Any], path: Path) -> GraphSetDescription:
    """Check the description of a set of graphs.

    Args:
        document: Description of the artifact.
        path: The file, for errors.

    Returns:
        The description, with its defaults.

    Raises:
        UserError: A key is missing, unknown, or has a value that it can not have; names file and key.
    """
    model = GraphSetDescription2 if document["schema"] >= 2 else GraphSetDescription
    return checked(model, document, path, "set of synthetic graphs", fix=_FIX)


_FIX = "restore it from a copy, or distill or import it again"
