"""Learning rates searched with equal budgets, pools of networks, teachers, and printed claims."""

from dataclasses import replace

import pytest
import torch
from evaluation_makers import NETWORK, make_tiny_row, short, tiny_real, tiny_synthetic

from ddbench.commands.judging import Judging
from ddbench.commands.place import Place
from ddbench.errors import UserError
from ddbench.evaluate.claims import PRINTED_NETWORKS, check_claim, claim_about
from ddbench.evaluate.marks import Scores
from ddbench.evaluate.pools import POOLS, Asked, Pool, expanded
from ddbench.evaluate.protocols import PROTOCOLS
from ddbench.evaluate.published import Published
from ddbench.evaluate.rates import RATES, search_rate
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import score_real
from ddbench.evaluate.table import render
from ddbench.evaluate.teaching import train_teachers
from ddbench.evaluate.verify import verify
from ddbench.networks import network_names
from ddbench.teachers import Teachers, combined, load_teachers


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

    @pytest.mark.parametrize("rates", [(), (0.1, 0.0), (-0.1,)])
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

        monkeypatch.setattr("ddbench.commands.judging.score", counted)
        monkeypatch.setattr("ddbench.evaluate.score.protocol_named", lambda name: short(epochs=2))
        judging = Judging(
            real=real,
            protocol=short(epochs=2),
            device=torch.device("cpu"),
            place=Place(tmp_path, quiet=True),
            seeds=(0, 1),
            lr_policy="search",
        )
        for syn in (tiny_synthetic(real, lr=0.07), tiny_synthetic(real, lr=None, method="random")):
            row, file = judging.row(syn, Asked(NETWORK), "last")
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
        assert [(asked.network, asked.pool and asked.pool.name) for asked in found] == [
            ("vgg11", None),
            ("convnet-d3", "datm-pool"),
            ("resnet18", "datm-pool"),
            ("alexnet", "datm-pool"),
        ]

    def test_an_unknown_name_says_where(self):
        with pytest.raises(UserError, match="r.yaml, line 3"):
            expanded(["mtt-pol"], "convnet-d3", ["r.yaml, line 3"])

    def test_a_pool_decides_the_policy_unless_it_is_said(self, real, tmp_path):
        pool = Pool(name="p", networks=("mlp",), lr_policy="search", title="", source="")
        given = {
            "real": real,
            "protocol": short(),
            "device": torch.device("cpu"),
            "place": Place(tmp_path),
            "seeds": (),
        }
        assert Judging(**given).policy(Asked("mlp", pool)) == "search"
        assert Judging(**given).policy(Asked("mlp")) == "protocol"
        assert Judging(**given, lr_policy="protocol").policy(Asked("mlp", pool)) == "protocol"

    def test_table_of_mean_and_every_value(self):
        rows = [
            make_tiny_row(network=network, accuracy=(value, value + 0.02), pool="mtt-pool", method=method, label=method)
            for method, values in {"mtt": (0.6, 0.4), "random": (0.3, 0.2)}.items()
            for network, value in zip(("convnet-d3", "vgg11"), values, strict=True)
        ] + [make_tiny_row(network="convnet-d3", pool="mtt-pool", method="half", label="half", accuracy=(0.9, 0.9))]
        text = render(rows).split("mtt-pool: ")[1]
        assert text.splitlines()[0] == "digits · ipc 1 · mtt-v1"
        assert [line.split() for line in text.splitlines()[1:5]] == [
            ["method", "mean", "convnet-d3", "vgg11"],
            ["mtt", "51.0", "61.0", "±", "1.0", "41.0", "±", "1.0"],
            ["random", "26.0", "31.0", "±", "1.0", "21.0", "±", "1.0"],
            ["half", "-", "90.0", "±", "0.0", "-"],
        ]
        assert "### mtt-pool: digits · ipc 1 · mtt-v1" in render(rows, "markdown")


