"""With which channel statistics each project standardizes each data set: not always those that ddbench uses."""

from __future__ import annotations

from ddbench.data.constants import CIFAR10, FASHION_MNIST, IMAGENET, MNIST, SVHN, Constants

_SHARED: dict[str, Constants] = {
    "mnist": MNIST,
    "fashion-mnist": FASHION_MNIST,
    "svhn": SVHN,
    "cifar10": CIFAR10,
    "cifar10-jpeg": CIFAR10,
    "cifar100": CIFAR10,
    "tiny-imagenet": IMAGENET,
    "imagenet": IMAGENET,
    **dict.fromkeys(("imagenette", "imagewoof", "imagemeow", "imagesquawk", "imagefruit", "imageyellow"), IMAGENET),
}
_CIFAR100: Constants = ((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762))
_OWN: dict[str, dict[str, Constants]] = {
    "mtt": {},
    "dc": {"cifar100": _CIFAR100},
    "eccv24": {"cifar100": _CIFAR100},
    "ufc": {
        "cifar100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
        "tiny-imagenet": ((0.4802, 0.4481, 0.3975), (0.2302, 0.2265, 0.2262)),
    },
}


def project_constants(project: str, dataset: str) -> Constants | tuple[None, None]:
    """Look up the channel statistics with which a project standardizes a data set; read in the projects' code.

    Args:
        project: "mtt" (and FTD, TESLA, DATM, DD-Ranking), "dc" (and DSA, DM), "eccv24" or "ufc".
        dataset: Name of the data set.

    Returns:
        Mean and standard deviation by channel, of images in [0, 1]; (None, None) where they are not known.
    """
    return _OWN[project].get(dataset) or _SHARED.get(dataset) or (None, None)
