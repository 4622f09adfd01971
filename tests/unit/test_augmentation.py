"""Each transform against a slow one that knows only one image; draws by their ranges; neutral, pure, replayable."""

import math

import pytest
import torch
from helpers.slow_augmentation import SLOW, drawn_images, rng, slow_dc
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.augmentation import (
    AUGMENTATIONS,
    DCPolicy,
    Draw,
    DSAPolicy,
    augmentation,
    check_augmentation_name,
    transforms,
)
from ddbench.augmentation.dc import resized
from ddbench.augmentation.dsa import FAMILIES, rounded
from ddbench.errors import UserError

QUICK = settings(max_examples=15, deadline=None)
SEEDS = st.integers(0, 9999)
SIZES = st.integers(5, 12)


def exact(draw):
    """The same draw with its real parameters in float64."""
    return Draw(draw.family, tuple(p.double() if p.is_floating_point() else p for p in draw.parameters))


@pytest.mark.parametrize("family", FAMILIES)
@QUICK
@given(seed=SEEDS, size=SIZES, channels=st.sampled_from([1, 3]))
def test_a_family_is_what_its_definition_says(family, seed, size, channels):
    images = drawn_images(seed, size, channels)
    draw = exact(DSAPolicy().draw_family(family, 4, size, rng(seed)))
    got = DSAPolicy().apply(images, draw)
    numbers = zip(*(parameter.tolist() for parameter in draw.parameters), strict=True)
    want = torch.stack([SLOW[family](image, *one) for image, one in zip(images, numbers, strict=True)])
    assert want.abs().max() > 0
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


def test_a_quarter_turn_is_anticlockwise():
    images = drawn_images(0, 7)
    turned = transforms.rotate(images, torch.full((4,), 90.0, dtype=torch.float64))
    torch.testing.assert_close(turned, images.rot90(1, (2, 3)), rtol=1e-10, atol=1e-10)


NEUTRAL = {
    "color": (0.0, 1.0, 1.0),
    "crop": (0, 0),
    "flip": (False,),
    "scale": (1.0, 1.0),
    "rotate": (0.0,),
}


@QUICK
@given(seed=SEEDS, size=SIZES, channels=st.sampled_from([1, 3]))
def test_neutral_parameters_change_nothing(seed, size, channels):
    images = drawn_images(seed, size, channels)
    for family, numbers in NEUTRAL.items():
        draw = Draw(family, tuple(torch.tensor([number] * 4) for number in numbers))
        torch.testing.assert_close(DSAPolicy().apply(images, draw), images, rtol=1e-12, atol=1e-12)
    no_square = DSAPolicy(families=("cutout",), cutout=0.0)
    assert torch.equal(no_square.apply(images, no_square.draw(4, size, rng(seed))), images)


def test_the_published_reach_and_side():
    assert [rounded(DSAPolicy().crop, size) for size in (32, 64, 128)] == [4, 8, 16]
    assert rounded(DSAPolicy().cutout, 32) == 16


def parameters(family, size=8, batch=4000):
    return DSAPolicy().draw_family(family, batch, size, rng(11)).parameters


def test_ranges_and_ends_of_the_whole_numbers():
    for size, reach in ((8, 1), (32, 4)):
        for parameter in parameters("crop", size):
            assert set(parameter.tolist()) == set(range(-reach, reach + 1))
    for size, last in ((8, 8), (9, 8), (10, 9)):  # sides 4, 5, 5: an even side may be centerd one past the end
        for parameter in parameters("cutout", size):
            assert set(parameter.tolist()) == set(range(last + 1))


@pytest.mark.parametrize(
    ("family", "ranges"),
    [
        ("color", [(-0.5, 0.5), (0.0, 2.0), (0.5, 1.5)]),
        ("scale", [(1 / 1.2, 1.2), (1 / 1.2, 1.2)]),
        ("rotate", [(-15.0, 15.0)]),
    ],
)
def test_ranges_of_the_real_numbers_are_filled_evenly_and_independently(family, ranges):
    drawn = parameters(family)
    for parameter, (low, high) in zip(drawn, ranges, strict=True):
        unit = (parameter - low) / (high - low)
        assert parameter.shape == (4000,)
        assert unit.min() >= -1e-6
        assert unit.max() <= 1 + 1e-6
        assert torch.histc(unit, 10, 0, 1).sub(400).abs().max() < 5 * math.sqrt(400)
    if len(drawn) > 1:
        assert torch.corrcoef(torch.stack(drawn)).triu(1).abs().max() < 5 / math.sqrt(4000)


