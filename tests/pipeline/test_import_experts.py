"""Experts of other projects in the place of a recipe's own: whether they know its images, and who is told about it."""

import hashlib
import json
from dataclasses import asdict, replace

import pytest
import torch
from helpers.command_line import only
from helpers.expert_data import drawn_buffer

from ddbench.artifact import fingerprint, read_json
from ddbench.data import load_dataset
from ddbench.errors import UserError
from ddbench.expert_buffers.metadata import BufferDescription
from ddbench.expert_buffers.replay_files import says_unwhitened
from ddbench.networks import build_network
from ddbench.pipeline.expert_accuracy import require_knowing, training_sample

NETWORK = "mlp"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return load_dataset("digits", preprocessing="identity", validation=0.1, home=tmp_path_factory.mktemp("digits"))


def expert_of(real, steps=120):
    """An honest expert, trained here by hand on inputs as the real set makes them; (P,)."""
    network = build_network(NETWORK, channels=1, size=8, classes=10, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    inputs, labels = real.inputs(real.train), real.train.labels
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return torch.cat([p.detach().reshape(-1) for p in network.parameters()])


def seen_as(real, kind, home):
    return real if kind == "identity" else load_dataset("digits", preprocessing=kind, validation=0.1, home=home)


@pytest.mark.parametrize("trained", ["identity", "meanstd", "zca"])
@pytest.mark.parametrize("recipe", ["identity", "meanstd", "zca"])
def test_experts_pass_under_their_own_preprocessing_alone(real, tmp_path, trained, recipe):
    expert = expert_of(seen_as(real, trained, tmp_path))
    asked = seen_as(real, recipe, tmp_path)
    if trained == recipe:
        assert require_knowing({"an expert": expert}, asked, NETWORK) > 0.9
        return
    try:
        reached = require_knowing({"an expert": expert}, asked, NETWORK)
    except UserError as error:
        assert f"{trained} fits, {recipe} does not" in error.problem and f"preprocessing={trained}" in error.fix
    else:
        own = require_knowing({"an expert": expert}, seen_as(real, trained, tmp_path), NETWORK)
        assert 1 - own > 0.5 * (1 - reached), "only where the other preprocessing does about as well"


def test_an_expert_of_whitened_images_is_refused_by_a_plain_recipe(real, tmp_path):
    expert = expert_of(seen_as(real, "zca", tmp_path))
    with pytest.raises(UserError, match="zca fits, identity does not"):
        require_knowing({"an expert": expert}, real, NETWORK)


@pytest.mark.parametrize("seed", range(5))
def test_experts_that_know_nothing_are_refused(real, seed):
    drawn = torch.randn(len(expert_of(real, steps=0)), generator=torch.Generator().manual_seed(seed))
    with pytest.raises(UserError, match="accuracy is that of chance") as caught:
        require_knowing({"x, expert 3": drawn * 0.1}, real, NETWORK)
    assert "x, expert 3" in str(caught.value) and "--unscored" in caught.value.fix


def test_chance_is_that_of_the_commonest_class(real):
    """Whoever always names the commonest class knows nothing, however common it is."""
    labels = torch.where(torch.arange(len(real.train)) % 10 < 8, 0, real.train.labels)
    lopsided = replace(real, train=replace(real.train, labels=labels))
    sample = training_sample(lopsided)
    assert sample.chance > 0.75 and sample.sure > sample.chance
    constant = torch.zeros(len(expert_of(real, steps=0)))
    constant[-10] = 1.0  # the bias of class 0
    with pytest.raises(UserError, match="chance"):
        require_knowing({"constant": constant}, lopsided, NETWORK)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("buffers/CIFAR10_NO_ZCA/ConvNet/replay_buffer_0.pt", True),
        ("buffers/cifar10-nozca/replay_buffer_0.pt", True),
        ("CIFAR100_NO_ZCA_more/replay_buffer_0.pt", True),
        ("buffers/CIFAR10/ConvNet/replay_buffer_0.pt", False),
        ("piano_zca/replay_buffer_0.pt", False),
        ("casino-zcash/replay_buffer_0.pt", False),
    ],
)
def test_paths_that_say_that_nothing_was_whitened(tmp_path, path, says):
    assert says_unwhitened(tmp_path / path) is says


