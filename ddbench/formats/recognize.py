"""Recognizing files of other projects by their names, and tensors by what they hold: a hint, never taken for granted.

Nothing is run, and nothing but regular files is opened. Imports no tensor library until a file is looked into.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ddbench.errors import UserError
from ddbench.files.regular_file import require_regular

EXPERTS = "--recipe RECIPE, for they are experts"
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("replay_buffer_*.pt", (EXPERTS,)),
    ("ema_images*.pt", ("ftd",)),
    ("lr_best.pt", ("datm", "edf")),
    ("images_best*.pt", ("mtt", "tesla", "ftd")),
    ("labels_best*.pt", ("mtt", "tesla", "ftd")),
    ("images_zca_*.pt", ("mtt", "tesla", "ftd")),
    ("images_[0-9]*.pt", ("mtt", "tesla", "ftd")),
    ("res_*.pt", ("dc", "dsa", "dm")),
    ("*_ipc*_conv.pt", ("beard",)),
    ("results.pth", ("dd",)),
    ("data.pt", ("idc", "dream", "ncfm")),
    ("*_phase0", ("idc",)),
    ("data_*.pt", ("ncfm",)),
    ("kip_*.npz", ("kip",)),
    ("cifar100.pt", ("eccv24",)),
    ("tinyimagenet.pt", ("eccv24",)),
    ("rdm_data_iter*.pt", ("ddranking",)),
    ("tensor_[0-9]*.pt", ("ufc-init",)),
    ("*_IPC*_images.pt", ("dc-bench",)),
    ("images.pt", ("ddranking", "tensors")),
    ("images.*", ("tensors",)),
    ("*.pkl", ("idm",)),
    ("*.pickle", ("idm",)),
    ("set.json", ("png",)),
    ("new[0-9]*", ("sre2l", "cda", "dwa", "ufc")),
    ("00000", ("rded", "ddranking-images")),
    ("*.parquet", ("parquet",)),
)
_TENSORS = (".pt", ".pth", ".npy", ".npz")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".tif", ".tiff", ".gif")
_OWN = ("synthetic.safetensors", "state.safetensors", "buffer.json", "expert-*.safetensors")
_REAL = {".npz": "npz", ".parquet": "parquet"}
_LOOKED_INTO = 256 * 2**20
"""Bytes of a file that are read for a hint at most."""


def looks_like(path: Path) -> tuple[str, ...]:
    """Recognize a format by the names of its files.

    Args:
        path: File or folder.

    Returns:
        Formats whose files are called so, likeliest first; empty where the name says nothing.
    """
    if path.name.startswith(("images_best", "labels_best")) and (path.parent / "lr_best.pt").is_file():
        return ("datm", "edf")
    for pattern, formats in _SIGNS:
        inside = path.is_dir() and next(path.glob(pattern), None) is not None
        if inside or path.match(pattern):
            return formats
    if path.is_dir() and (path / "Normal").is_dir():
        return looks_like(path / "Normal")
    return ()


def refuse_foreign(path: Path) -> None:
    """Refuse a file or folder of another project where one of ddbench's is expected.

    Args:
        path: File or folder; may be absent.

    Raises:
        UserError: It is another project's, with the command that imports it; or a pipe or a device.
    """
    if not _is_folder(path):
        if not _lies_there(path):
            return
        require_regular(path)
    try:
        formats = _formats(path)
    except PermissionError:  # a folder that may not be looked into, of which others speak
        return
    if not formats:
        return
    what = "folder" if path.is_dir() else "file"
    quoted = shlex.quote(str(path))
    if formats[0] == EXPERTS:
        raise UserError(
            f"{path} is another project's {what}, of experts",
            fix=f"ddbench import {quoted} --recipe RECIPE",
        )
    others = f", or one of {', '.join(formats[1:])} in its place" if formats[1:] else ""
    real = _as_real_data(path)
    raise UserError(
        f"{path} is another project's {what}, not one of ddbench's",
        f"where it is real data, a recipe names it as  dataset: {real}" if real else "",
        fix=f"ddbench import {quoted} --format {formats[0]} --dataset NAME{others}",
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _lies_there(path: Path) -> bool:
    """Whether there is anything but a folder at a path, or it is none that the system takes."""
    try:
        return path.is_symlink() or path.exists()
    except PermissionError:
        return False
    except (OSError, ValueError, RuntimeError):
        return True


def _formats(path: Path) -> tuple[str, ...]:
    """The formats that a path may be of, by its name or content; empty for ddbench's own, and for nothing known."""
    suffix = path.suffix.lower()
    if path.is_dir():
        if any(next(path.glob(pattern), None) is not None for pattern in _OWN):
            return ()
        return looks_like(path) or _of_folder(path)
    if not path.is_file() or suffix in (".safetensors", ".json", ".yaml", ".yml"):
        return ()
    if suffix in _PICTURES:
        return ("image-folder",)
    named = looks_like(path)
    return named or (_of_content(path, suffix) if suffix in _TENSORS else ())


def _of_folder(path: Path) -> tuple[str, ...]:
    """By what lies in a folder of other names: tensors, or folders of pictures."""
    inside = sorted(path.iterdir())[:1000]
    if any(file.suffix in _TENSORS and file.is_file() for file in inside):
        return ("tensors",)
    for folder in inside:
        if folder.is_dir() and any(file.suffix.lower() in _PICTURES for file in folder.iterdir()):
            return ("image-folder",)
    return ()


def _of_content(path: Path, suffix: str) -> tuple[str, ...]:
    """By what a file of tensors holds; tensors of any kind where it can not be read."""
    if suffix not in (".pt", ".pth") or path.stat().st_size > _LOOKED_INTO:
        return ("tensors",)
    from ddbench.files import torch_file

    try:
        held = torch_file.read_torch(path, torch_file.EXPERTS)
    except UserError:
        return ("tensors",)
    if isinstance(held, dict) and isinstance(held.get("data"), list):
        return ("dc", "dsa", "dm")
    return (EXPERTS,) if _depth(held) >= 3 else ("tensors",)


def _depth(held: Any) -> int:
    """How many lists lie around the first thing that is none."""
    depth = 0
    while isinstance(held, list | tuple) and held and depth < 10:
        held, depth = held[0], depth + 1
    return depth


def _as_real_data(path: Path) -> str:
    """How a recipe would name it as real data; empty where it could not."""
    if path.is_dir():
        if next(path.glob("*.parquet"), None) is not None:
            return f"parquet:{path}"
        return f"folder:{path}" if _of_folder(path) == ("image-folder",) else ""
    kind = _REAL.get(path.suffix.lower())
    return f"{kind}:{path}" if kind else ""
