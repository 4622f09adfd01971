"""Learning rates searched with equal budgets, pools of networks, identities of sets, and printed claims."""

from dataclasses import replace

import pytest
import torch
from helpers.evaluation_makers import NETWORK, make_tiny_row, short, tiny_real, tiny_synthetic

from ddbench.artifact import describe, tensors_sha256
from ddbench.domains.images.evaluator import ImageEvaluator
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.make_row import described_sha256, synthetic_sha256
from ddbench.evaluate.leaderboard.published import PublishedResult
from ddbench.evaluate.leaderboard.render import render
from ddbench.evaluate.leaderboard.row import load_row
from ddbench.evaluate.lr_search import RATES, search_rate
from ddbench.evaluate.protocols.builtin import PROTOCOLS
from ddbench.evaluate.protocols.network_pools import POOLS, NetworkRequest, Pool, expanded
from ddbench.evaluate.published_claims import PRINTED_NETWORKS, check_claim, published_result
from ddbench.evaluate.score import score
from ddbench.evaluate.scores import Scores
from ddbench.evaluate.verify import verify
from ddbench.networks import network_names
from ddbench.runtime.compute import Compute


@pytest.fixture
def real():
    return tiny_real()


def scores(accuracy, split="validation"):
    return Scores(
        accuracy=tuple(accuracy),
        seeds=tuple(range(len(accuracy))),
        network=NETWORK,
        protocol="mtt-v1",
        split=split,
        seconds=1.0,
        peak_bytes=1,
    )


class TestRates:
    def test_the_best_mean_wins_and_of_equals_the_lowest_rate(self):
        known = {0.001: (0.2, 0.4), 0.01: (0.5, 0.3), 0.1: (0.6, 0.2)}
        found = search_rate(lambda rate: scores(known[rate]), (0.1, 0.001, 0.01, 0.1))
        assert found.lr == 0.01 and list(found.tried) == [0.001, 0.01, 0.1]

    @pytest.mark.parametrize(
        "rates", [(), (0.1, 0.0), (-0.1,), (float("nan"), 0.1), (0.1, float("nan")), (float("inf"),)]
    )
    def test_rates_that_can_not_be_tried(self, rates):
        with pytest.raises(UserError, match="must be positive"):
            search_rate(lambda rate: scores((0.5,)), rates)

    def test_never_on_test(self):
        with pytest.raises(UserError, match="never on test"):
            search_rate(lambda rate: scores((0.5,), "test"))

    def test_a_method_and_its_baseline_try_the_same(self, real, tmp_path, monkeypatch):
        asked = []

        def counted(syn, real, *, split="test", lr=None, seeds, **rest):
            asked.append((syn.method, split, lr, tuple(seeds)))
            return score(syn, real, split=split, lr=lr, seeds=seeds, **rest)

        monkeypatch.setattr("ddbench.domains.images.evaluator.score", counted)
        monkeypatch.setattr("ddbench.evaluate.score.protocol_named", lambda name: short(epochs=2))
        evaluator = ImageEvaluator(
            real=real,
            protocol=short(epochs=2),
            compute=Compute(),
            results=tmp_path / "results",
            seeds=(0, 1),
            lr_policy="search",
        )
        for syn in (tiny_synthetic(real, lr=0.07), tiny_synthetic(real, lr=None, method="random")):
            row, file = evaluator.row(syn, NetworkRequest(NETWORK), "last")
            assert row.lr_policy == "search" and row.lr in RATES and row.lr_tried == RATES and file.exists()
            assert verify(row, syn, real).identical
        mine, theirs = ([ask[1:] for ask in asked if ask[0] == method] for method in ("mtt", "random"))
        assert len(mine) == len(theirs) == len(RATES) + 1
        assert mine[:-1] == theirs[:-1] == [("validation", rate, mine[0][2]) for rate in RATES]
        assert not set(mine[0][2]) & {0, 1} and mine[-1][0] == "test" and mine[-1][2] == (0, 1)


