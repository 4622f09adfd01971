"""Loops of gradient matching: steps of the images for each network, and what it is trained in between."""

from __future__ import annotations

from typing import NamedTuple


class NetworkLoop(NamedTuple):
    """What is done with one network before the next is drawn."""

    image_steps: int
    """Steps of the images."""
    inner_epochs: int
    """Epochs of training on the images between two of these steps; without effect where there is one step."""


PUBLISHED = {
    1: NetworkLoop(1, 1),
    10: NetworkLoop(10, 50),
    20: NetworkLoop(20, 25),
    30: NetworkLoop(30, 20),
    40: NetworkLoop(40, 15),
    50: NetworkLoop(50, 10),
}
"""Loops by images per class, as the released code of DC and DSA has them; for any other number it exits."""


def published_loop(ipc: int) -> NetworkLoop:
    """Look up the published loop.

    Args:
        ipc: Images per class.

    Returns:
        The loop.

    Raises:
        LookupError: None is published for this number.
    """
    if ipc not in PUBLISHED:
        raise LookupError(f"no loop is published for {ipc} images per class, but for {', '.join(map(str, PUBLISHED))}")
    return PUBLISHED[ipc]


def loop_for(ipc: int) -> NetworkLoop:
    """Choose the loop: the published one, or one by a rule that continues the table.

    In the table there are as many steps of the images as images per class. The rule keeps to that up to 50, and takes
    the epochs from the nearest of 10, 20, 30, 40 and 50, the smaller of two.

    Args:
        ipc: Images per class.

    Returns:
        The loop.
    """
    if ipc in PUBLISHED:
        return PUBLISHED[ipc]
    nearest = min((known for known in PUBLISHED if known > 1), key=lambda known: (abs(known - ipc), known))
    return NetworkLoop(min(ipc, 50), PUBLISHED[nearest].inner_epochs)
