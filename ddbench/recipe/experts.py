"""Expert settings of a recipe: those all share, and the three ways to update parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

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


class Curriculum(Settings):
    """Images of an expert's epochs by difficulty: first the easy ones, then all, at last all but the easiest.

    Of each class, epoch e (from 0) has the easiest ``start_fraction + (1 - start_fraction) * e / full_at`` of the
    images until it has all of them, at ``full_at``; after the epochs of ``drop_easiest`` it has all but these shares.
    Difficulty is measured by networks that are trained first, by SGD with the lr, batch and augmentation of the
    experts.

    Source: Li et al. 2024 (PAD, arXiv:2408.03360), whose released code reads orders made by DeepCore for CIFAR-10 and
    counts on classes of 5000 images; here everything is a share of the class, and the order is made.
    """

    score: Literal["grand", "el2n"] = "grand"
    """Difficulty of an image, a mean over networks: grand: norm of the gradient of its loss by the last linear layer;
    el2n: distance of its softmax from its label."""
    networks: Count = 10
    """Networks that score."""
    epochs: Count = 10
    """Epochs of their training."""
    start_fraction: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Share of each class in the first epoch."""
    full_at: Count = 20
    """Epoch, from 0, at which all images are there."""
    drop_easiest: tuple[tuple[Count, Share], ...] = ((40, 0.1), (60, 0.2))
    """Pairs of an epoch and the share of the easiest images that is left out in the epochs after it."""

    @model_validator(mode="after")
    def _in_order(self) -> Curriculum:
        after = [epoch for epoch, _ in self.drop_easiest]
        if after != sorted(set(after)) or (after and after[0] < self.full_at):
            raise ValueError("the epochs of drop_easiest must ascend, and begin at full_at or later")
        return self


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
    curriculum: Curriculum | None = None
    """Which images an epoch has (PAD); None: all, in every epoch."""
    lr_drop_epoch: Count | None = None
    """The epoch after which lr is multiplied by ``lr_drop_factor``, once, with a fresh optimizer; None: constant."""
    lr_drop_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of lr after ``lr_drop_epoch``."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision in which trajectories are stored; training is always float32."""

    @model_serializer(mode="wrap")
    def _without_curriculum_where_there_is_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep the identity of experts that were trained before there was a curriculum."""
        document = handler(self)
        return document if self.curriculum else {k: value for k, value in document.items() if k != "curriculum"}
