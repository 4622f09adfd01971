"""The losses of protocols, on labels that may be mixed."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ddbench.evaluate.training.mixing import Mixture
from ddbench.training.loop import Criterion
from ddbench.training.losses import classification_loss


def cross_entropy(labels: Tensor, kind: str, mixture: Mixture | None) -> Criterion:
    """Cross-entropy with labels, with both labels by share where images are mixed.

    Args:
        labels: Labels (B,) or (B, K).
        kind: Their kind, as in ``ddbench.training.losses``.
        mixture: None for images that are not mixed.

    Returns:
        A function of logits (B, K) to the loss, a scalar.
    """

    def loss(logits: Tensor) -> Tensor:
        own = classification_loss(logits, labels, kind)
        if mixture is None:
            return own
        partners = classification_loss(logits, labels[mixture.partners], kind)
        return mixture.share * own + (1 - mixture.share) * partners

    return loss


def kl_divergence(target: Tensor, temperature: float, *, squared: bool = False) -> Criterion:
    """KL(softmax(target / T), softmax(logits / T)), averaged over the images, in nats.

    Args:
        target: Logits (B, K) of what is seen.
        temperature: T.
        squared: Whether it is multiplied by T squared, so that gradients do not fall with T.

    Returns:
        A function of logits (B, K) to the loss, a scalar.
    """
    wanted = functional.softmax(target / temperature, 1)

    def loss(logits: Tensor) -> Tensor:
        got = functional.log_softmax(logits / temperature, 1)
        divergence = functional.kl_div(got, wanted, reduction="batchmean")
        return temperature**2 * divergence if squared else divergence

    return loss


def mixed_logits(logits: Tensor, mixture: Mixture | None) -> Tensor:
    """Stored logits mixed as the images are: the logits themselves, not their softmax.

    Args:
        logits: (B, K).
        mixture: None for images that are not mixed.

    Returns:
        (B, K).

    Source: INFER.
    """
    if mixture is None:
        return logits
    return mixture.share * logits + (1 - mixture.share) * logits[mixture.partners]


def as_logits(labels: Tensor, kind: str) -> Tensor:
    """Soft labels as logits.

    Args:
        labels: (B, K).
        kind: "probabilities" or "logits".

    Returns:
        (B, K): of probabilities the logarithm, at least that of 1e-8.
    """
    return labels.clamp_min(1e-8).log() if kind == "probabilities" else labels
