"""The sets that torchvision downloads: MNIST, Fashion-MNIST, SVHN, CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor

from ddbench.artefact import is_disk_full
from ddbench.data import constants
from ddbench.data.rawdata import DIGIT_NAMES, RawData, Request, arrays_to_split
from ddbench.data.realset import Split
from ddbench.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Published:
    """How torchvision calls a set, what it looks for under the data root, and where that can be fetched by hand."""

    torchvision_class: str
    classes: int
    statistics: constants.Constants
    expected: str
    url: str
    mirror: bool = True


SETS = {
    "mnist": Published(
        torchvision_class="MNIST",
        classes=10,
        statistics=constants.MNIST,
        expected="MNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte",
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        mirror=False,
    ),
    "fashion-mnist": Published(
        torchvision_class="FashionMNIST",
        classes=10,
        statistics=constants.FASHION_MNIST,
        expected="FashionMNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    "svhn": Published(
        torchvision_class="SVHN",
        classes=10,
        statistics=constants.SVHN,
        expected="{train,test}_32x32.mat",
        url="http://ufldl.stanford.edu/housenumbers/",
        mirror=False,
    ),
    "cifar10": Published(
        torchvision_class="CIFAR10",
        classes=10,
        statistics=constants.CIFAR10,
        expected="cifar-10-batches-py/",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    ),
    "cifar100": Published(
        torchvision_class="CIFAR100",
        classes=100,
        statistics=constants.CIFAR100,
        expected="cifar-100-python/",
        url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    ),
}


def load(request: Request) -> RawData:
    """The set as uint8, (n, C, H, W), found under the data root or downloaded to it.

    Errors: UserError naming the place and what belongs there when the set is neither there nor downloadable.
    """
    published = SETS[request.what]
    train, names = _part(request, published, train=True)
    test, _ = _part(request, published, train=False)
    return RawData(class_names=names, train=train, test=test, constants=published.statistics, mirror=published.mirror)


def _part(request: Request, published: Published, train: bool) -> tuple[Split, tuple[str, ...]]:
    import torchvision.datasets

    make = getattr(torchvision.datasets, published.torchvision_class)
    choice: dict[str, Any] = {"split": "train" if train else "test"} if request.what == "svhn" else {"train": train}
    dataset = _found_or_downloaded(lambda download: make(request.data_root, download=download, **choice), request)
    labels = torch.as_tensor(np.asarray(dataset.labels if request.what == "svhn" else dataset.targets)).long()
    split = arrays_to_split(_channels_first(dataset.data), labels, published.classes, request.size, request.what)
    named = published.torchvision_class in ("CIFAR10", "CIFAR100", "FashionMNIST")
    return split, tuple(dataset.classes) if named else DIGIT_NAMES


def _channels_first(data: Tensor | np.ndarray) -> Tensor:
    images = torch.as_tensor(np.ascontiguousarray(data))
    if images.ndim == 3:
        return images[:, None]
    return images if images.shape[1] == 3 else images.permute(0, 3, 1, 2).contiguous()


def _found_or_downloaded(make: Callable[[bool], Any], request: Request) -> Any:
    try:
        return make(False)
    except RuntimeError:  # torchvision's way to say: absent, or its checksum is wrong
        pass
    request.data_root.mkdir(parents=True, exist_ok=True)
    said = io.StringIO() if request.quiet else sys.stderr
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return make(True)
    except (RuntimeError, URLError, OSError) as error:
        published = SETS[request.what]
        if is_disk_full(error):
            raise UserError(
                f"the disk is full: {request.what} could not be downloaded",
                f"to       {request.data_root}",
                fix="free some space, or give another folder with --data-root",
            ) from None
        raise UserError(
            f"{request.what} is not under the data root and could not be downloaded",
            request.origin,
            f"expected {request.data_root / published.expected}",
            f"why      {' '.join(str(error).split())}",
            fix=f"fetch it from {published.url} and unpack it there, or give the folder that has it with --data-root",
        ) from None
