"""Named streams of randomness: every draw has a seed that follows from the run's seed and the draw's name.

Nothing here, or anywhere in ddbench, reads or writes the global random state of Python, numpy or torch. Because a
stream is a function of its name (``stream(seed, "expert", 3, "epoch", 7)``), a run that is resumed needs no saved
generator state, and adding a run never shifts another's numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(seed: int, *name: str | int) -> int:
    """Derive the seed of a named stream.

    Args:
        seed: Seed of the run; 0 is a seed like any other.
        name: Parts of the stream's name, such as ``"expert", 3``.

    Returns:
        A number of 63 bits, the same in all versions and on all platforms.
    """
    text = json.dumps([seed, *name], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *name: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Open a named stream at its beginning.

    Args:
        seed: Seed of the run.
        name: Parts of the stream's name.
        device: Device of the generator.

    Returns:
        A fresh generator, seeded by :func:`derive`.
    """
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, *name))


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seed torch's CPU default generator for code that can use no other (network constructors), then put it back.

    Args:
        seed: Seed inside the ``with`` block.

    Yields:
        Nothing; the generator's state is restored at the end.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
