"""Sets that are stored as pictures, one folder a class: plain ones, and as SRe2L, its kin and RDED write them.

Source: VILA-Lab/SRe2L, AngusDujw/Diversity-Driven-Synthesis and zhangxin-xd/UFC, ``new{class}/class{class}_id{k}.jpg``;
LINs-lab/RDED, ``{class}/*.jpg``, mosaics of patches that are trained on as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ddbench.data import RealSet
from ddbench.data.pixels import Picture
from ddbench.errors import UserError
from ddbench.formats.class_folders import ClassListing, list_class_folders, only_path
from ddbench.formats.fkd import read_fkd
from ddbench.formats.pictures import read_pictures
from ddbench.formats.reader import Facts, Read


@dataclass(frozen=True)
class ClassFolders:
    """One folder a class, named, numbered or in order; any names within, or ``numbered`` ones."""

    name: str
    title: str
    source: str
    method: str | None = None
    """Method that made the sets; None where any may have."""
    protocol: str | None = None
    """Protocol that comes nearest to how the project scores."""
    numbered: bool = False
    """Whether files must be named by class and number."""
    learns_no_rate: bool = True
    """Whether it is known of the method that there is no learned rate to ask for."""

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read all pictures, and the labels of each epoch where ``facts.epoch_labels`` names their folder.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: Folders are not the real set's classes, files are not named as the method does, pictures are
                damaged or of another size, or labels do not go with them.
        """
        only_path(facts)
        listing = list_class_folders(path, real)
        if self.numbered:
            _check_numbers(listing)
        pictures = (Picture(str(file), file) for file in listing.paths)
        images = read_pictures(pictures, len(listing.paths), real)
        stored = None if facts.epoch_labels is None else read_fkd(facts, listing, real)
        return Read(
            images=images,
            labels=listing.labels,
            lr_known=self.learns_no_rate,
            space="pixels",
            epoch_labels=None if stored is None else stored.labels,
            method=self.method,
            protocol=self.protocol,
            files=(*listing.paths, *(() if stored is None else stored.files)),
            labels_named=True,
            notes=(listing.note, *(() if stored is None else stored.notes)),
        )


def _check_numbers(listing: ClassListing) -> None:
    """Refuse a file whose name says another class than its folder does."""
    for file in listing.paths:
        number = re.fullmatch(r"class([0-9]+)_id[0-9]+\.\w+", file.name)
        folder = re.search(r"([0-9]+)$", file.parent.name)
        if number is None or folder is None or int(number[1]) != int(folder[1]):
            raise UserError(
                f"{file} is not named as these methods name their images",
                "want  new{class}/class{class}_id{number}.jpg, both with the same class",
                fix="check the path; of folders with other names import the format image-folder",
            )


IMAGE_FOLDER = ClassFolders(
    name="image-folder",
    title="one folder a class, any pictures in it",
    source="torchvision.datasets.ImageFolder",
    learns_no_rate=False,
)
_NUMBERED = "new000/class000_id000.jpg, ...; with --labels-from, SRe2L's labels of each epoch"
SRE2L = ClassFolders("sre2l", _NUMBERED, "VILA-Lab/SRe2L", "sre2l", "sre2l-v1", numbered=True)
CDA = ClassFolders("cda", _NUMBERED, "VILA-Lab/SRe2L (CDA)", "cda", "sre2l-v1", numbered=True)
DWA = ClassFolders("dwa", _NUMBERED, "AngusDujw/Diversity-Driven-Synthesis", "dwa", "sre2l-v1", numbered=True)
UFC = ClassFolders("ufc", _NUMBERED, "zhangxin-xd/UFC", "infer", "infer-dynamic-v1", numbered=True)
RDED = ClassFolders("rded", "00000/*.jpg, one folder a class", "LINs-lab/RDED", "rded", "rded-v1")
