"""From training images to a preprocessing: channel statistics, and ZCA whitening that is computed once and cached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ddbench import artifact
from ddbench.data.preprocessing import ZCA_ARTEFACT, ZCA_EPS, Kind, Preprocessing, load_zca, zca_fingerprint, zca_path
from ddbench.errors import UserError

CHUNK_BYTES = 1 << 26
LARGEST_ZCA = 3 * 80 * 80


def fit_preprocessing(
    kind: Kind,
    images: Tensor,
    *,
    fitted_on: str,
    constants: tuple[Sequence[float], Sequence[float]] | None,
    home: Path,
    quiet: bool,
) -> Preprocessing:
    """Fit a preprocessing to training images. A ZCA whitening is looked up in ``home/preprocessing`` first and kept
    there.

    Args:
        kind: "identity", "meanstd" or "zca".
        images: (n, C, H, W), uint8 or in [0, 1].
        fitted_on: A hash that stands for the images.
        constants: Mean and std by channel; None to compute them.
        home: Folder of caches.
        quiet: Whether no progress is shown.

    Returns:
        The preprocessing.

    Raises:
        UserError: The images cannot be standardized (a channel of one value) or are too large to whiten.
    """
    if kind == "identity":
        return Preprocessing.identity()
    if kind == "meanstd":
        return Preprocessing.meanstd(*(constants or channel_statistics(images)))
    path = zca_path(home, zca_fingerprint(fitted_on))
    if (cached := _whole_zca(path, images[0].numel())) is not None:
        return cached
    mu, W, W_inv = fit_zca(images, quiet=quiet)
    about = {"fingerprint": zca_fingerprint(fitted_on), "eps": ZCA_EPS, "fitted_on": fitted_on}
    artifact.save(path, ZCA_ARTEFACT, {"mu": mu, "W": W, "W_inv": W_inv}, about)
    return load_zca(path)


def _whole_zca(path: Path, size: int) -> Preprocessing | None:
    """Load the whitening in the cache, for images of so many values; None where it is absent or damaged.

    One that a newer ddbench wrote is refused, not fitted anew.
    """
    if not path.is_file():
        return None
    try:
        whitening = load_zca(path)
    except artifact.WrittenByNewerError:
        raise
    except (UserError, KeyError, TypeError):
        return None
    shapes = (tuple(whitening.mu.shape), tuple(whitening.W.shape), tuple(whitening.W_inv.shape))
    return whitening if shapes == ((size,), (size, size), (size, size)) else None


def channel_statistics(images: Tensor) -> tuple[list[float], list[float]]:
    """Compute mean and (population) standard deviation of each channel over all pixels, in float64.

    Stored bytes are counted value by value, so that the result is the same on every machine.

    Args:
        images: (n, C, H, W), uint8 or in [0, 1].

    Returns:
        Means and standard deviations of images in [0, 1], one number a channel.

    Raises:
        UserError: A channel has one value only.
    """
    if images.dtype == torch.uint8:
        levels = torch.arange(256, dtype=torch.float64) / 255
        share = _histograms(images).double() / (images.numel() // images.shape[1])
        mean = share @ levels
        std = (share * (levels - mean[:, None]).square()).sum(1).sqrt()
    else:
        pixels = images.double().transpose(0, 1).flatten(1)
        mean, std = pixels.mean(1), pixels.std(1, correction=0)
    if not bool((std > 1e-6).all()):
        raise UserError(
            "the images cannot be standardized: a channel has the same value in every pixel",
            f"standard deviation by channel: {', '.join(f'{value:.3g}' for value in std.tolist())}",
            fix="use preprocessing identity, or store the images without that channel",
        )
    return mean.tolist(), std.tolist()


def fit_zca(images: Tensor, *, eps: float = ZCA_EPS, quiet: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """Compute ZCA whitening in float64.

    With the unbiased covariance ``U diag(S) U^T`` of the flattened images, ``W = U diag((S + eps)^(-1/2)) U^T``, so
    that the covariance of ``(x - mu) W`` is ``U diag(S / (S + eps)) U^T``.

    Args:
        images: (n, C, H, W), uint8 or in [0, 1]; D = C*H*W.
        eps: What is added to the eigenvalues.
        quiet: Whether no progress is shown.

    Returns:
        ``mu`` (D,), ``W`` and ``W_inv`` (D, D), float32.

    Raises:
        UserError: The images are too large to whiten.

    Source: kornia.enhance.ZCAWhitening, eps 0.1 as in MTT. Differs: float64 and a symmetric eigendecomposition.
    """
    count, size = len(images), images[0].numel()
    if size > LARGEST_ZCA:
        raise UserError(
            f"images of {size:,} values are too large for ZCA whitening",
            f"it would take {size:,} x {size:,} matrices, {8 * size * size / 2**30:.0f} GiB each",
            fix="use preprocessing meanstd, or a smaller size",
        )
    mu = torch.zeros(size, dtype=torch.float64)
    for chunk in _float64_chunks(images):
        mu += chunk.flatten(1).sum(0) / count
    covariance = torch.zeros(size, size, dtype=torch.float64)
    with tqdm(total=count, desc="fitting ZCA", unit="image", leave=False, disable=True if quiet else None) as bar:
        for chunk in _float64_chunks(images):
            centered = chunk.flatten(1) - mu
            covariance.addmm_(centered.T, centered)
            bar.update(len(chunk))
        covariance /= max(count - 1, 1)
        eigenvalues, U = torch.linalg.eigh(covariance)
    scale = (eigenvalues.clamp_min(0) + eps).sqrt()
    return mu.float(), ((U / scale) @ U.T).float(), ((U * scale) @ U.T).float()


def _histograms(images: Tensor) -> Tensor:
    """How often each byte occurs in each channel, (C, 256), int64."""
    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64)
    for chunk in images.split(max(1, CHUNK_BYTES // images[0].numel())):
        for channel in range(len(counts)):
            counts[channel] += torch.bincount(chunk[:, channel].flatten(), minlength=256)
    return counts


def _float64_chunks(images: Tensor) -> Iterator[Tensor]:
    rows = max(1, CHUNK_BYTES // (8 * images[0].numel()))
    for start in range(0, len(images), rows):
        chunk = images[start : start + rows]
        yield chunk.double() / 255 if chunk.dtype == torch.uint8 else chunk.double()
