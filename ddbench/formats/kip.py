"""KIP's ``.npz``: ``images`` (n, H, W, C) and ``labels``, of which the largest entry is the class.

The published files are whitened by a map of their own, which first takes each image's mean and length away; no map
from pixels to inputs that is the same for all images can do that, so such files are refused unless converted.
Source: google-research/google-research ``kip`` (arXiv:2107.13034).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.formats.arrays import read_npz
from ddbench.formats.find_files import one_of, require_path
from ddbench.formats.reader import Facts, Read
from ddbench.formats.tensors import as_images, as_labels


@dataclass(frozen=True)
class KernelInducingPoints:
    """One file; whether it is whitened is in its name."""

    name: str = "kip"
    title: str = "kip_{dataset}_ConvNet*_ssize{n}_*.npz that is not whitened (nozca), or was converted to pixels"
    source: str = "google-research/google-research kip"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Read a file, or the only one in a folder.

        Args:
            path: File or folder that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            What the files hold.

        Raises:
            UserError: A file is whitened, lacks an array, or has a size that its name contradicts.
        """
        del real
        require_path(path)
        file = one_of(path, ("kip_*.npz", "*.npz"), "file of KIP") if path.is_dir() else path
        whitened = re.search(r"(?:^|_)zca(?:_|\.|$)", file.name) is not None
        if facts.space == "zca" or (whitened and facts.space is None):
            raise UserError(
                f"{file} is whitened in KIP's own way, which can not be undone",
                "why   each image's mean and length were taken away before the whitening, so they are lost",
                fix="take one of KIP's sets without whitening (nozca), or, where you have made pixels or standardized "
                "images of it, say --space pixels, or --space meanstd with --mean and --std",
            )
        arrays = read_npz(file)
        if missing := [name for name in ("images", "labels") if name not in arrays]:
            raise UserError(
                f"{file} lacks {' and '.join(missing)}",
                f"it has {', '.join(sorted(arrays)) or 'nothing'}",
                fix="give an .npz file of KIP's release",
            )
        images = as_images(arrays["images"], file).permute(0, 3, 1, 2).contiguous()
        labels = as_labels(arrays["labels"], file)
        match = re.search(r"_ssize([0-9]{1,9})(?:_|\.)", file.name)
        if match and int(match[1]) != len(images):
            raise UserError(
                f"{file.name} should hold {match[1]} images and holds {len(images)}", fix="copy it again, or rename it"
            )
        soft = labels.ndim == 2
        return Read(
            images=images,
            labels=labels.argmax(1) if soft else labels,
            lr_known=True,
            method=self.name,
            protocol="dsa-v1",
            files=(file,),
            notes=(
                *(("classes from the largest entry of its regression targets",) if soft else ()),
                "made for kernels of infinite width, scored with finite networks",
            ),
        )


KIP = KernelInducingPoints()
