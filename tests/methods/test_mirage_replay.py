"""The figures of the released code on its own data, and those of exact mining."""

import pytest
from helpers.distillation_makers import at
from helpers.tree_makers import published

from ddbench.graphs.method import GraphTask
from ddbench.methods.mirage import Mirage
from ddbench.methods.mirage.eclat import frequent_sets
from ddbench.methods.mirage.mining import mining_of


def distilled(name, thetas, ipc, miner):
    method = Mirage.model_validate({"threshold": {"kind": "absolute", "theta": thetas}, "miner": miner})
    return method.distill(GraphTask(real=published(name), method="mirage"), ipc, at())


@pytest.mark.parametrize(
    ("name", "thetas", "miner", "mined", "counts", "charged"),
    [
        ("NCI1", (440, 570), "exact", [9, 11], [2, 4], 274),
        ("NCI1", (440, 570), "compat", [8, 11], [2, 5], 318),
        ("NCI1", (200, 200), "exact", [40, 193], [3, 156], 15_560),
        ("NCI1", (100, 100), "exact", [246, 1515], [33, 1302], 189_180),
        ("IMDB-BINARY", (13, 14), "exact", [2, 8], [2, 8], 11_598),
        ("IMDB-BINARY", (13, 14), "compat", [2, 8], [2, 8], 11_598),
        ("IMDB-BINARY", (4, 5), "exact", [68, 91], [45, 68], 92_648),
        ("IMDB-BINARY", (4, 5), "compat", [68, 91], [45, 68], 92_648),
    ],
)
def test_patterns_items_and_bytes(name, thetas, miner, mined, counts, charged):
    syn = distilled(name, thetas, max(counts), miner)
    told = syn.provenance["mining"]
    assert (told["mined"], told["kept"]) == (mined, counts)
    assert syn.charged_bytes == charged and syn.provenance["charged"] == {"trees": charged}
    assert len(syn) == sum(counts) and syn.labels.bincount().tolist() == counts


@pytest.fixture(scope="module")
def nci1():
    real = published("NCI1")
    return mining_of(real.train, real.class_names, hops=2, miner="exact", most=2_000_000)


@pytest.mark.parametrize(
    ("theta", "exact", "compat"),
    [
        (300, [20, 59], [17, 47]),
        (200, [40, 193], [33, 161]),
        (100, [246, 1515], [209, 1281]),
        (50, [1029, 53111], None),
    ],
)
def test_counts_of_patterns(nci1, theta, exact, compat):
    rows = [held.frequent(theta) for held in nci1.classes]
    assert [len(frequent_sets(of_class, theta, 2_000_000)) for of_class in rows] == exact
    if compat:
        assert [len(frequent_sets(of_class, theta, 2_000_000, compat=True)) for of_class in rows] == compat


@pytest.mark.parametrize("theta", [100, 300])
def test_mlxtend_finds_the_same_on_real_graphs(nci1, theta):
    pandas, patterns = pytest.importorskip("pandas"), pytest.importorskip("mlxtend.frequent_patterns")
    for label, held in enumerate(nci1.classes):
        rows = held.frequent(theta)
        columns = {str(tree): [bool(bits >> graph & 1) for graph in range(held.size)] for tree, bits in rows.items()}
        answer = patterns.fpgrowth(pandas.DataFrame(columns), min_support=(theta - 0.5) / held.size, use_colnames=True)
        pairs = zip(answer["itemsets"], answer["support"], strict=True)
        found = {tuple(sorted(map(int, trees))): round(share * held.size) for trees, share in pairs}
        assert nci1.of_class(label, theta) == found


def test_pyfpgrowth_finds_what_compat_finds_on_real_graphs(nci1):
    pyfpgrowth = pytest.importorskip("pyfpgrowth")
    for held in nci1.classes:
        rows = held.frequent(200)
        lists = [[tree for tree in sorted(rows) if rows[tree] >> graph & 1] for graph in range(held.size)]
        assert frequent_sets(rows, 200, 2_000_000, compat=True) == pyfpgrowth.find_frequent_patterns(lists, 200)


@pytest.mark.parametrize("name", ["NCI1", "MUTAG", "IMDB-BINARY", "IMDB-MULTI"])
@pytest.mark.parametrize("shared", ["drop", "soft"])
def test_the_most_frequent_sets_of_real_classes(name, shared):
    real = published(name)
    for ipc in (1, 10):
        syn = Mirage(shared=shared).distill(GraphTask(real=real), ipc, at())
        counts = syn.provenance["mining"]["kept"]
        assert max(counts) <= ipc and (shared == "soft" or counts == [ipc] * real.classes)
        assert syn.frequency.min() >= 1 and len(syn) == sum(counts)


@pytest.mark.parametrize("budget", [318, 5000])
def test_a_budget_of_bytes_on_real_classes(budget):
    method = Mirage.model_validate({"threshold": {"kind": "bytes", "budget": budget}})
    syn = method.distill(GraphTask(real=published("NCI1")), 100, at())
    assert 0.8 * budget < syn.charged_bytes <= budget and min(syn.provenance["mining"]["kept"]) >= 1
