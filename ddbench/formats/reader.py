"""The contract of a reader of a foreign format: what it receives and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ddbench.registry import Registry
from ddbench.training.losses import LabelKind

if TYPE_CHECKING:
    from torch import Tensor

    from ddbench.data import RealSet
    from ddbench.synthetic.epoch_labels import EpochLabels

Space = Literal["pixels", "meanstd", "zca"]
"""Images in [0, 1], standardized by channel, or whitened."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the user said of the files; None where nothing was said."""

    ipc: int | None = None
    """Images per class, as stored."""
    lr: float | Literal["none"] | None = None
    """The learned rate, "none" where the method learns none."""
    space: Space | None = None
    mean: tuple[float, ...] | None = None
    """Of space "meanstd", one number a channel, of images in [0, 1]."""
    std: tuple[float, ...] | None = None
    """Of space "meanstd", one number a channel, of images in [0, 1]."""
    labels: LabelKind | None = None
    """What rows of numbers per image are."""
    network: str | None = None
    method: str | None = None
    experiment: int | None = None
    """Which of several sets in one file, from the end where negative; None for the project's own habit."""
    formation: int | None = None
    """Into how many crops a side an image decodes."""
    others: tuple[Path, ...] = ()
    """The paths given after the first."""
    epoch_labels: Path | None = None
    """The folder of labels of each epoch that go with the images, label_epochs: how many of its epochs, order: how the
    images were shuffled for them."""
    label_epochs: int | None = None
    order: str | None = None
    labels_are: Literal["position", "name"] | None = None
    """What integers of labels are where class folders are called by numbers."""
    class_folders: bool = False
    """Whether the real data are class folders."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a layout found in the files."""

    images: Tensor
    """(n, C, H, W), float32."""
    labels: Tensor | None = None
    """(n,) int64 when ``label_kind`` is "hard", else (n, classes) float32; None where the images are sorted by class
    and equally many of each."""
    label_kind: LabelKind = "hard"
    student_lr: float | None = None
    lr_known: bool = False
    """Whether ``student_lr`` is all there is to say, so that None means that no rate was learned."""
    space: Space | None = None
    """None where the files do not say."""
    mean: tuple[float, ...] | None = None
    """Those with which the project standardizes this data set, where it does; None where that is not known."""
    std: tuple[float, ...] | None = None
    """Those with which the project standardizes this data set, where it does; None where that is not known."""
    formation: int = 1
    epoch_labels: EpochLabels | None = None
    method: str | None = None
    protocol: str | None = None
    """The one that comes nearest to how the project scores."""
    network: str | None = None
    """The one that the files name."""
    files: tuple[Path, ...] = ()
    """All that was read."""
    notes: tuple[str, ...] = ()
    labels_named: bool = False
    """Whether the files name their classes, so that nothing is left to tell of what integers mean."""


class Reader(Protocol):
    """A foreign format. title: one line of what it is. source: the project whose code writes it."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def source(self) -> str: ...

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file or folder.

        Raises:
            UserError: Files that are not of this format, or that say too little.
        """
        ...


READERS: Registry[Reader] = Registry(
    "format",
    {
        "mtt": "ddbench.formats.mtt:MTT",
        "ftd": "ddbench.formats.mtt:FTD",
        "tesla": "ddbench.formats.mtt:TESLA",
        "datm": "ddbench.formats.datm:DATM",
        "edf": "ddbench.formats.datm:EDF",
        "dc": "ddbench.formats.condensation:DC",
        "dsa": "ddbench.formats.condensation:DSA",
        "dm": "ddbench.formats.condensation:DM",
        "beard": "ddbench.formats.condensation:BEARD",
        "dd": "ddbench.formats.condensation:DD",
        "idc": "ddbench.formats.formation:IDC",
        "dream": "ddbench.formats.formation:DREAM",
        "ncfm": "ddbench.formats.formation:NCFM",
        "idm": "ddbench.formats.idm:IDM",
        "kip": "ddbench.formats.kip:KIP",
        "eccv24": "ddbench.formats.eccv24:ECCV24",
        "ddranking": "ddbench.formats.ddranking_tensors:DDRANKING",
        "ufc-init": "ddbench.formats.natural:UFC_INIT",
        "dc-bench": "ddbench.formats.dc_bench:DC_BENCH",
        "tensors": "ddbench.formats.plain:TENSORS",
        "image-folder": "ddbench.formats.image_folder_set:IMAGE_FOLDER",
        "sre2l": "ddbench.formats.image_folder_set:SRE2L",
        "cda": "ddbench.formats.image_folder_set:CDA",
        "dwa": "ddbench.formats.image_folder_set:DWA",
        "ufc": "ddbench.formats.image_folder_set:UFC",
        "rded": "ddbench.formats.image_folder_set:RDED",
        "ddranking-images": "ddbench.formats.ddranking_folder:DDRANKING_IMAGES",
        "png": "ddbench.formats.png_set:PNG",
        "parquet": "ddbench.formats.parquet_set:PARQUET",
    },
    group="ddbench.formats",
)
