"""The space a network sees images in: as they are, standardized, or whitened; its fingerprint is in every artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor
from torch.nn import functional

from ddbench import artifact
from ddbench.errors import UserError, unknown

Kind = Literal["identity", "meanstd", "zca", "kip"]
KINDS: tuple[Kind, ...] = ("identity", "meanstd", "zca", "kip")
WHITENED: tuple[Kind, ...] = ("zca", "kip")
"""Kinds under which a value is of no one pixel; each has matrices, fitted to training images."""
ZCA_EPS = 0.1
"""What "zca" adds to eigenvalues."""
KIP_RIDGE = 0.1
"""What "kip" adds to eigenvalues, in units of their mean."""
LEAST_LENGTH = 1e-3
"""Norm about its mean below which "kip" takes an image for one of a single color; a bit in one pixel is 0.004."""


def _none() -> Tensor:
    return torch.empty(0)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Preprocessing:
    """A map from images in [0, 1] to the space networks are trained in, and back.

    Made by ``identity()``, ``meanstd(mean, std)``, ``whitening(...)`` or ``kip(...)``; the fields that a kind does not
    use are empty. All are invertible but "kip", which forgets how bright an image is and how much it varies.
    """

    kind: Kind
    fingerprint: str
    """Of the definition (kind, constants, and for a whitening the training images it is fitted on), not of computed
    matrices, so that it is the same on every machine."""
    mean: Tensor = field(default_factory=_none)
    """Mean of each channel, (C, 1, 1)."""
    std: Tensor = field(default_factory=_none)
    """Standard deviation of each channel, (C, 1, 1)."""
    mu: Tensor = field(default_factory=_none)
    """Mean image, (D,), float32, where D = C*H*W."""
    W: Tensor = field(default_factory=_none)
    """Whitening, (D, D), float32."""
    W_inv: Tensor = field(default_factory=_none)
    """Its inverse, (D, D), float32."""
    level: Tensor = field(default_factory=_none)
    """Mean of an image, averaged over the training images, (); what "kip" puts back."""
    length: Tensor = field(default_factory=_none)
    """Norm of an image about its mean, averaged over the training images, (); what "kip" puts back."""
    fitted_on: str = ""
    """Hash that stands for the training images of a whitening."""

    @staticmethod
    def identity() -> Preprocessing:
        """Make the map that leaves images in [0, 1].

        Returns:
            The map.
        """
        return Preprocessing(kind="identity", fingerprint=artifact.fingerprint({"kind": "identity"}))

    @staticmethod
    def meanstd(mean: Sequence[float], std: Sequence[float]) -> Preprocessing:
        """Make the map that subtracts each channel's mean and divides by its standard deviation.

        Args:
            mean: One number a channel; counts to six decimals.
            std: One number a channel; counts to six decimals.

        Returns:
            The map.
        """
        constants = {"mean": [round(float(m), 6) for m in mean], "std": [round(float(s), 6) for s in std]}
        return Preprocessing(
            kind="meanstd",
            fingerprint=artifact.fingerprint({"kind": "meanstd", **constants}),
            mean=torch.tensor(constants["mean"]).view(-1, 1, 1),
            std=torch.tensor(constants["std"]).view(-1, 1, 1),
        )

    @staticmethod
    def whitening(mu: Tensor, W: Tensor, W_inv: Tensor, fitted_on: str) -> Preprocessing:
        """Make the ZCA map ``(x - mu) W`` of flattened images.

        Args:
            mu: Mean image, (D,).
            W: (D, D).
            W_inv: Inverse of W, (D, D).
            fitted_on: Hash that stands for the training images.

        Returns:
            The map.
        """
        return Preprocessing(
            kind="zca",
            fingerprint=whitening_fingerprint("zca", fitted_on),
            mu=mu,
            W=W,
            W_inv=W_inv,
            fitted_on=fitted_on,
        )

    @staticmethod
    def kip(W: Tensor, W_inv: Tensor, level: Tensor, length: Tensor, fitted_on: str) -> Preprocessing:
        """Make the map of KIP: each flattened image less its own mean, divided by its norm, times W.

        A factor of all pixels drops out, so pixels from 0 to 255 have the same image.

        Args:
            W: (D, D).
            W_inv: Inverse of W, (D, D).
            level: Mean of an image, averaged over the training images, ().
            length: Norm of an image about its mean, averaged over the training images, ().
            fitted_on: Hash that stands for the training images.

        Returns:
            The map.

        Source: Nguyen et al. 2021 (KIP, arXiv:2107.13034), as Feng et al. 2024 (RaT-BPTT) release it
            (``config.py``, ``preprocess``). Differs: an image of one color is all zeros, not undefined.
        """
        return Preprocessing(
            kind="kip",
            fingerprint=whitening_fingerprint("kip", fitted_on),
            W=W,
            W_inv=W_inv,
            level=level,
            length=length,
            fitted_on=fitted_on,
        )

    def describe(self) -> dict[str, Any]:
        """Describe the map so that ``load_preprocessing`` finds the same again.

        Returns:
            Kind, fingerprint, and the kind's own constants, JSON.
        """
        about: dict[str, Any] = {"kind": self.kind, "fingerprint": self.fingerprint}
        if self.kind == "meanstd":
            about["mean"] = [round(value, 6) for value in self.mean.flatten().tolist()]
            about["std"] = [round(value, 6) for value in self.std.flatten().tolist()]
        if self.kind == "zca":
            about["eps"] = ZCA_EPS
        if self.kind == "kip":
            about["ridge"] = KIP_RIDGE
        if self.kind in WHITENED:
            about["fitted_on"] = self.fitted_on
        return about

    def forward(self, images: Tensor) -> Tensor:
        """Map images to what networks see. Differentiable.

        Args:
            images: (n, C, H, W), in [0, 1].

        Returns:
            (n, C, H, W).
        """
        if self.kind == "meanstd":
            return (images - self.mean) / self.std
        if self.kind == "zca":
            return ((images.flatten(1) - self.mu) @ self.W).view(images.shape)
        if self.kind == "kip":
            flat = images.flatten(1) - images.flatten(1).mean(1, keepdim=True)
            return (functional.normalize(flat, eps=LEAST_LENGTH) @ self.W).view(images.shape)
        return images

    def inverse(self, inputs: Tensor) -> Tensor:
        """Map what networks see back to images; under "kip", to images of the usual brightness and contrast.

        Args:
            inputs: (n, C, H, W).

        Returns:
            (n, C, H, W), not clipped to [0, 1].
        """
        if self.kind == "meanstd":
            return inputs * self.std + self.mean
        if self.kind == "zca":
            return (inputs.flatten(1) @ self.W_inv + self.mu).view(inputs.shape)
        if self.kind == "kip":
            return (inputs.flatten(1) @ self.W_inv * self.length + self.level).view(inputs.shape)
        return inputs

    def to(self, device: torch.device | str) -> Preprocessing:
        """Copy to a device.

        Args:
            device: Where the tensors go.

        Returns:
            The same map there.
        """
        names = ("mean", "std", "mu", "W", "W_inv", "level", "length")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def whitening_fingerprint(kind: Kind, fitted_on: str) -> str:
    """Compute the fingerprint of a whitening.

    Args:
        kind: "zca" or "kip".
        fitted_on: Hash that stands for the training images.

    Returns:
        Sixteen hexadecimal digits.
    """
    constant = {"ridge": KIP_RIDGE} if kind == "kip" else {"eps": ZCA_EPS}
    return artifact.fingerprint({"kind": kind, **constant, "fitted_on": fitted_on})


def check_preprocessing_name(name: str, where: str = "") -> Kind:
    """Check the name of a preprocessing.

    Args:
        name: The name.
        where: The place it was read from, for the error; may be empty.

    Returns:
        The same name.

    Raises:
        UserError: There is no such preprocessing; gives the nearest name.
    """
    for kind in KINDS:
        if kind == name:
            return kind
    raise unknown("preprocessing", name, KINDS, where)


def require_same_preprocessing(expected: str, actual: str, what: str, path: Path | str = "") -> None:
    """Refuse an artifact that was made under another preprocessing.

    Args:
        expected: Fingerprint of the run at hand.
        actual: Fingerprint of the artifact.
        what: The artifact, in words: ``"expert buffer"``.
        path: Where it lies; "" for none.

    Raises:
        UserError: They differ; names both.
    """
    if expected != actual:
        raise UserError(
            f"the {what} was made with another preprocessing",
            f"in        {path}" if path else "",
            f"expected  {expected} (this run's)",
            f"found     {actual} (the {what}'s)",
            fix=f"use the dataset, seed and preprocessing that the {what} was made with, or make it anew with these",
        )


def channelwise(description: Mapping[str, Any]) -> Preprocessing:
    """Rebuild the map that was described, of each channel by itself.

    Args:
        description: ``Preprocessing.describe()``.

    Returns:
        The map.

    Raises:
        ValueError: It is a whitening.
    """
    if description["kind"] in WHITENED:
        raise ValueError("a whitening is no map of each channel by itself")
    if description["kind"] == "identity":
        return Preprocessing.identity()
    return Preprocessing.meanstd(description["mean"], description["std"])


def seen_value(description: Mapping[str, Any], value: float, images: Tensor) -> Tensor:
    """Compute what a pixel of one value is in the space that networks see.

    Under a whitening no pixel has a value of its own; there it is the mean image's, zero.

    Args:
        description: ``Preprocessing.describe()``.
        value: In [0, 1].
        images: (n, C, H, W), whose type and device apply.

    Returns:
        (C, 1, 1).
    """
    if description["kind"] == "meanstd":
        mean, std = (torch.tensor(description[key]).view(-1, 1, 1).to(images) for key in ("mean", "std"))
        return (value - mean) / std
    return images.new_full((images.shape[1], 1, 1), value if description["kind"] == "identity" else 0.0)