class TestPools:
    def test_every_member_is_a_network_there_is(self):
        for pool in POOLS.values():
            assert set(pool.members("convnet-d4-w64")) <= {*network_names(), "convnet-d4-w64"}
            assert pool.lr_policy in ("protocol", "search") and pool.source

    def test_members_as_published(self):
        assert POOLS["mtt-pool"].members("convnet-d3") == ["convnet-d3", "alexnet", "vgg11", "resnet18-ap", "resnet18"]
        assert POOLS["datm-pool"].members("resnet18")[0] == "convnet-d3"
        assert POOLS["idc-pool"].members("convnet-d3") == ["convnet-d3", "resnet10-bn", "densenet-cifar"]
        assert len(POOLS["decoupled-pool"].members("x")) == 6

    def test_names_and_pools_together_each_network_once(self):
        found = expanded(["vgg11", "datm-pool"], "convnet-d3")
        assert [(asked.network, [pool.name for pool in asked.pools]) for asked in found] == [
            ("vgg11", ["datm-pool"]),
            ("convnet-d3", ["datm-pool"]),
            ("resnet18", ["datm-pool"]),
            ("alexnet", ["datm-pool"]),
        ]
        both = {asked.network: len(asked.pools) for asked in expanded(["mtt-pool", "datm-pool"], "convnet-d3")}
        assert both == {"convnet-d3": 2, "alexnet": 2, "vgg11": 2, "resnet18-ap": 1, "resnet18": 2}

    def test_an_unknown_name_says_where(self):
        with pytest.raises(UserError, match="r.yaml, line 3"):
            expanded(["mtt-pol"], "convnet-d3", ["r.yaml, line 3"])

    def test_a_pool_decides_the_policy_unless_it_is_said(self, real, tmp_path):
        pool = Pool(name="p", networks=("mlp",), lr_policy="search", title="", source="")
        given = {
            "real": real,
            "protocol": short(),
            "compute": Compute(),
            "results": tmp_path / "results",
            "seeds": (),
        }
        assert ImageEvaluator(**given).policy(NetworkRequest("mlp", (pool,))) == "search"
        assert ImageEvaluator(**given).policy(NetworkRequest("mlp")) == "protocol"
        assert ImageEvaluator(**given, lr_policy="protocol").policy(NetworkRequest("mlp", (pool,))) == "protocol"

    @pytest.fixture
    def small(self, monkeypatch):
        pool = Pool(name="small", networks=("convnet", "vgg11"), lr_policy="protocol", title="", source="")
        monkeypatch.setattr("ddbench.evaluate.protocols.network_pools.POOLS", {"small": pool})

    def rows_of(self, **sets):
        return [
            make_tiny_row(
                network=network,
                student="convnet-d3" if label == "mtt" else None,
                accuracy=(value, value + 0.02),
                pool="other,small",
                label=label.rstrip("0123456789"),
                synthetic_sha256=label,
            )
            for label, values in sets.items()
            for network, value in zip(("convnet-d3", "vgg11"), values, strict=False)
        ]

    def test_table_of_mean_and_every_value(self, small):
        rows = self.rows_of(mtt=(0.6, 0.4), random=(0.3, 0.2), half=(0.9,))
        text = render(rows).split("small: ")[1]
        assert text.splitlines()[0] == "digits · ipc 1 · mtt-v1"
        assert [line.split() for line in text.splitlines()[1:5]] == [
            ["method", "mean", "convnet-d3", "vgg11"],
            ["mtt", "51.0", "61.0", "±", "1.0", "41.0", "±", "1.0"],
            ["random", "26.0", "31.0", "±", "1.0", "21.0", "±", "1.0"],
            ["half", "-", "91.0", "±", "1.0", "-"],
        ]
        assert "### small: digits · ipc 1 · mtt-v1" in render(rows, "markdown")

    def test_sets_of_one_method_are_never_mixed(self, small):
        """The best network of each would be a set that nobody has."""
        text = render(self.rows_of(mtt1=(0.7, 0.3), mtt2=(0.4, 0.6))).split("small: ")[1]
        assert [line.split()[:2] for line in text.splitlines()[2:4]] == [["mtt", "51.0"], ["mtt", "51.0"]]

    def test_asked_again_a_row_keeps_its_pools(self, real, tmp_path):
        given = {"real": real, "protocol": short(), "compute": Compute(), "seeds": (0,)}
        evaluator, syn = ImageEvaluator(**given, results=tmp_path / "results"), tiny_synthetic(real)
        one, two = (Pool(name=name, networks=(), lr_policy="protocol", title="", source="") for name in ("one", "two"))
        files = {evaluator.row(syn, NetworkRequest(NETWORK, pools), "last")[1] for pools in ((one,), (), (two, one))}
        assert len(files) == 1 and load_row(files.pop()).pools == ("two", "one")


