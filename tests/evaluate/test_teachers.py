"""Teachers: trained, kept, averaged, refused; and real images trained on as synthetic sets are."""

from dataclasses import replace

import pytest
import torch
from helpers.computing import computing
from helpers.evaluation_makers import NETWORK, short, tiny_real, tiny_synthetic

from ddbench.domains.images.evaluator import ImageEvaluator
from ddbench.errors import UserError
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.evaluate.score import score
from ddbench.evaluate.score_real import score_real
from ddbench.evaluate.train_teachers import checked_teachers, train_teachers
from ddbench.runtime.compute import Compute
from ddbench.training.teachers import Teachers, combined, load_teachers


@pytest.fixture
def real():
    return tiny_real()


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
        monkeypatch.setattr("ddbench.evaluate.train_teachers._trained", lambda *given: pytest.fail("trained again"))
        again = train_teachers(real, teachers.networks, tmp_path / "teachers", epochs=20)
        assert again.fingerprint == teachers.fingerprint

    def test_logits_are_the_mean_of_networks_in_eval_mode(self, real, teachers):
        images = real.inputs(real.test)
        members = zip(teachers.networks, teachers.states, strict=True)
        singles = [replace(teachers, networks=(name,), states=(state,), accuracy=(0.0,)) for name, state in members]
        wanted = sum(single.logits(images) for single in singles) / 3
        torch.testing.assert_close(teachers.logits(images), wanted)
        torch.testing.assert_close(teachers.logits(images[:1]), wanted[:1], rtol=1e-4, atol=1e-5)

    def test_files_of_real_v1_are_called_as_ever(self, real, tmp_path):
        train_teachers(real, [NETWORK, f"{NETWORK}-bn"], tmp_path, epochs=5)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "tiny-convnet-d1-w4-463e59936ff01a85.safetensors",
            "tiny-convnet-d1-w4-bn-494b792ee4a4022f.safetensors",
        ]

    def test_a_protocol_makes_its_own_teachers(self, real, tmp_path):
        found = {
            name: train_teachers(real, [NETWORK], tmp_path, epochs=2, protocol=name)
            for name in ("real-v1", "squeeze-v1")
        }
        assert {name: teachers.provenance["taught_by"] for name, teachers in found.items()} == {
            "real-v1": "real-v1",
            "squeeze-v1": "squeeze-v1",
        }
        assert found["real-v1"].fingerprint != found["squeeze-v1"].fingerprint and len(list(tmp_path.iterdir())) == 2
        with pytest.raises(UserError, match="no protocol for teachers 'dc-v1'"):
            train_teachers(real, [NETWORK], tmp_path, protocol="dc-v1")

    def test_a_member_is_frozen_and_says_what_the_teacher_does(self, real, teachers):
        images = real.inputs(real.test)[:2].requires_grad_()
        alone = [teachers.member(number) for number in range(3)]
        assert not any(m.training or p.requires_grad for m in alone for p in m.parameters())
        said = torch.stack([member(images) for member in alone]).mean(0)
        torch.testing.assert_close(said, teachers.logits(images))
        (slope,) = torch.autograd.grad(said.sum(), images)
        assert slope.abs().max() > 0
        assert teachers.weights == ("", "", "") and teachers.names == teachers.networks

    def test_wrong_names_and_images_are_refused_before_anything_is_trained(self, real, tmp_path):
        for names, message in (
            ([NETWORK, "resnet81"], "no network 'resnet81'\n(.*\n)*.*did you mean 'resnet18'"),
            ([NETWORK, "lenet"], "'lenet' does not take 8-pixel images"),
            ([NETWORK, "convnet-d1@V1"], "names weights, and only networks of other libraries"),
        ):
            with pytest.raises(UserError, match=message):
                train_teachers(real, names, tmp_path, epochs=1)
        assert not list(tmp_path.iterdir())
        with pytest.raises(UserError, match="no network 'resnet81'\n.*from  r.yaml, line 1"):
            checked_teachers(["resnet18-bn", "resnet81"], real, lambda number: f"r.yaml, line {number}")
        with pytest.raises(UserError, match="'lenet' does not take 8-pixel images\n.*from  r.yaml, line 0"):
            checked_teachers(["lenet"], real, lambda number: f"r.yaml, line {number}")

    def test_a_teacher_that_diverges_is_not_kept(self, real, tmp_path, monkeypatch):
        monkeypatch.setattr("ddbench.evaluate.train_teachers.is_finite", lambda network: False)
        with pytest.raises(UserError, match="diverged(.*\n)*.*squeeze-v1, which begins with a rate of 0.1"):
            train_teachers(
                real, [NETWORK], tmp_path, epochs=1, protocol="squeeze-v1", compute=computing(checkpoint_seconds=0)
            )
        assert not list(tmp_path.iterdir())

    def test_round_trip_and_damage(self, teachers, tmp_path):
        path = tmp_path / "t.safetensors"
        teachers.save(path)
        found = load_teachers(path)
        assert found.fingerprint == teachers.fingerprint and found.accuracy == teachers.accuracy
        broken = replace(teachers, states=({}, *teachers.states[1:]))
        broken.save(path)
        with pytest.raises(UserError, match="does not hold whole teachers"):
            load_teachers(path)

    def test_a_data_set_that_is_not_mirrored_has_teachers_of_its_own(self, real, tmp_path):
        for mirror in (True, False):
            train_teachers(replace(real, mirror=mirror), [NETWORK], tmp_path / "own", epochs=1)
        assert len(list((tmp_path / "own").iterdir())) == 2

    def test_another_split_of_the_data_is_noted(self, real, teachers):
        other, note = replace(real, fingerprint="other"), "teachers were trained on another split of the data"
        for protocol in (short("rded-v1", epochs=1), short("infer-static-v1", epochs=1)):
            asked = {"protocol": protocol, "seeds": (0,), "teachers": teachers}
            assert note in score(tiny_synthetic(real), other, **asked).notes
            assert note not in score(tiny_synthetic(real), real, **asked).notes
        from_other = replace(teachers, provenance={**teachers.provenance, "real_fingerprint": "other"})
        assert combined([teachers, teachers]).learned_from(real.fingerprint)
        assert not combined([teachers, from_other]).learned_from(real.fingerprint)

    def test_other_images_are_refused(self, real, teachers):
        for name in ("other", f"{real.name}[0,1]"):
            with pytest.raises(UserError, match=r"other images\n.*tiny, 1x8x8"):
                score(tiny_synthetic(real), replace(real, name=name), protocol=short("rded-v1"), teachers=teachers)
        with pytest.raises(UserError, match="trained on other images"):
            combined([teachers, replace(teachers, dataset="other")])
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
        labeled = replace(syn, labels=teachers.logits(syn.images), label_kind="logits")
        assert score(labeled, real, protocol=static, seeds=(0,)).accuracy == once.accuracy
        with pytest.raises(UserError, match="this set has hard ones"):
            score(syn, real, protocol=static)

    def test_a_row_lists_those_that_labeled_apart(self, real, teachers, tmp_path):
        syn = tiny_synthetic(real)
        given = {
            "real": real,
            "compute": Compute(),
            "results": tmp_path / "results",
            "seeds": (0,),
        }
        for name, used in (("infer-dynamic-v1", True), ("mtt-v1", False)):
            evaluator = ImageEvaluator(**given, protocol=short(name, augmentation="none"), teachers=teachers)
            row, _ = evaluator.row(syn, NetworkRequest(NETWORK), "last")
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