def test_half_of_the_images_are_flipped():
    (flipped,) = parameters("flip")
    assert flipped.dtype == torch.bool
    assert abs(int(flipped.sum()) - 2000) < 5 * math.sqrt(1000)


@pytest.mark.parametrize("mirror", [True, False])
def test_one_family_a_call_each_as_likely(mirror):
    dsa, generator = augmentation("dsa", mirror=mirror), rng(3)
    assert dsa is not None
    counts = dict.fromkeys(FAMILIES, 0)
    for _ in range(1200):
        counts[dsa.draw(1, 8, generator).family] += 1
    possible = [name for name in FAMILIES if mirror or name != "flip"]
    assert (counts["flip"] > 0) == mirror
    expected = 1200 / len(possible)
    assert all(abs(counts[name] - expected) < 5 * math.sqrt(expected) for name in possible)


ALL = [
    *(DSAPolicy(families=(family,)) for family in FAMILIES),
    DCPolicy(),
    DCPolicy(families=("crop", "noise")),
    DCPolicy(families=("noise",)),
]


@pytest.mark.parametrize("made", ALL, ids=lambda made: "-".join([type(made).__name__, *made.families]))
class TestEveryAugmentation:
    def test_the_generator_decides_everything(self, made):
        images, state = drawn_images(1, 8), torch.get_rng_state()
        results = [made.apply(images, made.draw(4, 8, rng(seed))) for seed in (5, 5, 6)]
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(results[0], results[1])
        assert not torch.equal(results[0], results[2])

    def test_apply_is_pure_and_can_be_replayed(self, made):
        images = drawn_images(2, 8)
        kept, draw = images.clone(), made.draw(4, 8, rng(0))
        first = made.apply(images, draw)
        assert torch.equal(made.apply(images, draw), first)
        assert torch.equal(images, kept)
        assert first.shape == images.shape

    def test_differentiable_as_an_unroll_needs(self, made):
        """By the images, and by the images through the gradient of a loss by something else, as a student's is."""
        images = drawn_images(3, 4, channels=1, batch=2).requires_grad_()
        theta = drawn_images(7, 4, channels=1, batch=1)[0].requires_grad_()
        draw = made.draw(2, 4, rng(1))
        assert torch.autograd.gradcheck(lambda images: made.apply(images, draw), images)

        def inner_gradient(images):
            loss = (made.apply(images, draw) * theta).sum((1, 2, 3)).tanh().sum()
            return torch.autograd.grad(loss, theta, create_graph=True)[0]

        assert torch.autograd.gradcheck(inner_gradient, images)

    def test_keeps_the_dtype(self, made):
        images = drawn_images(4, 8, channels=1)
        draw = made.draw(4, 8, rng(2))
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            assert made.apply(images.to(dtype), draw).dtype == dtype

    def test_compiles_as_one_graph(self, made):
        images, draw = drawn_images(5, 8), made.draw(4, 8, rng(3))
        torch.compiler.reset()
        compiled = torch.compile(made.apply, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(images, draw), made.apply(images, draw))

    def test_works_under_vmap(self, made):
        stacks = torch.stack([drawn_images(seed, 8) for seed in range(3)])
        draw = made.draw(4, 8, rng(4))
        got = torch.func.vmap(lambda images: made.apply(images, draw))(stacks)
        torch.testing.assert_close(got, torch.stack([made.apply(images, draw) for images in stacks]))

    def test_a_draw_of_the_cpu_serves_every_device(self, made, device):
        images, draw = drawn_images(6, 8), made.draw(4, 8, rng(5))
        for given_draw in (draw, draw.to(device)):
            got = made.apply(images.to(device), given_draw)
            assert got.device.type == device.type
            torch.testing.assert_close(got.cpu(), made.apply(images, draw))

    def test_a_draw_for_another_batch_is_refused(self, made):
        with pytest.raises(ValueError, match="4 images, but a draw for 1"):
            made.apply(drawn_images(0, 8), made.draw(1, 8, rng(0)))


