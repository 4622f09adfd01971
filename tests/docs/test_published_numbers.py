"""The table of printed accuracies: every line sound, and values typed in by hand from the sources."""

import csv
from importlib.resources import files

import pytest

from ddbench.data import check_dataset_name
from ddbench.evaluate.leaderboard.published import look_up, published_numbers
from ddbench.networks import canonical_network_name

COLUMNS = ["method", "dataset", "ipc", "network", "accuracy", "std", "source"]
TEXT = files("ddbench.evaluate").joinpath("published.csv").read_text(encoding="utf-8")
LINES = list(csv.DictReader(TEXT.splitlines(), strict=True))

BY_HAND = """
mtt cifar10 50 convnet-d3: 71.6 0.2
mtt cifar10 50 resnet18: 61.9 0.7
mtt cifar10 50 vgg11: 55.4 0.8
mtt cifar10 50 alexnet: 48.2 1.0
ftd cifar10 50 convnet-d3: 73.8 0.2
ftd cifar10 50 resnet18: 65.7 0.3
ftd cifar10 50 vgg11: 58.4 1.6
ftd cifar10 50 alexnet: 53.8 0.9
datm cifar10 1 convnet-d3: 46.9 0.5
datm cifar100 100 convnet-d3: 57.5 0.2
datm tiny-imagenet 50 resnet18-bn: 43.14
glister cifar10 1000 mlp: 40.59
forgetting cifar100 100 vgg11: 43.28
seqmatch cifar100 50 convnet-d3: 51.2 0.3
ftd-no-ema cifar100 50 convnet-d3: 49.8 0.3
idc cifar10 50 convnet-d3: 74.5
idc svhn 1 convnet-d3: 68.5
idc-i cifar100 20 convnet-d3: 41.5
rded imagenet 10 torchvision:resnet18: 42.0
rded cifar10 10 convnet-d3-bn: 50.2 0.3
rded tiny-imagenet 50 resnet18-bn: 58.2 0.1
cda imagenet 200 resnet50-bn: 67.6
cda tiny-imagenet 100 resnet18-bn: 53.2
ncfm cifar10 10 convnet-d3: 71.8 0.3
sre2l cifar100 50 resnet18-bn: 49.5 0.3
sre2l imagenet 10 torchvision:resnet18: 21.3 0.6
sre2l imagenet 50 resnet101-bn: 60.8 0.5
sre2l-static imagenet 50 torchvision:resnet18: 17.3 0.5
g-vbsm imagenet 50 timm:swin_tiny_patch4_window7_224: 57.4
infer cifar100 10 resnet18-bn: 45.2 0.04
infer imagenet 50 resnet50-bn: 53.3 0.3
infer-dyn imagenet 10 torchvision:resnet18: 36.3 0.3
lpld imagenet 200 torchvision:resnet18: 59.6
whole cifar10 5000 convnet-d3: 84.8 0.1
"""


def test_every_line_is_kept_under_a_key_of_its_own():
    assert list(LINES[0]) == COLUMNS and len(LINES) > 500
    assert all(None not in line and None not in line.values() for line in LINES)
    assert len(published_numbers()) == len(LINES)


def test_lines_are_sorted():
    order = [(line["dataset"], int(line["ipc"]), line["network"], line["method"]) for line in LINES]
    assert order == sorted(order)


def test_accuracies_are_fractions():
    for number in published_numbers().values():
        assert 0 <= number.accuracy <= 1
        assert number.std is None or 0 <= number.std <= 0.2


def test_names_are_ours():
    numbers = published_numbers().values()
    for network in {number.network for number in numbers}:
        assert canonical_network_name(network) == network
    for dataset in {number.dataset for number in numbers}:
        check_dataset_name(dataset)
    for number in numbers:
        assert number.method == number.method.lower().strip() and number.method
        assert number.ipc >= 1 and number.source.strip() == number.source and number.source


def test_whole_data_is_as_many_images_as_a_class_has():
    sizes = {number.dataset: number.ipc for number in published_numbers().values() if number.method == "whole"}
    assert sizes == {"cifar10": 5000, "cifar100": 500, "tiny-imagenet": 500}


@pytest.mark.parametrize("line", BY_HAND.strip().splitlines())
def test_values_typed_in_by_hand(line):
    setting, _, printed = line.rpartition(": ")
    method, dataset, ipc, network = setting.split()
    percent, *spread = (float(word) for word in printed.split())
    found = look_up(method, dataset, int(ipc), network)
    assert found is not None and found.accuracy == pytest.approx(percent / 100, abs=1e-9)
    assert found.std == (pytest.approx(spread[0] / 100, abs=1e-9) if spread else None)
