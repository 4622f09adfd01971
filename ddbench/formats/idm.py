"""IDM's files are pickles, which are programs: they are refused, with what to do instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.formats.find_files import require_path
from ddbench.formats.reader import Facts, Read


@dataclass(frozen=True)
class Refused:
    """A format that is known and never read."""

    name: str = "idm"
    title: str = "pickles: refused, because reading one runs whatever is in it"
    source: str = "uitrbn/IDM"

    def read(self, path: Path, facts: Facts, real: RealSet) -> Read:
        """Refuse the file, and say how to convert it where it is trusted.

        Args:
            path: File that the user gave.
            facts: What the user said of the files.
            real: The real data that the set was distilled from.

        Returns:
            Nothing, for it always raises.

        Raises:
            UserError: Always.
        """
        del facts, real
        require_path(path)
        raise UserError(
            f"{path} is a pickle, which runs code when it is read",
            fix="where you trust it, convert it yourself: images, labels = pickle.load(open(FILE, 'rb')), then "
            "torch.save((images, labels), NEW_FILE), and import that with --format tensors --formation 2",
        )


IDM = Refused()
