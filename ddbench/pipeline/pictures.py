"""Pictures of synthetic sets of any domain, from their files."""

from __future__ import annotations

import sys
from pathlib import Path

from ddbench.errors import error_summary
from ddbench.pipeline.domains import domain_of_file


def draw_set(file: Path, target: Path, home: Path) -> None:
    """Draw a synthetic set.

    Args:
        file: The set.
        target: The PNG to write.
        home: Folder of the whitening, for images that were whitened.

    Raises:
        UserError: The file is no synthetic set, or its whitening is missing.
    """
    domain = domain_of_file(file)
    domain.draw(domain.load_set(file), target, home)


def thumbnail_of(file: Path, home: Path, limit: int) -> bytes | None:
    """Draw a synthetic set so small that it can be sent along.

    Args:
        file: The set.
        home: Folder of the whitening, for images that were whitened.
        limit: Bytes of the picture, at most.

    Returns:
        The picture as a PNG or WebP file; None where its domain draws none.

    Raises:
        UserError: The file is no synthetic set, or its whitening is missing.
    """
    domain = domain_of_file(file)
    return domain.thumbnail(domain.load_set(file), home, limit)


def draw_if_changed(file: Path, home: Path) -> None:
    """Draw a set beside its file, unless the picture there is newer; a note on stderr where drawing fails.

    Args:
        file: The set.
        home: Folder of the whitening, for images that were whitened.
    """
    picture = file.with_suffix(".png")
    try:
        if not picture.exists() or picture.stat().st_mtime < file.stat().st_mtime:
            draw_set(file, picture, home)
    except Exception as error:  # a picture is no reason to end a run, whatever the library that draws it says
        sys.stderr.write(f"note: the picture {picture} could not be drawn: {error_summary(error)}\n")
