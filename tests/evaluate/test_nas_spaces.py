"""Spaces of networks: what is in them, that all of it can be built, and that a cell is the cell it says."""

from statistics import median

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from ddbench.errors import UserError
from ddbench.evaluate.nas import SPACES, space
from ddbench.evaluate.nas.space import draw, part_of
from ddbench.networks import build_network, canonical_network_name, parameter_count
from ddbench.networks.cell import Cell
from ddbench.networks.cell_names import EDGES, OPERATIONS, PREFIXES, CellSpec, parse_cell

specs = st.builds(
    CellSpec, st.tuples(*[st.sampled_from(OPERATIONS)] * len(EDGES)), st.sampled_from(sorted(PREFIXES.values()))
)


@pytest.mark.parametrize(
    ("name", "count"), [("convnet-720", 720), ("convnet-36", 36), ("nas-bench-201", 15625), ("nas-bench-201-n1", 15625)]
)
def test_a_space_has_as_many_different_networks_as_its_axes_say(name, count):
    of = space(name)
    assert len(of) == len(of.networks) == len(set(of.networks)) == count
    assert all(network in of for network in of.networks[::97]) and "mlp" not in of


def test_every_network_of_the_grid_is_canonical_and_of_the_size_that_is_known():
    sizes = [parameter_count(name, channels=3, size=32, classes=10) for name in space("convnet-720").networks]
    assert all(canonical_network_name(name) == name for name in space("convnet-720").networks)
    assert 24_000 < min(sizes) < 25_000 and 6_400_000 < max(sizes) < 6_600_000
    assert 360_000 < median(sizes) < 400_000


def test_the_small_grid_is_part_of_the_large_one_and_fits_digits():
    small = space("convnet-36").networks
    assert set(small) < set(space("convnet-720").networks)
    images = torch.randn(2, 1, 8, 8)
    for name in small:
        assert build_network(name, channels=1, size=8, classes=10, seed=0)(images).shape == (2, 10)


def test_an_unknown_space_is_told_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'convnet-720'"):
        space("convnet720")


@given(st.integers(1, 36), st.integers(1, 36), st.integers(0, 99))
def test_a_larger_draw_holds_a_smaller_one_in_the_order_of_the_space(few, many, seed):
    networks = space("convnet-36").networks
    small, large = (draw(networks, count, seed) for count in sorted((few, many)))
    assert len(small) == min(few, many) and set(small) <= set(large)
    assert [name for name in networks if name in set(large)] == list(large)


def test_draws_differ_by_seed_and_stay_within_the_space():
    networks = space("convnet-36").networks
    assert draw(networks, 5, 0) != draw(networks, 5, 1) and draw(networks, None, 3) == networks
    with pytest.raises(UserError, match="37 networks were asked for, and there are 36"):
        draw(networks, 37, 0)


@given(st.integers(1, 12))
def test_parts_make_the_whole(count):
    networks = space("convnet-36").networks
    parts = [part_of(networks, (number, count)) for number in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(networks)


def test_more_parts_than_networks_are_refused():
    with pytest.raises(UserError, match="fewer parts"):
        part_of(("a", "b"), (3, 3))


@given(specs)
def test_a_cells_name_says_all_of_it(spec):
    assert parse_cell(spec.name) == spec
    assert canonical_network_name(spec.name.upper()) == spec.name
    assert parse_cell(spec.arch).operations == spec.operations


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nb201:|nor_conv_3x3~0|", "is no cell of NAS-Bench-201"),
        ("nb201:|none~1|+|none~0|none~1|+|none~0|none~1|none~2|", "is no cell of NAS-Bench-201"),
        ("nb201:|conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|", "did you mean 'nor_conv_3x3'"),
    ],
)
def test_a_name_of_another_form_is_no_cell(name, message):
    with pytest.raises(UserError, match=message):
        canonical_network_name(name)


@pytest.mark.parametrize(("operation", "parameters"), [("none", 73_306), ("nor_conv_3x3", 1_531_546)])
def test_networks_have_as_many_parameters_as_the_benchmark_prints(operation, parameters):
    name = CellSpec((operation,) * 6).name
    assert parameter_count(name, channels=3, size=32, classes=10) == parameters


def drawn_cell(seed):
    generator = torch.Generator().manual_seed(seed)
    picks = torch.randint(len(OPERATIONS), (len(EDGES),), generator=generator).tolist()
    return CellSpec(tuple(OPERATIONS[pick] for pick in picks), 1), torch.randn(3, 4, 6, 6, generator=generator)


