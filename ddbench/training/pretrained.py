"""Networks that others trained and published, by name.

``torchvision:resnet18@IMAGENET1K_V1`` and ``timm:resnet18@a1_in1k`` are such names: before the ``@`` stands a network,
after it what its library calls the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ddbench.data.preprocessing import WHITENED
from ddbench.data.realset import RealSet
from ddbench.errors import UserError, unknown
from ddbench.networks import ImageShape, canonical_network_name, parameter_count
from ddbench.networks.names import OUTSIDE, split_outside

CLOSE = 5e-4
"""By how much the mean or deviation of a channel may differ, which images of 256 levels do not show."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Published weights, as their library describes them."""

    network: str
    """Whose they are, as ``torchvision:resnet18``."""
    tag: str
    """Their library's name for them."""
    channels: int
    """Of the images they know."""
    size: int
    """Of the images they know."""
    classes: int
    """Of the images they know."""
    mean: tuple[float, ...]
    """One a channel, what the images were less and over."""
    std: tuple[float, ...]
    """One a channel, what the images were less and over."""
    address: str
    """Where they lie, a URL or ``hf-hub:NAME``."""

    @property
    def shape(self) -> ImageShape:
        """Images and classes that they know."""
        return ImageShape(self.channels, self.size, self.classes)

    @property
    def name(self) -> str:
        return f"{self.network}@{self.tag}"

    def check_compatible(self, real: RealSet) -> None:
        """Check that the weights were trained on such images.

        Args:
            real: Real data, as preprocessed.

        Raises:
            UserError: They know other classes, or images of other channels, size or preprocessing.
        """
        for what, mine, theirs, fix in (
            (
                "classes",
                self.classes,
                real.classes,
                "train a network on these classes, or choose weights that know them",
            ),
            ("channels", self.channels, real.channels, "choose weights for such images, or train a network on them"),
            ("pixels a side", self.size, real.size, f"set size: {self.size} in the recipe (--size {self.size})"),
        ):
            if mine != theirs:
                raise UserError(
                    f"the weights {self.name} were trained on images of {mine} {what}",
                    f"{real.name} has {theirs} {what}",
                    fix=fix,
                )
        self._require_preprocessing(real)

    def _require_preprocessing(self, real: RealSet) -> None:
        seen = real.preprocessing.describe()
        mean, std = seen.get("mean", [0.0] * self.channels), seen.get("std", [1.0] * self.channels)
        pairs = zip((*self.mean, *self.std), (*mean, *std), strict=True)
        if seen["kind"] not in WHITENED and all(abs(mine - theirs) <= CLOSE for mine, theirs in pairs):
            return
        wanted = "identity" if set(self.mean) == {0.0} and set(self.std) == {1.0} else "meanstd"
        fix = f"set preprocessing: {wanted} in the recipe (--preprocessing {wanted})"
        if seen["kind"] == wanted:
            fix = f"choose weights that were trained with the mean and deviation of {real.name}"
        raise UserError(
            f"the weights {self.name} were trained in another preprocessing",
            f"weights meanstd, {_in_words(self.mean, self.std)}",
            f"images  {seen['kind']}" + (f", {_in_words(mean, std)}" if seen["kind"] == "meanstd" else ""),
            fix=fix,
        )


def is_pretrained(name: str) -> bool:
    """Tell whether a name is that of weights, not of a network alone.

    Args:
        name: Such as ``torchvision:resnet18@IMAGENET1K_V1``.

    Returns:
        True where it has an ``@``.
    """
    return "@" in name


def published(name: str, where: str = "") -> Weights:
    """Look up published weights by name; nothing is downloaded.

    Args:
        name: Such as ``torchvision:resnet18@IMAGENET1K_V1``.
        where: Location that the name was read from, for errors.

    Returns:
        The weights as their library describes them.

    Raises:
        UserError: With the nearest names where there are none such.
    """
    network, _, tag = name.partition("@")
    outside = split_outside(network)
    if outside is None:
        raise UserError(
            f"{name!r} names weights, and only networks of other libraries have published ones",
            f"from  {where}" if where else "",
            fix=f"write {' or '.join(f'{source}:NETWORK@WEIGHTS' for source in OUTSIDE)}, or {network} to train it",
        )
    canonical_network_name(network, where)
    return (_of_timm if outside[0] == "timm" else _of_torchvision)(outside[1], tag, where)


def canonical_teacher(name: str, where: str = "") -> str:
    """Convert the name of a network to train, or of weights, to its canonical form.

    Args:
        name: Name as the user writes it.
        where: Location that the name was read from, for errors.

    Returns:
        The canonical name.

    Raises:
        UserError: With the nearest names where it is unknown.
    """
    return published(name, where).name if is_pretrained(name) else canonical_network_name(name, where)


def require_teacher_fits(name: str, real: RealSet) -> None:
    """Require that a teacher takes the images of a real set.

    Args:
        name: Canonical name of a network, or of weights.
        real: Real data, as preprocessed.

    Raises:
        UserError: A network does not take these images, or weights were trained on others.
    """
    if is_pretrained(name):
        published(name).check_compatible(real)
    else:
        parameter_count(name, real.shape)


def _of_torchvision(network: str, tag: str, location: str) -> Weights:
    from torchvision import models

    known = models.get_model_weights(network).__members__
    _require_known(f"torchvision:{network}", tag, known, location)
    entry = known[tag]
    seen = entry.transforms()
    return Weights(
        network=f"torchvision:{network}",
        tag=entry.name,
        channels=3,
        size=seen.crop_size[0],
        classes=len(entry.meta["categories"] or ()),
        mean=tuple(seen.mean),
        std=tuple(seen.std),
        address=entry.url,
    )


def _of_timm(network: str, tag: str, location: str) -> Weights:
    import timm

    known = [name.partition(".")[2] for name in timm.list_pretrained(f"{network}.*")]
    _require_known(f"timm:{network}", tag, known, location)
    entry = timm.get_pretrained_cfg(f"{network}.{tag}")
    assert entry is not None
    return Weights(
        network=f"timm:{network}",
        tag=tag,
        channels=entry.input_size[0],
        size=entry.input_size[1],
        classes=entry.num_classes,
        mean=tuple(entry.mean),
        std=tuple(entry.std),
        address=f"hf-hub:{entry.hf_hub_id}" if entry.hf_hub_id else str(entry.url),
    )


def _require_known(network: str, tag: str, known: Iterable[str], location: str) -> None:
    """Errors: UserError that lists the weights of a network, or says to train it where it has none."""
    names = [f"{network}@{other}" for other in known]
    if f"{network}@{tag}" not in names:
        raise unknown("pretrained network", f"{network}@{tag}", names or [network], location)


def _in_words(mean: tuple[float, ...] | list[float], std: tuple[float, ...] | list[float]) -> str:
    return f"mean {', '.join(f'{m:g}' for m in mean)}, std {', '.join(f'{s:g}' for s in std)}"
