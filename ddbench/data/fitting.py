"""From training images to a preprocessing: channel statistics, and ZCA whitening that is computed once and cached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ddbench import artifact
from ddbench.data.preprocessing import KIP_RIDGE, LEAST_LENGTH, ZCA_EPS, Kind, Preprocessing, whitening_fingerprint
from ddbench.data.whitening_cache import load_whitening, save_whitening, whitening_path
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
    """Fit a preprocessing to training images. A whitening is looked up in ``home/preprocessing`` first and kept there.

    Args:
        kind: "identity", "meanstd", "zca" or "kip".
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
    path = whitening_path(home, whitening_fingerprint(kind, fitted_on))
    if (cached := _whole_whitening(path, kind, images[0].numel())) is not None:
        return cached
    fitted = fit_kip(images, quiet=quiet) if kind == "kip" else fit_zca(images, quiet=quiet)
    make = Preprocessing.kip if kind == "kip" else Preprocessing.whitening
    save_whitening(path, make(*fitted, fitted_on=fitted_on))
    return load_whitening(path, kind)


def _whole_whitening(path: Path, kind: Kind, size: int) -> Preprocessing | None:
    """Load the whitening in the cache, for images of so many values; None where it is absent or damaged.

    One that a newer ddbench wrote is refused, not fitted anew.
    """
    if not path.is_file():
        return None
    try:
        whitening = load_whitening(path, kind)
    except artifact.WrittenByNewerError:
        raise
    except (UserError, KeyError, TypeError):
        return None
    shapes = (tuple(whitening.W.shape), tuple(whitening.W_inv.shape))
    whole = shapes == ((size, size), (size, size)) and (kind == "kip" or tuple(whitening.mu.shape) == (size,))
    return whitening if whole else None


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
    count, size = len(images), _size_to_whiten(images, "ZCA")
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


def fit_kip(images: Tensor, *, ridge: float = KIP_RIDGE, quiet: bool = True) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute KIP's whitening in float64.

    Each image is first put on the unit sphere: its own mean is subtracted, and it is divided by its norm. With the
    second moments ``U diag(S) U^T`` of these, over n and about zero, ``W = U diag((S + ridge * mean(S))^(-1/2)) U^T``.

    Args:
        images: (n, C, H, W), uint8 or in [0, 1]; D = C*H*W.
        ridge: What is added to the eigenvalues, in units of their mean.
        quiet: Whether no progress is shown.

    Returns:
        ``W`` and ``W_inv`` (D, D), and the average mean and norm of an image in [0, 1], (); float32.

    Raises:
        UserError: The images are too large to whiten.

    Source: Nguyen et al. 2021 (KIP, arXiv:2107.13034), as Feng et al. 2024 (RaT-BPTT) release it (``config.py``,
        ``preprocess``, with regularization 0.1). Differs: a symmetric eigendecomposition.
    """
    count, size = len(images), _size_to_whiten(images, "KIP's")
    moments, sums = torch.zeros(size, size, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    with tqdm(total=count, desc="fitting KIP", unit="image", leave=False, disable=True if quiet else None) as bar:
        for chunk in _float64_chunks(images):
            flat = chunk.flatten(1)
            level = flat.mean(1, keepdim=True)
            length = (flat - level).norm(dim=1, keepdim=True)
            sums += torch.stack([level.sum(), length.sum()])
            unit = (flat - level) / length.clamp_min(LEAST_LENGTH)
            moments.addmm_(unit.T, unit)
            bar.update(len(chunk))
        eigenvalues, U = torch.linalg.eigh(moments / count)
    scale = (eigenvalues.clamp_min(0) + ridge * eigenvalues.mean()).sqrt()
    level, length = (sums / count).float()
    return ((U / scale) @ U.T).float(), ((U * scale) @ U.T).float(), level.clone(), length.clone()


def _size_to_whiten(images: Tensor, whose: str) -> int:
    """The values of an image, which are not too many for matrices of them."""
    size = images[0].numel()
    if size > LARGEST_ZCA:
        raise UserError(
            f"images of {size:,} values are too large for {whose} whitening",
            f"it would take {size:,} x {size:,} matrices, {8 * size * size / 2**30:.0f} GiB each",
            fix="use preprocessing meanstd, or a smaller size",
        )
    return size


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
