"""scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels that come with the library, nothing downloaded."""

from __future__ import annotations

import torch

from ddbench.data.rawdata import DIGIT_NAMES, RawData, Request, arrays_to_split
from ddbench.data.split import stratified_holdout

TEST_IMAGES = 360
TEST_SEED = 20220322  # fixed for good: the test set is the same in every run, whatever the run's seed


def load(request: Request) -> RawData:
    """Load 1,437 training and 360 test images of scikit-learn's digits.

    Args:
        request: Its size applies.

    Returns:
        Images (n, 1, 8, 8), float32 in [0, 1] (stored as 0 to 16, divided by 16), resized where a size is given.
    """
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    images = torch.as_tensor(pixels).div(16).float().view(-1, 1, 8, 8)
    labels = torch.as_tensor(classes).long()
    train, test = stratified_holdout(labels, TEST_IMAGES, TEST_SEED)
    return RawData(
        class_names=DIGIT_NAMES,
        train=arrays_to_split(images[train], labels[train], 10, request.size, "digits"),
        test=arrays_to_split(images[test], labels[test], 10, request.size, "digits"),
        mirror=False,
    )
