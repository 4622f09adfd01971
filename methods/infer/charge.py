"""Storage in bytes as INFER's paper counts it; every set says itself what is really stored."""

from __future__ import annotations

from ddbench.methods.infer.budget import Budget


def paper_bytes(budget: Budget, pixels: int, *, static: bool) -> dict[str, int]:
    """Count bytes as INFER's paper does: each compensator as an image of as many bytes as it has numbers, and a label
    for each image.

    Of stored soft labels the paper counts as many numbers of four bytes as there are classes for each image of the
    budget, though each image that is rendered has a label.

    Args:
        budget: Natural images and compensators.
        pixels: Numbers of one image.
        static: Whether soft labels are stored.

    Returns:
        Bytes by part.

    Source: the compression ratios of Zhang et al. 2024 (INFER, arXiv:2408.06927), table 2, which this gives for
    ImageNet.
    """
    labels = {"labels": 4 * budget.classes * budget.budget} if static else {}
    return {"images": pixels * budget.natural, "compensators": pixels * budget.compensators, **labels}