class TestTeachers:
    @pytest.fixture
    def teachers(self, real, tmp_path):
        return train_teachers(real, [NETWORK, f"{NETWORK}-bn", NETWORK], tmp_path / "teachers", epochs=20)

    def test_they_learn_and_are_kept(self, real, teachers, tmp_path, monkeypatch):
        assert teachers.networks == (NETWORK, f"{NETWORK}-bn", NETWORK) and list(teachers.bytes) == [
            NETWORK,
            f"{NETWORK}-bn",
            f"{NETWORK}#2",
        ]
        assert not torch.equal(*(state["classifier.weight"] for state in (teachers.states[0], teachers.states[2])))
        assert min(teachers.accuracy) > 0.4
        monkeypatch.setattr("ddbench.evaluate.teaching._taught", lambda *given: pytest.fail("trained again"))
        again = train_teachers(real, teachers.networks, tmp_path / "teachers", epochs=20)
        assert again.fingerprint == teachers.fingerprint

    def test_logits_are_the_mean_of_networks_in_eval_mode(self, real, teachers):
        images = real.inputs(real.test)
        members = zip(teachers.networks, teachers.states, strict=True)
        singles = [replace(teachers, networks=(name,), states=(state,), accuracy=(0.0,)) for name, state in members]
        wanted = sum(single.logits(images) for single in singles) / 3
        torch.testing.assert_close(teachers.logits(images), wanted)
        torch.testing.assert_close(teachers.logits(images[:1]), wanted[:1], rtol=1e-4, atol=1e-5)

    def test_round_trip_and_damage(self, teachers, tmp_path):
        path = tmp_path / "t.safetensors"
        teachers.save(path)
        found = load_teachers(path)
        assert found.fingerprint == teachers.fingerprint and found.accuracy == teachers.accuracy
        broken = replace(teachers, states=({}, *teachers.states[1:]))
        broken.save(path)
        with pytest.raises(UserError, match="does not hold whole teachers"):
            load_teachers(path)

    def test_other_images_are_refused(self, real, teachers):
        with pytest.raises(UserError, match="trained on other images"):
            score(tiny_synthetic(real), real, protocol=short("rded-v1"), teachers=replace(teachers, classes=4))
        with pytest.raises(UserError, match="trained on other images"):
            combined([teachers, replace(teachers, size=9)])

    def test_labels_at_every_step_and_once(self, real, teachers, tmp_path):
        syn, asked = tiny_synthetic(real), {"seeds": (0,), "teachers": teachers}
        dynamic = score(syn, real, protocol=short("infer-dynamic-v1", augmentation="crop-flip"), **asked)
        assert not dynamic.notes
        static = short("infer-static-v1", epochs=20, augmentation="crop-flip")
        once = score(syn, real, protocol=static, **asked)
        assert "teachers' logits" in once.notes[0]
        labelled = replace(syn, labels=teachers.logits(syn.images), label_kind="logits")
        assert score(labelled, real, protocol=static, seeds=(0,)).accuracy == once.accuracy
        with pytest.raises(UserError, match="this set has hard ones"):
            score(syn, real, protocol=static)

    def test_a_row_lists_those_that_labelled_apart(self, real, teachers, tmp_path):
        syn = tiny_synthetic(real)
        given = {"real": real, "device": torch.device("cpu"), "place": Place(tmp_path, quiet=True), "seeds": (0,)}
        for name, used in (("infer-dynamic-v1", True), ("mtt-v1", False)):
            judging = Judging(**given, protocol=short(name, augmentation="none"), teachers=teachers)
            row, _ = judging.row(syn, Asked(NETWORK), "last")
            assert row.teachers == (teachers.bytes if used else {})
            assert row.total_bytes == sum(syn.bytes.values())
            assert row.teachers_fingerprint == (teachers.fingerprint if used else None)

    def test_teachers_travel_to_workers(self, teachers, real):
        import pickle

        assert teachers.logits(real.inputs(real.test)).shape == (15, 3)
        found: Teachers = pickle.loads(pickle.dumps(teachers))
        assert found.fingerprint == teachers.fingerprint


class TestRealImages:
    def test_chosen_rows_are_a_synthetic_set_of_them(self, real):
        syn, protocol = tiny_synthetic(real, lr=None), short("dsa-v1", epochs=10)
        rows = torch.cat([real.train.rows_of_class(label)[:2] for label in range(3)])
        found = score_real(real, protocol=protocol, network=NETWORK, rows=rows, seeds=(0, 1))
        assert found.accuracy == score(syn, real, protocol=protocol, seeds=(0, 1)).accuracy and found.lr == 0.01

    def test_steps_stop_a_training_early(self, real):
        protocol, asked = short("dsa-v1", epochs=10), {"network": NETWORK, "seeds": (0, 1)}
        whole = score_real(real, protocol=protocol, steps=11, **asked)
        assert whole.accuracy == score_real(real, protocol=protocol, **asked).accuracy
        first = replace(protocol, setting=replace(protocol.setting, epochs=1), schedule="constant", inclusive=False)
        one = score_real(real, protocol=replace(protocol, schedule="constant"), steps=1, **asked)
        assert one.accuracy == score_real(real, protocol=first, **asked).accuracy

    def test_what_can_not_be_trained_on(self, real):
        with pytest.raises(UserError, match="soft labels"):
            score_real(real, protocol="infer-static-v1", network=NETWORK)
        with pytest.raises(UserError, match="no real image"):
            score_real(real, protocol="dc-v1", network=NETWORK, rows=torch.zeros(0, dtype=torch.int64))


class TestClaims:
    def claim(self, accuracy=0.5, std=0.01):
        return Published(
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

    def test_one_network_can_not_tell(self):
        with pytest.raises(UserError, match="two fresh networks"):
            check_claim(self.claim(), scores((0.5,), "test"))

    def test_what_is_printed_is_found(self, real):
        syn = tiny_synthetic(real, ipc=10, dataset="cifar10-jpeg")
        found = claim_about(syn, "convnet-d3")
        assert found.method == "mtt" and 0.6 < found.accuracy < 0.7 and found.source
        with pytest.raises(UserError, match="nothing is printed of mtt on cifar10, ipc 10, mlp") as caught:
            claim_about(syn, "mlp")
        assert "ipc 10, convnet-d3" in str(caught.value)


def test_the_challenge_asks_its_own_network(real):
    assert PROTOCOLS["eccv24-v1"].network == "convnet-d3"
    protocol = replace(short("eccv24-v1"), network="mlp")
    assert score(tiny_synthetic(real), real, protocol=protocol, seeds=(0,)).network == "mlp"
