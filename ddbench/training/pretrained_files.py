"""Published weights as tensors: downloaded to where their library keeps such files, checked, never run as
code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor

from ddbench.errors import UserError, error_summary
from ddbench.files.regular_file import require_regular
from ddbench.files.torch_file import WEIGHTS, read_torch
from ddbench.networks import build_network
from ddbench.randomness import isolated
from ddbench.training.pretrained import Weights

HUB = "hf-hub:"


def fetched_state(weights: Weights, *, quiet: bool = False) -> dict[str, Tensor]:
    """Load the network's state with published weights; a file that is there already is read, not downloaded.

    Args:
        weights: The weights.
        quiet: Whether the download shows no progress.

    Returns:
        All parameters and buffers by name, on the CPU.

    Raises:
        UserError: The download fails, with the path at which the file can be put by hand; the file is another than its
            name says, or does not fit the network.
    """
    library, _, network = weights.network.partition(":")
    tensors = _from_hub(weights) if weights.address.startswith(HUB) else _from_url(weights, quiet)
    try:
        if library == "timm":
            tensors = _as_timm_reads(f"{network}.{weights.tag}", tensors)
        built = build_network(weights.network, weights.shape, seed=0)
        built.load_state_dict(tensors)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"the weights {weights.name} do not fit the network as ddbench builds it",
            f"why   {error_summary(error)}",
            fix="choose other weights",
        ) from None
    return {name: tensor.detach().clone() for name, tensor in built.state_dict().items()}


def url_path(weights: Weights) -> Path:
    """Path of the file of weights in the cache of torch.

    Args:
        weights: Weights with a URL.

    Returns:
        The path, whether or not the file is there.
    """
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.address).path).name


def _from_url(weights: Weights, quiet: bool) -> Mapping[str, Tensor]:
    path = url_path(weights)
    match = torch.hub.HASH_REGEX.search(path.name)
    digits = match.group(1) if match else ""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(weights.address, str(path), digits or None, progress=not quiet)
    except Exception as error:  # of the operating system, of urllib, and RuntimeError where the file is cut short
        raise _no_download(weights, error, f"download it by other means and put it at {path}") from None
    require_regular(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(digits):
        raise UserError(
            f"{path} is not the file of the weights {weights.name}",
            f"why   its SHA-256 does not begin with {digits}",
            fix="delete it, and it is downloaded again",
        )
    fix = "choose other weights, or delete the file, and it is downloaded again"
    try:
        state = read_torch(path, WEIGHTS)
    except UserError as error:
        raise UserError(
            f"{path} does not hold plain weights", f"why   {error.problem}", *error.facts, fix=fix
        ) from None
    if not isinstance(state, Mapping):
        raise UserError(f"{path} does not hold plain weights", f"found {type(state).__name__}", fix=fix)
    return state


def _from_hub(weights: Weights) -> Mapping[str, Tensor]:
    from huggingface_hub.constants import HF_HUB_CACHE
    from timm.models import load_state_dict_from_hf

    name = weights.address.removeprefix(HUB)
    try:
        return load_state_dict_from_hf(name, weights_only=True)
    except Exception as error:  # of the hub's own types, of its web library, and of the operating system
        fix = f"run  hf download {name}  where there is a connection, and copy its folder into {HF_HUB_CACHE}"
        raise _no_download(weights, error, fix) from None


def _as_timm_reads(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The tensors of a file as the network has them: many files are older than their network."""
    import timm

    with isolated(0):
        network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"state_dict": dict(tensors)})
    return network.state_dict()


def _no_download(weights: Weights, error: Exception, fix: str) -> UserError:
    words = str(error).strip().splitlines() or [type(error).__name__]
    return UserError(
        f"the weights {weights.name} could not be downloaded",
        f"from  {weights.address}",
        f"why   {words[0]}",
        fix=fix,
    )
