"""Published weights as teachers: found by name, checked against the data, fetched, and never run as code.

Nothing is downloaded here: the files are made by the tests, where a download would have put them.
"""

import hashlib
import os
from dataclasses import replace
from urllib.error import URLError

import pytest
import timm
import torch
from helpers.evaluation_makers import tiny_real
from torchvision import models

from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import Split
from ddbench.errors import UserError
from ddbench.evaluate.train_teachers import train_teachers
from ddbench.networks import canonical_network_name
from ddbench.training.pretrained import Weights, canonical_teacher, is_pretrained, published, require_teacher_fits
from ddbench.training.pretrained_files import fetched_state, url_path
from ddbench.training.teachers import combined, load_teachers

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NAME = "torchvision:shufflenet_v2_x0_5@IMAGENET1K_V1"
TIMM = "timm:test_resnet@r160_in1k"


def images_of(size, classes=1000, *, mean=IMAGENET[0], std=IMAGENET[1], channels=3):
    """A few images of many classes, without any structure."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (4,), generator=generator)
    images = torch.randint(0, 256, (4, channels, size, size), generator=generator).to(torch.uint8)
    split = Split(images, labels)
    return replace(
        tiny_real(),
        name="many",
        class_names=tuple(map(str, range(classes))),
        train=split,
        validation=split,
        test=split,
        preprocessing=Preprocessing.meanstd(mean[:channels], std[:channels]),
        fingerprint="many",
    )


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of torch's, from which nothing leads to the network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda *given, **more: pytest.fail("a download"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def library(monkeypatch):
    """A model of torchvision with weights of our making, whose file's name has the right digits of its checksum."""
    torch.manual_seed(0)
    network = models.shufflenet_v2_x0_5(num_classes=1000).eval()

    def write_selected(path, content=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict() if content is None else content, path)
        named = path.with_name(f"tiny-{hashlib.sha256(path.read_bytes()).hexdigest()[:10]}.pth")
        path.rename(named)
        weights = models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1.value
        monkeypatch.setattr(weights, "url", f"https://weights.example/models/{named.name}")
        return named

    return network, write_selected


class TestNames:
    def test_what_the_libraries_say(self):
        found = published("torchvision:resnet18@DEFAULT")
        assert found.name == "torchvision:resnet18@IMAGENET1K_V1" == canonical_teacher("torchvision:resnet18@DEFAULT")
        assert (found.classes, found.channels, found.size) == (1000, 3, 224) and (found.mean, found.std) == IMAGENET
        assert found.address == "https://download.pytorch.org/models/resnet18-f37072fd.pth"
        other = published(TIMM)
        assert (other.name, other.network, other.size, other.mean) == (TIMM, "timm:test_resnet", 160, (0.5,) * 3)
        assert other.address == "hf-hub:timm/test_resnet.r160_in1k"
        assert published("torchvision:efficientnet_b1@IMAGENET1K_V1").size == 240

    @pytest.mark.parametrize("network", ["resnet18", "mobilenet_v2", "efficientnet_b0"])
    def test_the_teachers_of_infer_on_imagenet(self, network):
        require_teacher_fits(f"torchvision:{network}@IMAGENET1K_V1", images_of(224))

    @pytest.mark.parametrize(
        ("name", "message", "fix"),
        [
            ("torchvision:resnet18@IMAGENET1K_V2", "no pretrained network", "'torchvision:resnet18@IMAGENET1K_V1'?"),
            ("torchvision:resnet81@IMAGENET1K_V1", "no network 'torchvision:resnet81'", "'torchvision:resnet18'?"),
            ("timm:resnet18@a1_in1", "no pretrained network", "did you mean 'timm:resnet18@a1_in1k'?"),
            ("resnet18-bn@IMAGENET1K_V1", "names weights", "resnet18-bn to train it"),
            ("torchvison:resnet18@V1", "names weights", "torchvision:NETWORK@WEIGHTS"),
        ],
    )
    def test_wrong_ones(self, name, message, fix):
        with pytest.raises(UserError, match=message) as caught:
            canonical_teacher(name, "r.yaml, line 9")
        assert fix in caught.value.fix and "from  r.yaml, line 9" in caught.value.facts

    def test_a_network_without_weights_is_to_be_trained(self):
        without = next(name for name in timm.list_models("vit_*") if not timm.list_pretrained(f"{name}.*"))
        with pytest.raises(UserError, match="no pretrained network") as caught:
            published(f"timm:{without}@in1k")
        assert caught.value.fix == f"did you mean 'timm:{without}'?"

    def test_a_student_has_no_weights(self):
        assert is_pretrained(NAME) and not is_pretrained("torchvision:shufflenet_v2_x0_5")
        with pytest.raises(UserError, match="only teachers are pretrained") as caught:
            canonical_network_name(NAME, "r.yaml, line 1")
        assert caught.value.fix.startswith("write torchvision:shufflenet_v2_x0_5,")


