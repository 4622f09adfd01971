"""The space a network sees images in: as they are, standardized, or whitened; its fingerprint is in every artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor

from ddbench import artifact
from ddbench.errors import UserError, unknown

Kind = Literal["identity", "meanstd", "zca"]
KINDS: tuple[Kind, ...] = ("identity", "meanstd", "zca")
ZCA_EPS = 0.1
ZCA_ARTEFACT = "zca whitening"


def _none() -> Tensor:
    return torch.empty(0)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Preprocessing:
    """An invertible map from images in [0, 1] to the space networks are trained in.

    Made by ``identity()``, ``meanstd(mean, std)`` or ``whitening(...)``; the fields that a kind does not use are empty.
    """

    kind: Kind
    fingerprint: str
    """Of the definition (kind, constants, and for ZCA eps and the training images it is fitted on), not of computed
    matrices, so that it is the same on every machine."""
    mean: Tensor = field(default_factory=_none)
    """(C, 1, 1)."""
    std: Tensor = field(default_factory=_none)
    """(C, 1, 1)."""
    mu: Tensor = field(default_factory=_none)
    """(D,), W and W_inv: (D, D), float32, where D = C*H*W."""
    W: Tensor = field(default_factory=_none)
    W_inv: Tensor = field(default_factory=_none)
    fitted_on: str = ""

    @staticmethod
    def identity() -> Preprocessing:
        """Images stay in [0, 1]."""
        return Preprocessing(kind="identity", fingerprint=artifact.fingerprint({"kind": "identity"}))

    @staticmethod
    def meanstd(mean: Sequence[float], std: Sequence[float]) -> Preprocessing:
        """Each channel minus its mean, over its standard deviation; constants count to six decimals."""
        constants = {"mean": [round(float(m), 6) for m in mean], "std": [round(float(s), 6) for s in std]}
        return Preprocessing(
            kind="meanstd",
            fingerprint=artifact.fingerprint({"kind": "meanstd", **constants}),
            mean=torch.tensor(constants["mean"]).view(-1, 1, 1),
            std=torch.tensor(constants["std"]).view(-1, 1, 1),
        )

    @staticmethod
    def whitening(mu: Tensor, W: Tensor, W_inv: Tensor, fitted_on: str) -> Preprocessing:
        """ZCA:

        ``(x - mu) W`` on flattened images.

        Args:
            fitted_on: The hash that stands for the training images.
        """
        return Preprocessing(
            kind="zca", fingerprint=zca_fingerprint(fitted_on), mu=mu, W=W, W_inv=W_inv, fitted_on=fitted_on
        )

    def describe(self) -> dict[str, Any]:
        """A JSON document from which ``load_preprocessing`` finds the same map again."""
        about: dict[str, Any] = {"kind": self.kind, "fingerprint": self.fingerprint}
        if self.kind == "meanstd":
            about["mean"] = [round(value, 6) for value in self.mean.flatten().tolist()]
            about["std"] = [round(value, 6) for value in self.std.flatten().tolist()]
        if self.kind == "zca":
            about["eps"] = ZCA_EPS
            about["fitted_on"] = self.fitted_on
        return about

    def forward(self, images: Tensor) -> Tensor:
        """Images in [0, 1] to what networks see, (n, C, H, W) both; differentiable."""
        if self.kind == "meanstd":
            return (images - self.mean) / self.std
        if self.kind == "zca":
            return ((images.flatten(1) - self.mu) @ self.W).view(images.shape)
        return images

    def inverse(self, inputs: Tensor) -> Tensor:
        """What networks see back to images, (n, C, H, W) both; not clipped to [0, 1]."""
        if self.kind == "meanstd":
            return inputs * self.std + self.mean
        if self.kind == "zca":
            return (inputs.flatten(1) @ self.W_inv + self.mu).view(inputs.shape)
        return inputs

    def to(self, device: torch.device | str) -> Preprocessing:
        """The same map with its tensors on ``device``."""
        names = ("mean", "std", "mu", "W", "W_inv")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def zca_fingerprint(fitted_on: str) -> str:
    """The fingerprint of the ZCA map fitted on the training images of this hash."""
    return artifact.fingerprint({"kind": "zca", "eps": ZCA_EPS, "fitted_on": fitted_on})


def check_preprocessing_name(name: str, where: str = "") -> Kind:
    """The kind of this name.

    Raises:
        UserError: With the nearest name if there is none.
    """
    for kind in KINDS:
        if kind == name:
            return kind
    raise unknown("preprocessing", name, KINDS, where)


def require_same_preprocessing(expected: str, actual: str, what: str, path: Path | str = "") -> None:
    """expected, found: fingerprints, of the run at hand and of the artifact.

    Args:
        what: ``"expert buffer"``.
        path: Where it lies, if it does.

    Raises:
        UserError: Naming both fingerprints when an artifact was made under another preprocessing.
    """
    if expected != actual:
        raise UserError(
            f"the {what} was made with another preprocessing",
            f"in        {path}" if path else "",
            f"expected  {expected} (this run's)",
            f"found     {actual} (the {what}'s)",
            fix=f"use the dataset, seed and preprocessing that the {what} was made with, or make it anew with these",
        )


def load_preprocessing(description: Mapping[str, Any], home: Path) -> Preprocessing:
    """The map that ``Preprocessing.describe()`` described; a ZCA whitening comes from the cache under ``home``.

    Raises:
        UserError: The whitening is not in the cache, with how to compute it again, or is damaged.
    """
    if check_preprocessing_name(description["kind"]) != "zca":
        return channelwise(description)
    path = zca_path(home, description["fingerprint"])
    if not path.is_file():
        raise UserError(
            f"the ZCA whitening {description['fingerprint']} is not in the cache",
            f"expected {path}",
            fix="load the dataset once with preprocessing zca and the same seed and validation fraction, which "
            "computes it (any command that reads the data does), or copy the file from the machine that made it",
        )
    return load_zca(path)


def channelwise(description: Mapping[str, Any]) -> Preprocessing:
    """The map that was described, of each channel by itself.

    Raises:
        ValueError: ZCA.
    """
    if description["kind"] == "zca":
        raise ValueError("ZCA is no map of each channel by itself")
    if description["kind"] == "identity":
        return Preprocessing.identity()
    return Preprocessing.meanstd(description["mean"], description["std"])


def seen_value(description: Mapping[str, Any], value: float, images: Tensor) -> Tensor:
    """What a pixel of ``value`` is in the space of ``Preprocessing.describe()``: (C, 1, 1), as images (n, C, H, W) are.

    Under ZCA no pixel has a value of its own; there it is the mean image's, zero.
    """
    if description["kind"] == "meanstd":
        mean, std = (torch.tensor(description[key]).view(-1, 1, 1).to(images) for key in ("mean", "std"))
        return (value - mean) / std
    return images.new_full((images.shape[1], 1, 1), value if description["kind"] == "identity" else 0.0)


def zca_path(home: Path, fingerprint: str) -> Path:
    """Where the whitening of this fingerprint is kept."""
    return home / "preprocessing" / f"{fingerprint}.safetensors"


def load_zca(path: Path) -> Preprocessing:
    """A whitening from the cache.

    Raises:
        UserError: It is damaged or not the one its name promises.
    """
    tensors, about = artifact.load(path, ZCA_ARTEFACT)
    found = Preprocessing.whitening(tensors["mu"], tensors["W"], tensors["W_inv"], about["fitted_on"])
    if found.fingerprint != path.stem:
        raise artifact.damaged(path, f"it holds the whitening {found.fingerprint}")
    return found
