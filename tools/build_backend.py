"""Builds with setuptools; an editable install is a plain path to the clone.

Setuptools installs packages that lie outside ``ddbench/`` by an import hook. The hook is asked after the folders of
``sys.path``, where a clone that is itself called ``ddbench`` counts as a package without modules for every script
beside it: ``import ddbench`` would succeed and hold nothing. A plain path, which Python reads before it settles for
such a folder, needs the four links in ``ddbench/``; without them (some systems check out files in their place)
setuptools' own way is kept.
"""

import base64
import csv
import hashlib
import io
import os
import zipfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

ROOT = Path(__file__).resolve().parents[1]
LINKS = ("configs", "evaluate", "expert_buffers", "methods")


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Build the wheel of an editable install (PEP 660).

    Args:
        wheel_directory: Folder to write it to.
        config_settings: Passed on to setuptools; ``editable_mode`` keeps setuptools' own way.
        metadata_directory: Passed on to setuptools.

    Returns:
        The name of the wheel's file.
    """
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    if "editable_mode" in (config_settings or {}) or not all((ROOT / "ddbench" / link).is_dir() for link in LINKS):
        return name
    _with_plain_path(Path(wheel_directory, name))
    return name


def _with_plain_path(wheel: Path) -> None:
    """Replace whatever a wheel of an editable install puts beside its metadata by one ``.pth`` file."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = {
            entry: archive.read(entry)
            for entry in archive.namelist()
            if ".dist-info/" in entry and not entry.endswith("/RECORD")
        }
        (record,) = (entry for entry in archive.namelist() if entry.endswith(".dist-info/RECORD"))
    files = {"__editable__.ddbench.pth": f"{ROOT}\n".encode(), **metadata}
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for entry, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow((entry, f"sha256={digest}", len(content)))
    writer.writerow((record, "", ""))
    part = wheel.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in {**files, record: lines.getvalue().encode()}.items():
            archive.writestr(entry, content)
    os.replace(part, wheel)
