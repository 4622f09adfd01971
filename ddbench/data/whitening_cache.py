"""Whitenings on disk: matrices that are fitted once and found again by their fingerprints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddbench import artifact
from ddbench.data.preprocessing import WHITENED, Kind, Preprocessing, channelwise, check_preprocessing_name
from ddbench.errors import UserError

_ARTIFACTS: Mapping[str, str] = {"zca": "zca whitening", "kip": "kip whitening"}
"""Kinds of file."""
_WHITENINGS: Mapping[str, str] = {"zca": "ZCA whitening", "kip": "KIP whitening"}
"""Names in messages."""
_TENSORS: Mapping[str, tuple[str, ...]] = {"zca": ("mu", "W", "W_inv"), "kip": ("W", "W_inv", "level", "length")}
"""Tensors of each kind, in the order in which the map is made of them."""


def load_preprocessing(description: Mapping[str, Any], home: Path) -> Preprocessing:
    """Load the map that ``Preprocessing.describe()`` described; a whitening comes from the cache under ``home``.

    Args:
        description: JSON, as a set or a buffer carries it.
        home: Folder of caches.

    Returns:
        The map.

    Raises:
        UserError: The whitening is not in the cache, with how to compute it again, or is damaged.
    """
    kind = check_preprocessing_name(description["kind"])
    if kind not in WHITENED:
        return channelwise(description)
    path = whitening_path(home, description["fingerprint"])
    if not path.is_file():
        raise UserError(
            f"the {_WHITENINGS[kind]} {description['fingerprint']} is not in the cache",
            f"expected {path}",
            fix=f"load the dataset once with preprocessing {kind} and the same seed and validation fraction, which "
            "computes it (any command that reads the data does), or copy the file from the machine that made it",
        )
    return load_whitening(path, kind)


def whitening_path(home: Path, fingerprint: str) -> Path:
    """Name the file of a whitening.

    Args:
        home: Folder of caches.
        fingerprint: Fingerprint of the map.

    Returns:
        The path, whether it exists or not.
    """
    return home / "preprocessing" / f"{fingerprint}.safetensors"


def save_whitening(path: Path, whitening: Preprocessing) -> None:
    """Keep a whitening in the cache.

    Args:
        path: The file.
        whitening: The map.
    """
    tensors = {name: getattr(whitening, name) for name in _TENSORS[whitening.kind]}
    about = {name: value for name, value in whitening.describe().items() if name != "kind"}
    artifact.save(path, _ARTIFACTS[whitening.kind], tensors, about)


def load_whitening(path: Path, kind: Kind) -> Preprocessing:
    """Load a whitening from the cache.

    Args:
        path: The file.
        kind: Its kind, "zca" or "kip".

    Returns:
        The map.

    Raises:
        UserError: It is damaged or not the one its name promises.
    """
    tensors, about = artifact.load(path, _ARTIFACTS[kind])
    make = Preprocessing.kip if kind == "kip" else Preprocessing.whitening
    whitening = make(*(tensors[name] for name in _TENSORS[kind]), fitted_on=about["fitted_on"])
    if whitening.fingerprint != path.stem:
        raise artifact.damaged(path, f"it holds the whitening {whitening.fingerprint}")
    return whitening
