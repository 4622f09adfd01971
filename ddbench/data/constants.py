"""Published channel statistics of images in [0, 1]: part of each dataset's preprocessing, so never recomputed."""

from __future__ import annotations

Constants = tuple[tuple[float, ...], tuple[float, ...]]

MNIST: Constants = ((0.1307,), (0.3081,))
FASHION_MNIST: Constants = ((0.2861,), (0.3530,))
SVHN: Constants = ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970))
CIFAR10: Constants = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
# The trajectory-matching papers (MTT, FTD, TESLA, DATM) standardize CIFAR-100 with CIFAR-10's numbers, and so do we, so
# that published sets and buffers are interchangeable. DC and DC-BENCH use CIFAR-100's own: their sets live in another
# space.
CIFAR100: Constants = CIFAR10
IMAGENET: Constants = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