class TestCommand:
    """Through ``ddbench import --recipe``."""

    @pytest.fixture
    def legacy(self, ddbench, finished_home, tmp_path):
        ddbench.done("export", only(finished_home, "buffers/*"), tmp_path / "legacy", "--per-file", 1)
        return tmp_path / "legacy"

    def test_a_row_and_a_set_say_where_their_experts_came_from(self, ddbench, recipe, legacy, tmp_path):
        home = tmp_path / "new"
        said = ddbench.done("import", legacy, "--recipe", recipe, "--home", home)
        digest = hashlib.sha256((legacy / "replay_buffer_0.pt").read_bytes()).hexdigest()
        assert "may have seen the validation images" in said and "% of the training images" in said
        kept = read_json(only(home, "buffers/*/buffer.json"), "description")["imported"]
        assert kept["files"]["replay_buffer_0.pt"] == digest and len(kept["files"]) == 2
        assert kept["accuracy"] > 0.2, "three epochs make a poor expert, and no worse"
        ddbench.done("run", recipe, "--home", home, "-q")
        rows = [read_json(path, "row") for path in home.glob("results/digits/ipc1/*.json")]
        notes = {row["label"]: row["note"] for row in rows}
        assert "imported experts" in notes["mtt"] and digest[:16] in notes["mtt"]
        assert "imported" not in notes["random"]
        info = json.loads(ddbench.done("info", only(home, "runs/*-mtt-*/synthetic.safetensors")))
        assert any("validation images" in note for note in info["provenance"]["notes"])

    def test_experts_that_know_nothing(self, ddbench, recipe, legacy, tmp_path):
        path = legacy / "replay_buffer_1.pt"
        experts = torch.load(path, weights_only=True)
        torch.manual_seed(0)
        torch.save([[[torch.randn_like(p) for p in snapshot] for snapshot in e] for e in experts], path)
        asked = ("import", legacy, "--recipe", recipe, "--home", tmp_path / "new")
        said = ddbench.refused(*asked)
        assert "that of chance" in said and "replay_buffer_1.pt, expert 0" in said
        assert not list((tmp_path / "new").glob("buffers/*")), "nothing is written"
        assert "not scored" in ddbench.done(*asked, "--unscored")

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
    def test_weights_that_are_no_numbers(self, ddbench, recipe, legacy, tmp_path, bad):
        path = legacy / "replay_buffer_1.pt"
        experts = torch.load(path, weights_only=True)
        experts[0][2][1].view(-1)[0] = bad
        torch.save(experts, path)
        said = ddbench.refused("import", legacy, "--recipe", recipe, "--home", tmp_path / "new")
        assert "nan or infinite" in said and "snapshot 2, parameter" in said and "replay_buffer_1.pt, expert 0" in said
        names = [
            name
            for name, _ in build_network("convnet-d1-w4", channels=1, size=8, classes=10, seed=0).named_parameters()
        ]
        assert names[1] in said
        assert not list((tmp_path / "new").glob("buffers/*"))

    def test_no_zca_in_the_path(self, ddbench, recipe, legacy, tmp_path):
        renamed = legacy.rename(tmp_path / "DIGITS_NO_ZCA")
        asked = ("import", renamed, "--recipe", recipe, "--home", tmp_path / "new")
        said = ddbench.refused(*asked, "-o", "preprocessing=zca")
        assert "without ZCA" in said and "preprocessing=meanstd" in said
        assert not list((tmp_path / "new").rglob("*zca*")), "no whitening was fitted"
        ddbench.done(*asked)

    def test_files_are_looked_at_before_a_whitening_is_fitted(self, ddbench, recipe, legacy, tmp_path, monkeypatch):
        loaded = []
        monkeypatch.setattr(
            "ddbench.domains.images.domain.load_dataset", lambda *a, **k: loaded.append(k["preprocessing"])
        )
        (legacy / "replay_buffer_0.pt").write_bytes(b"\x80\x02]q\x00.")
        asked = ("--recipe", recipe, "--home", tmp_path / "new", "-o", "preprocessing=zca")
        assert "can not be read" in ddbench.refused("import", legacy, *asked)
        assert loaded == []

    def test_snapshots_that_share_their_numbers(self, ddbench, recipe, legacy, tmp_path):
        """A small file that would unpack to gigabytes."""
        path = legacy / "replay_buffer_1.pt"
        ((first, second, *_),) = torch.load(path, weights_only=True)
        torch.save([[first, *[second] * 1000]], path)
        said = ddbench.refused("import", legacy, "--recipe", recipe, "--home", tmp_path / "new")
        assert "claims to hold more than it does" in said


def test_what_is_kept_of_an_import_changes_no_fingerprint(tmp_path):
    described, _ = drawn_buffer(tmp_path)
    document = {
        key: value for key, value in asdict(described).items() if key not in ("versions", "imported", "trained_on")
    }
    assert described.fingerprint == fingerprint(document), "as of buffers that were made before"
    assert "imported" not in described.document() and not described.notes
    theirs = replace(described, seed=None, recipe={})
    kept = replace(theirs, imported={"files": {"replay_buffer_0.pt": "ab" * 32}, "scored": True, "accuracy": 0.9})
    assert kept.fingerprint == theirs.fingerprint
    assert BufferDescription.from_document(json.loads(json.dumps(kept.document()))) == kept
    assert "abababababababab" in kept.notes[0] and theirs.notes
    kept.require_same(theirs, "there")
