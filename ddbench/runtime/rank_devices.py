"""Devices of ranks: one GPU each, chosen by torchrun's numbers or by a launcher that shows each rank its own."""

from __future__ import annotations

import os

import torch

from ddbench.errors import UserError
from ddbench.runtime.device import auto_device
from ddbench.runtime.distributed import Ranks
from ddbench.runtime.rank_store import launched


def rank_device(wanted: str) -> str:
    """Choose the device of this rank.

    Args:
        wanted: Device that was given for all ranks: "auto", "cpu", "cuda", or one of several.

    Returns:
        Its name, such as ``"cuda:1"`` for the second rank of a machine; ``wanted`` where there is one rank.

    Raises:
        UserError: A machine has fewer GPUs than ranks, but for a single one, or all were given the same.
    """
    local, beside = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    named = auto_device() if wanted == "auto" else wanted
    if launched()[1] == 1 or named == "cpu":
        return wanted
    if named != "cuda":
        if beside == 1:
            return named
        raise UserError(
            f"{beside} ranks of this machine can not share the device {named!r}",
            fix="--device cuda gives each rank a GPU of its own",
        )
    if (count := torch.cuda.device_count()) == 1:
        return "cuda:0"  # perhaps each rank is shown its own alone, as by Slurm: see require_own_gpus
    if local >= count:
        raise UserError(
            f"this machine has {count} CUDA devices for {beside} ranks",
            fix=f"torchrun --nproc-per-node {max(count, 1)}, or --device cpu",
        )
    return f"cuda:{local}"


def require_own_gpus(ranks: Ranks, device: torch.device) -> None:
    """Require that no two ranks compute on one GPU.

    Args:
        ranks: The ranks.
        device: Device of this rank.

    Raises:
        UserError: On all ranks; names two that share a GPU.
    """
    own = str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else None
    first: dict[str, int] = {}
    for rank, gpu in enumerate(ranks.gather(own)):
        if gpu is not None and first.setdefault(gpu, rank) != rank:
            raise UserError(
                f"ranks {first[gpu]} and {rank} have one GPU between them",
                f"GPU   {gpu}",
                fix="start as many ranks as there are GPUs, or give --device cpu",
            )