def by_hand(cell, spec, maps):
    """The cell written out, with weights taken from it, batch statistics in its norms."""
    x = {0: maps}
    for node in (1, 2, 3):
        total = torch.zeros_like(maps)
        for (source, end), operation in zip(EDGES, spec.operations, strict=True):
            if end != node or operation == "none":
                continue
            if operation == "skip_connect":
                total = total + x[source]
            elif operation == "avg_pool_3x3":
                padded, ones = (F.pad(t, (1, 1, 1, 1)) for t in (x[source], torch.ones_like(maps)))
                windows = [t.unfold(2, 3, 1).unfold(3, 3, 1).sum((-1, -2)) for t in (padded, ones)]
                total = total + windows[0] / windows[1]
            else:
                conv, norm = cell.edges[f"{source}-{end}"][1:]
                y = F.conv2d(x[source].relu(), conv.weight, padding=conv.weight.shape[-1] // 2)
                mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), keepdim=True, unbiased=False)
                scale, shift = (t.view(1, -1, 1, 1) for t in (norm.weight, norm.bias))
                total = total + (y - mean) / (var + 1e-5).sqrt() * scale + shift
        x[node] = total
    return x[3]


@pytest.mark.parametrize("seed", range(12))
def test_a_cell_equals_its_sum_written_by_hand(seed):
    spec, maps = drawn_cell(seed)
    cell = Cell(spec, 4).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(cell(maps.double()), by_hand(cell, spec, maps.double()), rtol=1e-10, atol=1e-12)


def mixture(cell, chosen, maps):
    """What a cell becomes whose one-hot choice goes through a softmax: the chosen gets 0.40, each other one 0.15."""
    weights = F.one_hot(torch.tensor(chosen), len(OPERATIONS)).double().softmax(0)
    nodes = [maps]
    for node in (1, 2, 3):
        entering = [
            weights[number] * of[f"{source}-{node}"](nodes[source])
            for source in range(node)
            for number, of in enumerate(cell)
        ]
        nodes.append(torch.stack(entering).sum(0))
    return nodes[-1]


def test_a_discrete_cell_is_no_mixture_and_cells_differ_more_than_mixtures_do():
    class Zero(torch.nn.Module):
        def forward(self, maps):
            return torch.zeros_like(maps)

    torch.manual_seed(0)
    maps = torch.randn(4, 4, 6, 6).double()
    shared = {name: Cell(CellSpec((name,) * 6, 1), 4).double().edges for name in OPERATIONS if name != "none"}
    bank = [{f"{s}-{e}": Zero() for s, e in EDGES} if name == "none" else shared[name] for name in OPERATIONS]

    def discrete(name):
        cell = Cell(CellSpec((name,) * 6, 1), 4).double()
        cell.edges = shared[name]
        return cell(maps)

    def relative(a, b):
        return ((a - b).norm() / b.norm()).item()

    apart = relative(discrete("nor_conv_3x3"), discrete("skip_connect"))
    mixed = relative(mixture(bank, 3, maps), mixture(bank, 1, maps))
    assert apart > 1 and mixed < 0.9 * apart
    assert relative(mixture(bank, 3, maps), discrete("nor_conv_3x3")) > 0.5


def test_an_empty_cell_passes_nothing_on():
    spec = CellSpec(("nor_conv_3x3",) * 3 + ("none",) * 3, 1)
    assert not Cell(spec, 4)(torch.randn(2, 4, 6, 6)).any()


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 28), (3, 32)])
def test_cell_networks_train_on_images_of_the_usual_sizes(channels, size):
    network = build_network(space("nas-bench-201-n1").networks[9876], channels=channels, size=size, classes=7, seed=1)
    logits = network(torch.randn(2, channels, size, size))
    logits.sum().backward()
    assert logits.shape == (2, 7) and network.classifier.weight.grad.any()


def test_a_cell_network_refuses_images_that_can_not_be_halved_twice():
    with pytest.raises(UserError, match="multiple of 4"):
        build_network(space("nas-bench-201").networks[0], channels=1, size=30, classes=10, seed=0)


def test_spaces_read_what_tables_write():
    arch = CellSpec(OPERATIONS + ("none",)).arch
    assert space("nas-bench-201").read(arch, "") == f"nb201:{arch}"
    assert space("nas-bench-201-n1").read(f"nb201:{arch}", "") == f"nb201-n1:{arch}"
    assert space("nas-bench-201").read("convnet-d3", "") == "convnet-d3" not in space("nas-bench-201")
    assert space("convnet-36").read("convnet-avgpool-d3-w128", "") == "convnet-d3"
    assert set(SPACES) == {"convnet-720", "convnet-36", "nas-bench-201", "nas-bench-201-n1"}