class TestFit:
    @pytest.mark.parametrize(
        ("real", "says", "fix"),
        [
            (images_of(224, classes=10), ("of 1000 classes", "many has 10 classes"), "train a network"),
            (images_of(224, channels=1), ("of 3 channels", "many has 1 channels"), "choose weights"),
            (images_of(64), ("of 224 pixels a side", "many has 64 pixels a side"), "set size: 224 in the recipe"),
            (
                images_of(224, mean=(0.5,) * 3, std=(0.5,) * 3),
                (
                    "weights meanstd, mean 0.485, 0.456, 0.406, std 0.229, 0.224, 0.225",
                    "images  meanstd, mean 0.5, 0.5",
                ),
                "choose weights that were trained with the mean and deviation of many",
            ),
            (
                replace(images_of(224), preprocessing=Preprocessing.identity()),
                ("another preprocessing", "images  identity"),
                "set preprocessing: meanstd in the recipe (--preprocessing meanstd)",
            ),
        ],
    )
    def test_other_images_are_refused_with_both_values(self, real, says, fix, tmp_path, hub):
        with pytest.raises(UserError) as caught:
            train_teachers(real, [NAME], tmp_path / "teachers")
        assert all(text in str(caught.value) for text in says) and fix in caught.value.fix
        assert not (tmp_path / "teachers").exists()

    def test_whitened_images_and_untouched_ones(self):
        eye = torch.eye(12)
        white = Preprocessing.whitening(torch.zeros(12), eye, eye, "x")
        plain = Weights(
            network="timm:x", tag="y", channels=3, size=2, classes=5, mean=(0.0,) * 3, std=(1.0,) * 3, address=""
        )
        real = images_of(2, classes=5)
        plain.check_compatible(replace(real, preprocessing=Preprocessing.identity()))
        for other in (real, replace(real, preprocessing=white)):
            with pytest.raises(UserError, match="another preprocessing") as caught:
                plain.check_compatible(other)
            assert caught.value.fix.startswith("set preprocessing: identity")


class TestTeachers:
    def test_they_are_kept_as_others_are(self, tmp_path, hub, library):
        network, write_selected = library
        write_selected(hub / "new.pth")
        real, before = images_of(224), torch.get_rng_state()
        found = train_teachers(real, [NAME], tmp_path / "teachers")
        assert torch.equal(torch.get_rng_state(), before)
        inputs = real.inputs(real.test)
        with torch.no_grad():
            wanted = network(inputs)
        torch.testing.assert_close(found.logits(inputs), wanted)
        torch.testing.assert_close(found.member(0)(inputs), wanted)
        hits = (wanted.argmax(1) == real.test.labels).float().mean().item()
        assert found.accuracy == (hits,) and found.networks == ("torchvision:shufflenet_v2_x0_5",)
        assert found.names == found.weights == (NAME,) and list(found.bytes) == [NAME]
        assert found.provenance["address"].startswith("https://weights.example/") and not found.learned_from("many")
        (path,) = (tmp_path / "teachers").iterdir()
        assert path.name.startswith("many-torchvision-shufflenet_v2_x0_5@IMAGENET1K_V1-")
        next(hub.iterdir()).unlink()
        again = train_teachers(real, [NAME.replace("IMAGENET1K_V1", "DEFAULT")], tmp_path / "teachers")
        assert again.fingerprint == found.fingerprint == load_teachers(path).fingerprint
        with pytest.raises(UserError, match="named twice"):
            train_teachers(real, [NAME, NAME], tmp_path / "teachers")

    def test_beside_a_trained_one_each_keeps_its_name(self, tmp_path):
        trained = train_teachers(tiny_real(), ["convnet-d1-w4"], tmp_path, epochs=1)
        state = {name: tensor + 1 for name, tensor in trained.states[0].items()}
        fetched = replace(
            trained,
            states=(state,),
            provenance={**trained.provenance, "weights": ["timm:x@y"], "real_fingerprint": "z"},
        )
        both = combined([trained, fetched])
        assert both.names == ("convnet-d1-w4", "timm:x@y") and both.weights == ("", "timm:x@y")
        assert not both.learned_from(tiny_real().fingerprint) and "weights" not in trained.provenance
        both.save(tmp_path / "both.safetensors")
        assert load_teachers(tmp_path / "both.safetensors").weights == both.weights

    def test_of_timm(self, tmp_path, monkeypatch):
        torch.manual_seed(1)
        network, asked = timm.create_model("test_resnet").eval(), []

        def load(name, **more):
            asked.append((name, more))
            return network.state_dict()

        monkeypatch.setattr("timm.models.load_state_dict_from_hf", load)
        real = images_of(160, mean=(0.5,) * 3, std=(0.5,) * 3)
        found = train_teachers(real, [TIMM], tmp_path)
        assert asked == [("timm/test_resnet.r160_in1k", {"weights_only": True})] and found.names == (TIMM,)
        inputs = real.inputs(real.test)
        with torch.no_grad():
            torch.testing.assert_close(found.logits(inputs), network(inputs))


