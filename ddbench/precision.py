"""What float32 means on a GPU."""

from __future__ import annotations


def full_float32() -> None:
    """Have every product and convolution of this process use all bits of float32, on every device.

    torch by itself lets convolutions on recent GPUs round their inputs to TF32, ten bits, unasked. Gradients through
    many student steps are ill-conditioned, and nobody has shown that final rows do not suffer, so ddbench does not.
    """
    import torch

    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