def test_images_of_a_batch_are_treated_differently():
    image = drawn_images(7, 12)[:1].expand(16, -1, -1, -1)
    for family in set(FAMILIES) - {"flip"}:
        results = DSAPolicy().apply(image, DSAPolicy().draw_family(family, 16, 12, rng(1)))
        assert len({tuple(result.flatten().tolist()) for result in results}) > 4


# The older augmentation.


@QUICK
@given(seed=SEEDS, size=SIZES, channels=st.sampled_from([1, 3]))
def test_dc_is_what_its_definition_says(seed, size, channels):
    dc = DCPolicy(families=("crop", "scale", "rotate", "noise"), noise=0.3)
    images = drawn_images(seed, size, channels, batch=6)
    draw = dc.draw(6, size, rng(seed))
    draw = draw._replace(parameters=(*draw.parameters[:3], draw.parameters[3].double(), draw.parameters[4].double()))
    chosen, *drawn = draw.parameters
    mean, overall = images.mean((0, 2, 3)), float(images.mean())
    want = torch.stack(
        [
            slow_dc(image, dc.families[which], drawn[which][i].tolist(), mean, overall)
            for i, (image, which) in enumerate(zip(images, chosen.tolist(), strict=True))
        ]
    )
    assert want.abs().max() > 0
    torch.testing.assert_close(dc.apply(images, draw), want, rtol=1e-10, atol=1e-10)


def test_ranges_of_dc():
    dc = DCPolicy(families=("crop", "scale", "rotate", "noise"))
    chosen, shifts, lengths, degrees, noise = dc.draw(3000, 10, rng(0)).parameters
    assert set(chosen.tolist()) == {0, 1, 2, 3}
    assert torch.bincount(chosen).sub(750).abs().max() < 5 * math.sqrt(750)
    assert set(shifts.flatten().tolist()) == set(range(-4, 4))
    assert set(lengths.flatten().tolist()) == {8, 9, 10, 11}
    assert (int(degrees.min()), int(degrees.max())) == (-45, 44)
    assert noise.shape == (3000, 3, 10, 10)
    assert abs(float(noise.std()) - 0.001) < 1e-5


def test_dc_neutral_parameters_change_nothing():
    images, zero = drawn_images(0, 9), torch.zeros(4, dtype=torch.int64)
    full = torch.full((4,), 9)
    assert torch.equal(resized(images, full, full), images)
    for family, parameter in (
        ("crop", zero[:, None].expand(4, 2)),
        ("scale", full[:, None].expand(4, 2)),
        ("rotate", zero),
        ("noise", torch.zeros(4, 3, 9, 9)),
    ):
        got = DCPolicy(families=(family,)).apply(images, Draw(family, (zero, parameter)))
        torch.testing.assert_close(got, images, rtol=1e-12, atol=1e-12)


def test_noise_for_too_few_channels_is_refused():
    dc = DCPolicy(families=("noise",), channels=1)
    with pytest.raises(ValueError, match="drawn for 1 channels, the images have 3"):
        dc.apply(drawn_images(0, 8), dc.draw(4, 8, rng(0)))


# Names.


def test_names():
    assert augmentation("none") is None
    assert augmentation("dsa") == DSAPolicy()
    assert augmentation("dsa", mirror=False) == DSAPolicy(families=("color", "crop", "cutout", "scale", "rotate"))
    assert augmentation("dc", mirror=False) == DCPolicy(families=("crop", "scale", "rotate"))
    assert augmentation("dc-bn") == DCPolicy(families=("crop", "noise"))
    assert {"none", "dsa", "dc", "dc-bn"} < set(AUGMENTATIONS)


def test_unknown_names_offer_the_nearest():
    with pytest.raises(UserError, match="no augmentation 'dsaa'") as caught:
        check_augmentation_name("dsaa", "a.yaml, line 2")
    assert caught.value.fix == "did you mean 'dsa'?"
    with pytest.raises(UserError, match="no DSA family 'colour'"):
        DSAPolicy(families=("colour",))
    with pytest.raises(UserError, match="no DC family 'flip'"):
        DCPolicy(families=("flip",))
    for make in (
        lambda: DSAPolicy(families=()),
        lambda: DSAPolicy(families=("flip",)).without("flip"),
        lambda: DCPolicy(families=()),
    ):
        with pytest.raises(UserError, match="needs a family"):
            make()
