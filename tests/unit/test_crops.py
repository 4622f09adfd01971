"""Crops, flips, patches and layered DSA: against torchvision, and by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as tv

from ddbench.augmentation import CropFlip, CropsFlip, DSAPolicy, LayeredDSA, augmentation
from ddbench.augmentation.crops import resized_crops
from ddbench.augmentation.draw import Draw

SIDE = 9


def batch(seed, count=6, channels=2, side=SIDE):
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seed=st.integers(0, 999), mirror=st.booleans())
def test_crop_flip_is_padding_cropping_and_flipping(seed, mirror):
    images, black = batch(seed), torch.tensor([-1.5, 0.5]).view(2, 1, 1)
    chosen = CropFlip(pad=1 / 3, mirror=mirror, black=black)
    draw = chosen.draw(6, SIDE, torch.Generator().manual_seed(seed))
    down, right, flipped = draw.parameters
    assert mirror or not flipped.any()
    for got, image, d, r, f in zip(chosen.apply(images, draw), images, down, right, flipped, strict=True):
        canvas = black.double().expand(2, SIDE + 6, SIDE + 6).clone()
        canvas[:, 3:-3, 3:-3] = image
        wanted = canvas[:, 3 + d : 3 + d + SIDE, 3 + r : 3 + r + SIDE]
        assert torch.equal(got, wanted.flip(-1) if f else wanted)


@given(seed=st.integers(0, 999), patches=st.sampled_from([1, 2, 3]))
def test_crops_flip_is_what_torchvision_does(seed, patches):
    images, chosen = batch(seed), CropsFlip(smallest=0.3, patches=patches)
    draw = chosen.draw(6, SIDE, torch.Generator().manual_seed(seed))
    part, flipped, *orders = draw.parameters
    assert len(orders) == (0 if patches == 1 else 2)
    for number, got in enumerate(chosen.apply(images, draw)):
        image = images[number]
        for order, dim in zip((orders[0], orders[1]) if orders else (), (2, 1), strict=False):
            thick = SIDE // patches
            strips = [image.narrow(dim, i * thick, thick) for i in range(patches - 1)]
            strips.append(image.narrow(dim, (patches - 1) * thick, SIDE - (patches - 1) * thick))
            image = torch.cat([strips[i] for i in order[number]], dim)
        top, left, height, width = (part[number] * SIDE).round().int().tolist()
        wanted = tv.resized_crop(image, top, left, height, width, [SIDE, SIDE], antialias=True)
        wanted = wanted.flip(-1) if flipped[number] else wanted
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)  # fractions are float32


def test_parts_have_the_asked_area_and_lie_inside():
    part = CropsFlip().draw(4000, 32, torch.Generator().manual_seed(0)).parameters[0]
    top, left, height, width = part.unbind(1)
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 1 + 1e-6).all() and (left + width <= 1 + 1e-6).all()
    area, aspect = height * width, width / height
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        image = torch.zeros(1, 32, 32)
        theirs = torch.tensor([RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)])
    their_area = theirs[:, 2] * theirs[:, 3] / 32**2
    assert abs(area.mean() - their_area.mean()) < 0.015 and abs(area.std() - their_area.std()) < 0.01
    assert abs((top + height / 2).mean() - 0.5) < 0.01 and area.min() > 0.06 and area.max() <= 1
    whole = (height == 1) & (width == 1)
    assert aspect[~whole].min() > 0.6 and aspect[~whole].max() < 1.6


def test_the_whole_image_is_itself():
    images = batch(1)
    assert torch.allclose(resized_crops(images, torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(6, 4)), images)


def test_crops_are_differentiable():
    images = batch(2, count=2, channels=1, side=5).requires_grad_()
    parts = torch.tensor([[0.2, 0.0, 0.6, 0.8], [0.0, 0.4, 1.0, 0.6]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: resized_crops(x, parts), (images,))


@given(seed=st.integers(0, 999), mirror=st.booleans())
def test_layered_dsa_is_its_layers_one_after_the_other(seed, mirror):
    images, chosen = batch(seed), LayeredDSA(mirror=mirror)
    draw = chosen.draw(6, SIDE, torch.Generator().manual_seed(seed))
    assert draw.family in ("crop", "scale", "rotate")
    left, wanted = list(draw.parameters), images
    for family, count in (*((("flip", 1),) if mirror else ()), ("color", 3), (draw.family, None)):
        taken, left = left[:count], left[count or len(left) :]
        wanted = DSAPolicy().apply(wanted, Draw(family, tuple(taken)))
    assert torch.equal(chosen.apply(images, draw), wanted)


@pytest.mark.parametrize("name", ["dsa-idc", "crop-flip", "crops-flip", "patches-crops-flip"])
def test_nothing_is_mirrored_where_that_is_another_thing(name):
    found = augmentation(name, mirror=False)
    assert isinstance(found, LayeredDSA | CropFlip | CropsFlip) and not found.mirror
