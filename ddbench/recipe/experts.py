"""Expert settings of a recipe: those all share, and the three ways to update parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddbench.recipe.settings import Count, NotNegative, Part, Positive, Settings, Share


class SgdExperts(Part):
    """SGD on the cross-entropy, with the recipe's momentum and weight decay: MTT's and TESLA's experts."""

    kind: Literal["sgd"] = "sgd"


class GsamExperts(Part):
    """SGD along the surrogate-gap direction, which leads through flat regions: FTD's and DATM's experts.

    Sources: Zhuang et al. 2022 (arXiv:2203.08065) and Kwon et al. 2021 (adaptive; arXiv:2102.11600), as used by Du et
    al. 2023 (FTD, arXiv:2211.11004).
    """

    kind: Literal["gsam"] = "gsam"
    rho: NotNegative = 0.01
    """Length of the step to the perturbed weights; 0 is plain SGD."""
    alpha: NotNegative = 1.0
    """Weight of the ascent that closes the gap between the perturbed loss and the loss; 0 is (adaptive) SAM."""
    adaptive: bool = True
    """Whether the step is scaled by the square of each weight (ASAM)."""


class SmoothExperts(Part):
    """SGD whose early losses are scaled down, with a gradient penalty at the images: AST's experts.

    With momentum (``experts.momentum: 0.9``), which AST uses as well. Source: Shen et al. 2023 (arXiv:2310.10541).
    """

    kind: Literal["smooth"] = "smooth"
    clip: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    """Factors of the cross-entropy in the first epochs, one an epoch; 1 afterwards. Empty: no clipping."""
    penalty: NotNegative = 2.0
    """Weight of the mean of (norm - 1)^2, with the norm of the gradient of the summed logits by the plain images."""
    norm_over: Literal["channel", "sample"] = "channel"
    """What the norm is taken over: each pixel's channels, as AST's released code does, or the whole image (WGAN-GP)."""


ExpertOptimization = Annotated[SgdExperts | GsamExperts | SmoothExperts, Field(discriminator="kind")]


class ExpertRecipe(Settings):
    """Training of experts on real data. Defaults: MTT's released recipe (SGD with 0.01, batches of 256, DSA)."""

    count: Count = 100
    """Number of experts."""
    epochs: Count | Literal["auto"] = "auto"
    """How many epochs of each expert are recorded; "auto" takes what the methods need and no more."""
    optimizer: ExpertOptimization = SgdExperts()
    """How an expert's parameters are updated."""
    lr: Positive = 0.01
    """Learning rate."""
    momentum: Share = 0.0
    """Heavy-ball momentum."""
    weight_decay: NotNegative = 0.0
    """Weight decay, added to the gradient."""
    batch: Count = 256
    """Real images per step."""
    augmentation: Literal["dsa", "none"] = "dsa"
    """Augmentation of their batches."""
    lr_drop_epoch: Count | None = None
    """The epoch after which lr is multiplied by ``lr_drop_factor``, once, with a fresh optimizer; None: constant."""
    lr_drop_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of lr after ``lr_drop_epoch``."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision in which trajectories are stored; training is always float32."""
