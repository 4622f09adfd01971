"""Counts of the data sets that have a name: what is loaded under the name must have them. Imports no tensor library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KnownSet:
    """Published facts of a data set of images."""

    classes: int
    """Number of classes."""
    train: int
    """Training images; of ImageNet's subsets the largest number there can be."""
    test: int
    """Test images."""
    channels: int = 3
    """Color channels of an image."""
    size: int
    """Side in pixels, where the recipe gives none."""
    train_each: tuple[int, int] | None = None
    """The smallest and the largest number of training images of a class; None where only the sum is known."""
    test_each: tuple[int, int] | None = None
    """The same of test images."""
    exact: bool = True
    """Whether ``train`` is the number, not a bound."""

    @property
    def images_in_words(self) -> str:
        """``"50,000 + 10,000"``, training and test images."""
        return f"{'' if self.exact else 'up to '}{self.train:,} + {self.test:,}"

    @property
    def size_in_words(self) -> str:
        """``"28, grey"``, the side in pixels."""
        return f"{self.size}{', grey' if self.channels == 1 else ''}"


def _even(classes: int, train: int, test: int, size: int) -> KnownSet:
    """A set all of whose classes are equally large."""
    each, each_test = train // classes, test // classes
    return KnownSet(
        classes=classes,
        train=train,
        test=test,
        size=size,
        train_each=(each, each),
        test_each=(each_test, each_test),
    )


_IMAGENET_EACH = (732, 1300)
_SUBSET = KnownSet(
    classes=10, train=13_000, test=500, size=128, train_each=_IMAGENET_EACH, test_each=(50, 50), exact=False
)

KNOWN = {
    "digits": KnownSet(classes=10, train=1_437, test=360, channels=1, size=8),
    "mnist": KnownSet(classes=10, train=60_000, test=10_000, channels=1, size=28),
    "fashion-mnist": KnownSet(classes=10, train=60_000, test=10_000, channels=1, size=28),
    "svhn": KnownSet(classes=10, train=73_257, test=26_032, size=32),
    "cifar10": _even(10, 50_000, 10_000, 32),
    "cifar10-jpeg": _even(10, 50_000, 10_000, 32),
    "cifar100": _even(100, 50_000, 10_000, 32),
    "tiny-imagenet": _even(200, 100_000, 10_000, 64),
    "imagenette": _SUBSET,
    "imagewoof": _SUBSET,
    "imagemeow": _SUBSET,
    "imagesquawk": _SUBSET,
    "imagefruit": _SUBSET,
    "imageyellow": _SUBSET,
    "imagenet": KnownSet(
        classes=1_000,
        train=1_281_167,
        test=50_000,
        size=64,
        train_each=_IMAGENET_EACH,
        test_each=(50, 50),
    ),
}
"""By name. A test that loads a small copy under a known name puts the copy's own counts here."""

KNOWN_GRAPHS = {
    "motifs": (2, 600),
    "tu-MUTAG": (2, 188),
    "tu-NCI1": (2, 4_110),
    "tu-NCI109": (2, 4_127),
    "tu-PROTEINS": (2, 1_113),
    "tu-DD": (2, 1_178),
    "tu-ENZYMES": (6, 600),
    "tu-IMDB-BINARY": (2, 1_000),
    "tu-IMDB-MULTI": (3, 1_500),
    "tu-REDDIT-BINARY": (2, 2_000),
    "tu-COLLAB": (3, 5_000),
    "ogb-molhiv": (2, 41_127),
    "ogb-molbace": (2, 1_513),
    "ogb-molbbbp": (2, 2_039),
}
"""Classes and graphs, by the name that rows have."""
