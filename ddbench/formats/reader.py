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

Space = Literal["pixels", "meanstd", "zca", "kip"]
"""Images in [0, 1], standardized by channel, or whitened."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts that the user stated of the files; None where nothing was said."""

    ipc: int | None = None
    """Images per class, as stored."""
    lr: float | Literal["none"] | None = None
    """The learned rate, "none" where the method learns none."""
    space: Space | None = None
    """Space in which the images were learned."""
    mean: tuple[float, ...] | None = None
    """Mean of each channel of images in [0, 1], for space "meanstd"."""
    std: tuple[float, ...] | None = None
    """Standard deviation of each channel of images in [0, 1], for space "meanstd"."""
    labels: LabelKind | None = None
    """Kind of labels that are rows of numbers."""
    network: str | None = None
    """Network that the set was distilled with."""
    method: str | None = None
    """Method that made the set."""
    experiment: int | None = None
    """Position of the set among several in one file, from the end where negative; None for the project's own habit."""
    formation: int | None = None
    """Crops a side into which an image decodes."""
    others: tuple[Path, ...] = ()
    """Paths given after the first."""
    epoch_labels: Path | None = None
    """Folder of labels of each epoch that go with the images."""
    label_epochs: int | None = None
    """Number of its epochs that are read."""
    order: str | None = None
    """Way in which the images were shuffled for them."""
    labels_are: Literal["position", "name"] | None = None
    """Meaning of integer labels where class folders are called by numbers."""
    class_folders: bool = False
    """Whether the real data are class folders."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """Content of the files, as a layout found it."""

    images: Tensor
    """(n, C, H, W), float32."""
    labels: Tensor | None = None
    """(n,) int64 when ``label_kind`` is "hard", else (n, classes) float32; None where the images are sorted by class
    and equally many of each."""
    label_kind: LabelKind = "hard"
    """Kind of the labels."""
    student_lr: float | None = None
    """Learned rate; None where the files have none."""
    lr_known: bool = False
    """Whether ``student_lr`` is all there is to say, so that None means that no rate was learned."""
    space: Space | None = None
    """Space of the images; None where the files do not say."""
    mean: tuple[float, ...] | None = None
    """Means with which the project standardizes this data set, where it does; None where they are not known."""
    std: tuple[float, ...] | None = None
    """Standard deviations that go with them; None where they are not known."""
    formation: int = 1
    """Crops a side into which an image decodes."""
    epoch_labels: EpochLabels | None = None
    """Labels of each epoch, where there are any."""
    method: str | None = None
    """Method that made the set, where the files or the format say."""
    protocol: str | None = None
    """Protocol that comes nearest to how the project scores."""
    network: str | None = None
    """Network that the files name."""
    files: tuple[Path, ...] = ()
    """All files that were read."""
    notes: tuple[str, ...] = ()
    """What a user must know of how they were read, a sentence each."""
    labels_named: bool = False
    """Whether the files name their classes, so that nothing is left to tell of what integers mean."""


class Reader(Protocol):
    """A foreign format. ``name`` is that of ``--format``."""

    @property
    def name(self) -> str:
        """Name of the format."""
        ...

    @property
    def title(self) -> str:
        """Files of the format, in one line."""
        ...

    @property
    def source(self) -> str:
        """Project whose code writes it."""
        ...

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file or folder without running anything in it.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: Files are not of this format, or say too little.
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
