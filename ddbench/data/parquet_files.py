"""Layouts of Parquet sets: which files of a folder are its training, validation and test images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ddbench.data.folder_listing import existing_folder
from ddbench.data.rawdata import Request
from ddbench.data.split_names import Role, first_role, role_of, role_of_file
from ddbench.errors import UserError
from ddbench.files.regular_file import require_regular, shown_path

DEPTH = 3
"""Folders below the given one that are looked into: ``default/train/0000.parquet`` has two."""


@dataclass(frozen=True)
class ParquetLayout:
    """Files of a set by their role."""

    root: Path
    """Folder of the set."""
    files: dict[Role, list[Path]]
    """Files of each role, sorted; train is among the roles."""
    notes: tuple[str, ...] = ()
    """What a user must know of files that are not read, a sentence each."""

    def name(self, role: Role) -> str:
        """Name the files of a role in a few words.

        Args:
            role: "train", "validation" or "test".

        Returns:
            ``"train.parquet"``, ``"data/train-00000.parquet and 4 more"``.
        """
        first = shown_path(self.files[role][0].relative_to(self.root).as_posix())
        more = len(self.files[role]) - 1
        return f"{first} and {more} more" if more else first


def find_layout(path: Path, request: Request) -> ParquetLayout:
    """Find the files of a set.

    Files named after a split lie in the folder itself, in folders named after the splits, in ``data``, or in the folder
    of a configuration, ``default`` where there are several. A file may stand for the folder it lies in; one that is not
    named after a split is all there is.

    Args:
        path: What the recipe names.
        request: Of the recipe, for messages.

    Returns:
        The files, each a regular one.

    Raises:
        UserError: There is nothing, or several sets lie side by side.
    """
    layout = _layout_of_file(path) or _layout_of_folder(existing_folder(path, request), request)
    for files in layout.files.values():
        for file in files:
            require_regular(file)
    return layout


def _layout_of_file(path: Path) -> ParquetLayout | None:
    try:
        if not path.is_file():
            return None
    except (OSError, ValueError):  # existing_folder says what is wrong with it
        return None
    role = role_of_file(path.stem)
    beside = {role_of_file(file.stem) for file in path.parent.glob("*.parquet")}
    if role is not None and "train" in beside:
        note = f"{shown_path(path.name)} is one file of its set: the files beside it are read as well"
        files = _grouped(path.parent, 1)[()]
        return ParquetLayout(
            path.parent, {r: f for r, f in files.items() if r is not None}, (note,) if len(files) > 1 else ()
        )
    return ParquetLayout(path.parent, {"train": [path]})


def _layout_of_folder(root: Path, request: Request) -> ParquetLayout:
    groups = _grouped(root, DEPTH)
    with_train = [key for key, files in groups.items() if "train" in files]
    if not with_train and sum(len(files) for group in groups.values() for files in group.values()) == 1:
        (group,) = groups.values()
        if None in group:
            return ParquetLayout(root, {"train": group[None]})
    plain = [(), ("*",), ("data",), ("data", "*")]
    default = [("default",), ("default", "*"), ("data", "default"), ("data", "default", "*")]
    key = next((key for key in plain if key in with_train), None)
    if key is None and len(with_train) > 1:
        key = next((key for key in default if key in with_train), None)
    if key is None and len(with_train) == 1:
        key = with_train[0]
    if key is None and with_train:
        folders = ["/".join(part for part in key if part != "*") for key in with_train]
        raise UserError(
            f"{shown_path(root)} holds several sets",
            request.origin,
            f"found    {', '.join(map(shown_path, folders))}",
            fix=f"name one:  parquet:{shown_path(root / folders[0])}",
        )
    if key is None:
        raise UserError(
            f"there are no train images in {shown_path(root)}",
            request.origin,
            f"expected {shown_path(root / 'train*.parquet')}",
            fix="check the path: it is a folder with train*.parquet and test*.parquet",
        )
    files = groups[key]
    notes = tuple(
        f"{shown_path(file.relative_to(root))} is not named after a split and is not read"
        for file in files.get(None, [])
    )
    return ParquetLayout(root, {role: paths for role, paths in files.items() if role is not None}, notes)


def _grouped(root: Path, depth: int) -> dict[tuple[str, ...], dict[Role | None, list[Path]]]:
    """All Parquet files by the folders they lie in and their role; ``"*"`` stands for folders named after a split."""
    groups: dict[tuple[str, ...], dict[Role | None, list[Path]]] = {}
    for folder, inner, names in os.walk(root):
        parts = Path(folder).relative_to(root).parts
        inner[:] = sorted(name for name in inner if not name.startswith(".")) if len(parts) < depth - 1 else []
        of_folder = first_role(parts)
        key = tuple(part for part in parts if role_of(part) is None) + (("*",) if of_folder else ())
        for name in sorted(names):
            if name.endswith(".parquet") and not name.startswith("."):
                role = of_folder or role_of_file(Path(name).stem)
                groups.setdefault(key, {}).setdefault(role, []).append(Path(folder) / name)
    return groups
