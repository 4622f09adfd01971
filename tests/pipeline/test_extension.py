"""An expert that is too short is trained on from where it ended, to the bits of one that was trained at once."""

import pytest
import torch
from helpers.command_line import times
from helpers.expert_data import EVERY_KIND, NETWORK, Watching, content, corrupt, tiny_recipe, train

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.expert_buffers import ExpertBuffer, buffer_bytes
from ddbench.expert_buffers.buffer import expert_path


@EVERY_KIND
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("network", "dtype"), [(NETWORK, "float32"), (NETWORK + "-bn", "bfloat16")])
def test_a_longer_training_goes_on_from_the_shorter_one(tmp_path, kind, momentum, network, dtype):
    recipe = tiny_recipe(optimizer=kind, momentum=momentum, lr_drop_epoch=3, dtype=dtype)
    train(tmp_path / "whole", recipe, epochs=4, network=network)
    for epochs, first in ((2, 0), (3, 2), (4, 3)):
        watching = Watching()
        train(tmp_path / "grown", recipe, epochs=epochs, network=network, progress=watching)
        assert watching.total == 2 * epochs
        assert watching.steps == [*range(first, epochs + 1), *range(epochs + first, 2 * epochs + 1)]
    assert content(tmp_path / "grown") == content(tmp_path / "whole")
    assert train(tmp_path / "grown", recipe, epochs=3, network=network).epochs == 4
    assert content(tmp_path / "grown") == content(tmp_path / "whole"), "a longer expert serves as it is"


@pytest.mark.parametrize("stopped", [2, 3, 4])
def test_an_extension_that_is_interrupted_goes_on_as_well(tmp_path, stopped):
    recipe = tiny_recipe(momentum=0.9, dtype="bfloat16")
    train(tmp_path / "whole", recipe, epochs=5)
    train(tmp_path / "grown", recipe, epochs=2)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "grown", recipe, epochs=5, progress=Watching(stopped))
    assert ExpertBuffer.open(tmp_path / "grown").epochs == 2, "what is there stays until there is more"
    watching = Watching()
    train(tmp_path / "grown", recipe, epochs=5, progress=watching)
    assert watching.steps[0] == stopped
    assert content(tmp_path / "grown") == content(tmp_path / "whole")


def rewritten(folder, change) -> None:
    """Every expert file of a folder written anew, its tensors and facts changed in place."""
    for path in folder.glob("expert-*"):
        tensors, facts = artifact.load(path, "expert")
        change(tensors, facts)
        artifact.save(path, "expert", tensors, facts)


def test_an_expert_that_holds_nothing_to_go_on_from_is_trained_again_whole(tmp_path):
    def as_older_versions_wrote(tensors, facts):
        del facts["extendable"], tensors["end.optimizer.velocity"]

    recipe = tiny_recipe(momentum=0.9)
    train(tmp_path / "whole", recipe, epochs=4)
    older = train(tmp_path / "old", recipe, epochs=2)
    rewritten(tmp_path / "old", as_older_versions_wrote)
    assert torch.equal(ExpertBuffer.open(tmp_path / "old")[1, 2], older[1, 2])
    watching = Watching()
    train(tmp_path / "old", recipe, epochs=4, progress=watching)
    assert watching.steps == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8]
    assert content(tmp_path / "old") == content(tmp_path / "whole")


def test_a_short_expert_with_a_changed_bit_is_trained_again_whole(tmp_path):
    train(tmp_path / "whole", tiny_recipe(), epochs=4)
    short = train(tmp_path / "cut", tiny_recipe(), epochs=2)
    corrupt(expert_path(tmp_path / "cut", 0), short[0, 1].view(torch.uint8).numpy().tobytes())
    watching = Watching()
    train(tmp_path / "cut", tiny_recipe(), epochs=4, progress=watching)
    assert watching.steps == [0, 1, 2, 3, 4, 6, 7, 8]
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_a_short_expert_of_a_newer_version_is_not_replaced(tmp_path, monkeypatch):
    train(tmp_path, tiny_recipe(), epochs=2)
    with monkeypatch.context() as later:
        later.setattr(artifact, "SCHEMA", artifact.SCHEMA + 1)
        rewritten(tmp_path, lambda tensors, facts: None)
    before = times(tmp_path)
    with pytest.raises(UserError, match="newer ddbench"):
        train(tmp_path, tiny_recipe(), epochs=4)
    assert times(tmp_path) == before


class Clock:
    """The time that training sees: every epoch that is told takes ten seconds."""

    def __init__(self, monkeypatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("ddbench.training.checkpoint.time.monotonic", lambda: self.now)

    def watching(self, stop_at: int | None = None) -> Watching:
        watching = Watching(stop_at)
        told = watching.update

        def update(done, **facts):
            self.now += 10 if facts else 0
            told(done, **facts)

        watching.update = update
        return watching


def test_seconds_are_of_all_sittings(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    recipe = tiny_recipe(count=1)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, recipe, epochs=3, progress=clock.watching(2), checkpoint_seconds=0)
    clock.now += 5000
    assert train(tmp_path, recipe, epochs=3, progress=clock.watching()).seconds == 10 + 10
    assert train(tmp_path, recipe, epochs=7, progress=clock.watching()).seconds == 20 + 40
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, recipe, epochs=9, progress=clock.watching(8), checkpoint_seconds=3600)
    clock.now += 5000
    assert train(tmp_path, recipe, epochs=9, progress=clock.watching()).seconds == 60 + 0 + 10
    rewritten(tmp_path, lambda tensors, facts: facts.pop("extendable"))
    assert train(tmp_path, recipe, epochs=10, progress=clock.watching()).seconds == 100, "all of it anew"


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_plan_figures_count_what_training_goes_on_from(tmp_path, momentum, dtype):
    buffer = train(tmp_path, tiny_recipe(momentum=momentum, dtype=dtype), epochs=2, network="convnet-d1-w64")
    on_disk = sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    told = buffer_bytes(buffer.size, 2, 2, dtype, momentum)
    assert told < on_disk < told + 2 * 2_000 < told + 2 * 4 * buffer.size
