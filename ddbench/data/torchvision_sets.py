"""The sets that torchvision downloads: MNIST, Fashion-MNIST, SVHN, CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddbench.artifact import is_disk_full
from ddbench.data import constants
from ddbench.data.rawdata import DIGIT_NAMES, RawData, Request, arrays_to_split
from ddbench.data.realset import Split
from ddbench.errors import UserError
from ddbench.files.regular_file import require_regular, shown_path


@dataclass(frozen=True, kw_only=True)
class PublishedFiles:
    """A set of torchvision: its files under the data root, and where they can be had."""

    torchvision_class: str
    """Its class in ``torchvision.datasets``."""
    classes: int
    """Number of classes."""
    statistics: constants.Constants
    """Mean and std by channel."""
    files: str
    """Pattern of its files under the data root."""
    expected: str
    """The same in words, for messages."""
    url: str
    """Where it can be had."""
    mirror: bool = True
    """Whether a mirrored image is still of its class."""


SETS = {
    "mnist": PublishedFiles(
        torchvision_class="MNIST",
        files="MNIST/raw/*",
        classes=10,
        statistics=constants.MNIST,
        expected="MNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte",
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        mirror=False,
    ),
    "fashion-mnist": PublishedFiles(
        torchvision_class="FashionMNIST",
        files="FashionMNIST/raw/*",
        classes=10,
        statistics=constants.FASHION_MNIST,
        expected="FashionMNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    "svhn": PublishedFiles(
        torchvision_class="SVHN",
        files="*_32x32.mat",
        classes=10,
        statistics=constants.SVHN,
        expected="{train,test}_32x32.mat",
        url="http://ufldl.stanford.edu/housenumbers/",
        mirror=False,
    ),
    "cifar10": PublishedFiles(
        torchvision_class="CIFAR10",
        files="cifar-10-batches-py/*",
        classes=10,
        statistics=constants.CIFAR10,
        expected="cifar-10-batches-py/",
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    ),
    "cifar100": PublishedFiles(
        torchvision_class="CIFAR100",
        files="cifar-100-python/*",
        classes=100,
        statistics=constants.CIFAR100,
        expected="cifar-100-python/",
        url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    ),
}


def load(request: Request) -> RawData:
    """Load a set that lies under the data root, or is downloaded to it.

    Args:
        request: ``what`` is the name of the set.

    Returns:
        The set, uint8, (n, C, H, W).

    Raises:
        UserError: The set is neither there nor downloadable, with the place and what belongs there; or its files are
            damaged.
    """
    published = SETS[request.what]
    train, names = _part(request, published, train=True)
    test, _ = _part(request, published, train=False)
    return RawData(class_names=names, train=train, test=test, constants=published.statistics, mirror=published.mirror)


def _part(request: Request, published: PublishedFiles, train: bool) -> tuple[Split, tuple[str, ...]]:
    import torchvision.datasets

    make = getattr(torchvision.datasets, published.torchvision_class)
    choice: dict[str, Any] = {"split": "train" if train else "test"} if request.what == "svhn" else {"train": train}
    dataset = _load_or_download(lambda download: make(request.data_root, download=download, **choice), request)
    labels = torch.as_tensor(np.asarray(dataset.labels if request.what == "svhn" else dataset.targets)).long()
    if len(labels) != len(dataset.data):
        raise _damaged(request, f"it has {len(dataset.data):,} images and {len(labels):,} labels")
    split = arrays_to_split(_channels_first(dataset.data), labels, published.classes, request.size, request.what)
    named = published.torchvision_class in ("CIFAR10", "CIFAR100", "FashionMNIST")
    return split, tuple(dataset.classes) if named else DIGIT_NAMES


def _channels_first(data: Tensor | np.ndarray) -> Tensor:
    images = torch.as_tensor(np.ascontiguousarray(data))
    if images.ndim == 3:
        return images[:, None]
    return images if images.shape[1] == 3 else images.permute(0, 3, 1, 2).contiguous()


def _load_or_download(make: Callable[[bool], Any], request: Request) -> Any:
    _refuse_odd_files(request)
    try:
        return make(False)
    except RuntimeError as error:  # torchvision's way to say: absent, or its checksum is wrong
        if "not found" not in str(error) and "corrupted" not in str(error):
            raise _damaged(request, error) from None
    except MemoryError:
        raise
    except Exception as error:  # a file that is cut short or changed can make its reader fail in any way
        raise _damaged(request, error) from None
    request.data_root.mkdir(parents=True, exist_ok=True)
    output = io.StringIO() if request.quiet else sys.stderr
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            return make(True)
    except MemoryError:
        raise
    except Exception as error:  # no network, no room, or an archive that is not what it should be
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


def _refuse_odd_files(request: Request) -> None:
    """Refuse files of the set that are pipes, devices, or links to nothing: reading them would not end."""
    for path in sorted(request.data_root.glob(SETS[request.what].files)):
        if path.is_symlink() or not path.is_dir():
            require_regular(path)


def _damaged(request: Request, error: Exception | str) -> UserError:
    published = SETS[request.what]
    return UserError(
        f"the files of {request.what} are damaged",
        request.origin,
        f"in       {shown_path((request.data_root / published.files).parent)}",
        f"why      {shown_path(' '.join(str(error).split())[:300]) or type(error).__name__}",
        fix="remove them, so that they are downloaded again, or restore them from a copy",
    )