class Trap:
    """What unpickling would run."""

    def __reduce__(self):
        return os.mkdir, ("trapped",)


class TestFiles:
    def test_without_a_connection_it_says_where_the_file_goes(self, hub, monkeypatch):
        def fail(*given, **more):
            raise URLError("no route to host")

        monkeypatch.setattr("torch.hub.download_url_to_file", fail)
        weights = published(NAME)
        with pytest.raises(UserError, match="could not be downloaded") as caught:
            fetched_state(weights)
        assert f"from  {weights.address}" in caught.value.facts and "no route to host" in str(caught.value)
        assert str(hub / url_path(weights).name) in caught.value.fix and url_path(weights).parent == hub

    def test_without_a_connection_to_the_hub(self, monkeypatch):
        def fail(*given, **more):
            raise OSError("we couldn't connect")

        monkeypatch.setattr("timm.models.load_state_dict_from_hf", fail)
        with pytest.raises(UserError, match="could not be downloaded\n(.*\n)*.*couldn't connect") as caught:
            fetched_state(published(TIMM))
        assert "hf download timm/test_resnet.r160_in1k" in caught.value.fix

    def test_it_is_downloaded_once_and_checked(self, hub, library, monkeypatch, tmp_path):
        _, write_selected = library
        made = write_selected(tmp_path / "made.pth")
        asked = []

        def download(url, path, digits, progress):
            asked.append((url, digits, progress))
            os.link(made, path)

        monkeypatch.setattr("torch.hub.download_url_to_file", download)
        weights = published(NAME)
        first = fetched_state(weights, quiet=True)
        assert asked == [(weights.address, made.stem.removeprefix("tiny-"), False)]
        again = fetched_state(weights)
        assert len(asked) == 1 and first.keys() == again.keys()
        assert all(torch.equal(first[name], again[name]) for name in first)

    def test_another_file_under_its_name(self, hub, library):
        _, write_selected = library
        path = write_selected(hub / "new.pth")
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(UserError, match="is not the file of the weights") as caught:
            fetched_state(published(NAME))
        assert "delete it" in caught.value.fix

    def test_code_is_not_run(self, hub, library, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        _, write_selected = library
        write_selected(hub / "new.pth", {"conv1.0.weight": Trap()})
        with pytest.raises(UserError, match="does not hold plain weights"):
            fetched_state(published(NAME))
        assert not (tmp_path / "trapped").exists()

    def test_of_another_network(self, hub, library):
        _, write_selected = library
        write_selected(hub / "new.pth", {"conv1.0.weight": torch.zeros(3)})
        with pytest.raises(UserError, match="do not fit the network as ddbench builds it"):
            fetched_state(published(NAME))


class TestCommand:
    def test_wrong_weights_are_refused(self, ddbench, tmp_path, hub):
        def refused(name):
            return ddbench.refused("teach", "digits", "--network", name, "--home", tmp_path, "-q")

        assert "of 1000 classes" in refused("torchvision:resnet18@IMAGENET1K_V1")
        assert "did you mean 'torchvision:resnet18@IMAGENET1K_V1'" in refused("torchvision:resnet18@IMAGENET1K_V3")
        said = ddbench.refused("teach", "digits", "--protocol", "squeeze-v7", "--home", tmp_path, "-q")
        assert "did you mean 'squeeze-v1'" in said and "--protocol" in said

    def test_accuracy_checksum_and_file(self, ddbench, tmp_path):
        said = ddbench.done(
            *("teach", "digits", "--network", "mlp", "--protocol", "squeeze-v1", "--epochs", "2", "--home", tmp_path),
            *("-q", "--device", "cpu"),
        )
        (path,) = (tmp_path / "teachers").glob("digits-mlp-*.safetensors")
        found = load_teachers(path)
        lines = said.splitlines()
        assert lines[0] == f"mlp: {100 * found.accuracy[0]:.1f} % on the test split"
        assert lines[1] == f"checksum:  {found.fingerprint}" and found.provenance["taught_by"] == "squeeze-v1"
        assert lines[2] == f"teachers:  {tmp_path / 'teachers' / f'digits-{found.fingerprint}.safetensors'}"
