"""Precision of products and convolutions, which a process sets for itself and hands on to its workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ddbench.errors import UserError

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "float32", "tf32"]
"""float32: products and convolutions use all bits of float32. tf32: on a GPU both round their inputs to ten bits. auto:
what torch does by itself, which on a GPU is TF32 for convolutions alone. On a CPU all three are float32."""

PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "tf32")

_TF32_OF = {"float32": (False, False), "tf32": (True, True), "auto": (True, False)}
"""Whether convolutions, and products, round their inputs."""


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """Set the precision of this process to what is asked for on a device.

    Args:
        wanted: "auto", "float32" or "tf32".
        device: Device that computes.

    Returns:
        The precision; float32 on a CPU, which has no other.

    Raises:
        UserError: An unknown name.
    """
    precisions: dict[str, Precision] = {name: name for name in PRECISIONS}
    if wanted not in precisions:
        raise UserError(f"there is no precision {wanted!r}", f"known {', '.join(PRECISIONS)}", fix="--precision auto")
    chosen: Precision = "float32" if device.type == "cpu" else precisions[wanted]
    set_precision(chosen)
    return chosen


def set_precision(precision: Precision) -> None:
    """Set the precision of this process.

    Args:
        precision: The precision, as above.
    """
    import torch

    convolutions, products = _TF32_OF[precision]
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.set_float32_matmul_precision("high" if products else "highest")


def precision_in_use() -> Precision:
    """Tell the precision of this process.

    Returns:
        The precision; "tf32" also where products round and convolutions do not, which no other name fits.
    """
    import torch

    products = torch.get_float32_matmul_precision() != "highest"
    if products:
        return "tf32"
    return "auto" if torch.backends.cudnn.allow_tf32 else "float32"