class TestIdentity:
    def test_another_meaning_of_equal_tensors_is_another_set(self, real):
        syn = tiny_synthetic(real)
        soft = replace(syn, labels=torch.rand(6, 3), label_kind="logits")
        sets = [syn, replace(syn, formation=2), soft, replace(soft, label_kind="probabilities")]
        assert len({synthetic_sha256(found) for found in sets}) == 4
        assert synthetic_sha256(syn) == tensors_sha256(syn.tensors())

    def test_the_file_says_the_same(self, real, tmp_path):
        for number, syn in enumerate([tiny_synthetic(real), tiny_synthetic(real, formation=2)]):
            path = tmp_path / f"{number}.safetensors"
            syn.save(path)
            assert described_sha256(describe(path)) == synthetic_sha256(syn)

    def test_a_set_that_came_as_it_is_has_rows_of_its_own(self):
        same = {"selection": "given", "recipe": {"dataset": "digits"}}
        first, second = make_tiny_row(**same, synthetic_sha256="a"), make_tiny_row(**same, synthetic_sha256="b")
        assert first.question != second.question

    def test_other_teachers_and_rates_are_other_conditions(self):
        rows = [
            make_tiny_row(accuracy=(0.5, 0.5)),
            make_tiny_row(accuracy=(0.6, 0.6), lr_policy="search", lr_tried=(0.1, 0.2)),
            make_tiny_row(accuracy=(0.7, 0.7), lr_policy="search", lr_tried=(0.1,)),
            make_tiny_row(accuracy=(0.8, 0.8), teachers={"mlp": 4}, teachers_fingerprint="aa"),
            make_tiny_row(accuracy=(0.9, 0.9), teachers={"mlp": 4}, teachers_fingerprint="bb"),
        ]
        assert len({row.conditions for row in rows}) == 5 and "*" not in render(rows)
        assert "rate searched on validation among 0.1, 0.2" in render(rows) and "labeled by mlp (aa)" in render(rows)


class TestClaims:
    def claim(self, accuracy=0.5, std=0.01):
        return PublishedResult(
            method="mtt", dataset="cifar10", ipc=1, network="convnet-d3", accuracy=accuracy, std=std, source="a paper"
        )

    def test_interval_is_welchs(self):
        """Against scipy's t test, from the same means and (sample) standard deviations."""
        from scipy import stats

        measured = (0.47, 0.49, 0.465, 0.48)
        found = check_claim(self.claim(), scores(measured, "test"))
        theirs = 0.01 * (PRINTED_NETWORKS / (PRINTED_NETWORKS - 1)) ** 0.5
        mean = sum(measured) / 4
        own = (sum((value - mean) ** 2 for value in measured) / 3) ** 0.5
        for end in (found.low, found.high):
            test = stats.ttest_ind_from_stats(mean - end, own, 4, 0.5, theirs, PRINTED_NETWORKS, equal_var=False)
            assert test.pvalue == pytest.approx(0.05)
        assert not found.holds and "does NOT hold" in found.text()

    @pytest.mark.parametrize(("mean", "holds"), [(0.5, True), (0.49, True), (0.7, True), (0.3, False)])
    def test_verdicts(self, mean, holds):
        found = check_claim(self.claim(), scores((mean - 0.01, mean + 0.01, mean), "test"))
        assert found.holds is holds and found.as_dict()["holds"] is holds
        assert found.difference == pytest.approx(mean - 0.5)

    def test_a_wide_interval_tells_nothing(self):
        found = check_claim(self.claim(), scores((0.3, 0.5), "test"))
        assert found.high - found.low > 0.2 and not found.decided and not found.holds
        assert found.as_dict()["decided"] is False
        assert "can not be told: 2 networks are too few" in found.text()
        assert check_claim(self.claim(), scores((0.49, 0.5, 0.51), "test")).decided

    def test_one_network_can_not_tell(self):
        with pytest.raises(UserError, match="two fresh networks"):
            check_claim(self.claim(), scores((0.5,), "test"))

    def test_what_is_printed_is_found(self, real):
        syn = tiny_synthetic(real, ipc=10, dataset="cifar10-jpeg")
        found = published_result(syn, "convnet-d3")
        assert found.method == "mtt" and 0.6 < found.accuracy < 0.7 and found.source
        with pytest.raises(UserError, match="nothing is printed of mtt on cifar10, ipc 10, mlp") as caught:
            published_result(syn, "mlp")
        assert "ipc 10, convnet-d3" in str(caught.value)


def test_the_challenge_asks_its_own_network(real):
    assert PROTOCOLS["eccv24-v1"].network == "convnet-d3"
    protocol = replace(short("eccv24-v1"), network="mlp")
    assert score(tiny_synthetic(real), real, protocol=protocol, seeds=(0,)).network == "mlp"
