"""The estimate of an outer step's peak memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.estimates.memory import (
    PENALISED_PER_ACTIVATION,
    TRAINED_PER_ACTIVATION,
    activation_floats,
    inference_bytes,
    outer_step_bytes,
    training_bytes,
)
from ddbench.networks import ImageShape, build_network
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, TeslaUnroll, TruncatedUnroll

SIZES = {
    "parameters": st.integers(1, 10**7),
    "activations": st.integers(1, 10**7),
    "batch": st.integers(1, 500),
}


def network(name, channels=3, size=32, classes=10):
    return build_network(name, channels=channels, size=size, classes=classes, seed=0)


def test_activations_of_a_small_convnet_are_those_counted_by_hand():
    # 1 x 8 x 8 in, width 4: convolution, norm and ReLU of 4 x 8 x 8, pooled 4 x 4 x 4, three logits.
    assert activation_floats(network("convnet-d1-w4", 1, 8, 3), ImageShape(1, 8, 3)) == 3 * 4 * 8 * 8 + 4 * 4 * 4 + 3


def test_activations_of_the_usual_convnet_are_those_counted_by_hand():
    blocks = [3 * 128 * side * side + 128 * (side // 2) ** 2 for side in (32, 16, 8)]
    assert activation_floats(network("convnet-d3"), ImageShape(3, 32, 10)) == sum(blocks) + 10


def test_activations_without_norm_and_pooling():
    assert (
        activation_floats(network("convnet-d2-w4-nonorm-nopool", 1, 8, 3), ImageShape(1, 8, 3)) == 2 * 2 * 4 * 8 * 8 + 3
    )


def test_counting_leaves_the_network_as_it_was():
    module = network("convnet-d1-w4-bn", 1, 8, 3).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    activation_floats(module, ImageShape(1, 8, 3))
    assert module.training
    assert not any(child._forward_hooks for child in module.modules())
    assert all(tensor.equal(before[name]) for name, tensor in module.state_dict().items())


@given(st.integers(1, 60), st.fixed_dictionaries(SIZES))
def test_full_grows_by_a_graph_a_step(n, sizes):
    grown = [outer_step_bytes(FullUnroll(), inner_steps=steps, **sizes) for steps in (n, n + 1)]
    assert grown[1] - grown[0] >= 4 * sizes["activations"] * sizes["batch"] + 2 * 4 * sizes["parameters"]


@given(st.integers(1, 60), st.fixed_dictionaries(SIZES))
def test_walks_of_one_step_grow_by_the_stored_vectors_alone(n, sizes):
    for unroll in (AdjointUnroll(), TeslaUnroll(), TruncatedUnroll(8)):
        grown = [outer_step_bytes(unroll, inner_steps=steps, **sizes) for steps in (n, n + 1)]
        assert grown[1] - grown[0] == pytest.approx(4 * sizes["parameters"], abs=1)


@given(st.integers(1, 60), st.fixed_dictionaries(SIZES))
def test_beside_a_gpu_the_path_lies_on_the_cpu(n, sizes):
    for unroll in (AdjointUnroll(), TeslaUnroll()):
        grown = [outer_step_bytes(unroll, inner_steps=steps, device="cuda", **sizes) for steps in (n, n + 1)]
        assert grown[0] == grown[1]


@given(st.integers(1, 60), st.integers(1, 60), st.fixed_dictionaries(SIZES))
def test_a_compiled_step_is_walked_back_alone_and_takes_less(n, every, sizes):
    plain, compiled = (
        outer_step_bytes(AdjointUnroll(every), inner_steps=n, compiled=compiled, **sizes) for compiled in (False, True)
    )
    assert compiled < plain
    alone = outer_step_bytes(AdjointUnroll(), inner_steps=n, compiled=True, **sizes)
    assert compiled == alone


@given(st.integers(1, 60), st.integers(1, 70), st.fixed_dictionaries(SIZES))
def test_adjoint_lies_between_one_step_and_the_full_unroll(n, every, sizes):
    one, some, full = (
        outer_step_bytes(unroll, inner_steps=n, **sizes)
        for unroll in (AdjointUnroll(), AdjointUnroll(every), FullUnroll())
    )
    path = n * 4 * sizes["parameters"]
    assert one <= some <= full + path
    assert every < n or some == pytest.approx(full + path, abs=1)


@pytest.mark.parametrize(
    ("unroll", "batch", "inner_steps", "live"),
    [
        (FullUnroll(), 10, 10, 339.1e6),
        (FullUnroll(), 10, 50, 1629e6),
        (AdjointUnroll(), 10, 2, 54.4e6),
        (AdjointUnroll(), 10, 10, 64.9e6),
        (AdjointUnroll(), 10, 50, 116e6),
        (TeslaUnroll(), 10, 50, 116e6),
        (FullUnroll(), 100, 2, 753e6),
        (FullUnroll(), 100, 10, 3135e6),
        (AdjointUnroll(), 100, 10, 474e6),
        (AdjointUnroll(), 100, 20, 487e6),
    ],
)
def test_the_estimate_is_what_was_measured_on_the_usual_convnet(unroll, batch, inner_steps, live):
    sizes = {"parameters": 320_010, "activations": 559_114}
    assert outer_step_bytes(unroll, batch=batch, inner_steps=inner_steps, **sizes) == pytest.approx(live, rel=0.05)


@pytest.mark.parametrize(
    ("sizes", "per_activation", "live"),
    [
        ({"parameters": 320_010, "activations": 559_114, "batch": 128}, TRAINED_PER_ACTIVATION, 274e6),
        ({"parameters": 320_010, "activations": 559_114, "batch": 128, "vectors": 7}, TRAINED_PER_ACTIVATION, 280e6),
        ({"parameters": 320_010, "activations": 559_114, "batch": 128}, PENALISED_PER_ACTIVATION, 785e6),
        ({"parameters": 86_000, "activations": 280_000, "batch": 64}, TRAINED_PER_ACTIVATION, 71.4e6),
        ({"parameters": 86_000, "activations": 280_000, "batch": 64}, PENALISED_PER_ACTIVATION, 200.4e6),
    ],
)
def test_the_estimate_of_a_training_step_is_what_was_measured(sizes, per_activation, live):
    """By sgd, gsam and smooth on ConvNet-D3 of width 128 and 64, images of 32 pixels."""
    vectors = sizes.pop("vectors", 2)
    found = training_bytes(**sizes, pixels=3 * 32 * 32, vectors=vectors, per_activation=per_activation)
    assert found == pytest.approx(live, rel=0.06)


def test_the_estimate_of_a_test_is_what_was_measured():
    found = inference_bytes(parameters=320_010, activations=559_114, batch=128, pixels=3 * 32 * 32)
    assert found == pytest.approx(136.2e6, rel=0.12)
