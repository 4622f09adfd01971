"""Which format a path looks like, by names alone: a hint for those who did not say it, never taken for granted."""

from __future__ import annotations

from pathlib import Path

_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("replay_buffer_*.pt", ("--recipe RECIPE, for they are experts",)),
    ("ema_images*.pt", ("ftd",)),
    ("lr_best.pt", ("datm", "edf")),
    ("images_best*.pt", ("mtt", "tesla", "ftd")),
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


def looks_like(path: Path) -> tuple[str, ...]:
    """The formats whose files are called so, likeliest first; empty where the name says nothing."""
    for pattern, formats in _SIGNS:
        inside = path.is_dir() and next(path.glob(pattern), None) is not None
        if inside or path.match(pattern):
            return formats
    if path.is_dir() and (path / "Normal").is_dir():
        return looks_like(path / "Normal")
    return ()
