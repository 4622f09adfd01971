"""The curriculum of PAD's experts: sizes by epoch, scores of difficulty, and training that resumes."""

import pytest
import torch
from helpers.expert_data import NETWORK, SEED, Watching, content, tiny_real, tiny_recipe, train
from hypothesis import given
from hypothesis import strategies as st

from ddbench.errors import UserError
from ddbench.expert_buffers import ExpertBuffer
from ddbench.expert_buffers.curriculum import difficulty, epoch_rows, shares
from ddbench.expert_buffers.expert_job import ExpertJob
from ddbench.networks import build_network, flatten_parameters
from ddbench.randomness import derive, stream
from ddbench.recipe.experts import Curriculum, ExpertRecipe

SHORT = {"networks": 2, "epochs": 2, "start_fraction": 0.5, "full_at": 2, "drop_easiest": [[2, 0.2]]}


@pytest.mark.parametrize("n", [500, 5000])
@pytest.mark.parametrize(
    ("epoch", "share"), [(0, 0.75), (10, 0.875), (20, 1.0), (40, 1.0), (41, 0.9), (60, 0.9), (61, 0.8), (99, 0.8)]
)
def test_classes_have_the_published_sizes(n, epoch, share):
    labels = torch.arange(2 * n) % 2
    rows = epoch_rows(torch.arange(2 * n), labels, Curriculum(), epoch)
    assert [int((labels[rows] == label).sum()) for label in (0, 1)] == [int(share * n)] * 2
    assert len(rows.unique()) == len(rows)


@given(st.permutations(range(12)), st.integers(0, 9))
def test_the_easiest_come_first_and_are_dropped_last(order, epoch):
    curriculum, labels = Curriculum(**SHORT), torch.arange(12) % 3
    chosen = set(epoch_rows(torch.tensor(order), labels, curriculum, epoch).tolist())
    first, last = shares(curriculum, epoch)
    for label in range(3):
        mine = [row for row in order if row % 3 == label]
        assert chosen & set(mine) == set(mine[int(first * 4) : int(last * 4)])


def test_epochs_that_do_not_ascend_are_refused():
    for wrong in ([[40, 0.1], [30, 0.2]], [[10, 0.1]]):
        with pytest.raises(ValueError, match="must ascend"):
            Curriculum(drop_easiest=wrong)


def test_without_a_curriculum_experts_keep_their_identity():
    assert "curriculum" not in ExpertRecipe().model_dump(mode="json")
    assert ExpertRecipe(curriculum={}).model_dump(mode="json")["curriculum"]["networks"] == 10


@pytest.mark.parametrize("network", [NETWORK, "convnet-d1-w4-bn"])
def test_grand_is_the_norm_of_the_last_layers_gradient(tmp_path, network):
    real = tiny_real()
    buffer = train(tmp_path, tiny_recipe(), epochs=2, real=real, network=network)
    scores = {
        kind: difficulty(buffer, real, Curriculum(**{**SHORT, "score": kind}), torch.device("cpu"))
        for kind in ("grand", "el2n")
    }
    norms, distances = torch.zeros(30, dtype=torch.float64), torch.zeros(30, dtype=torch.float64)
    for expert in range(2):
        module = build_network(network, channels=1, size=8, classes=3, seed=0).eval()
        torch.nn.utils.vector_to_parameters(buffer[expert, 2], module.parameters())
        statistics = buffer.statistics(expert, 2)
        if statistics is not None:
            torch.nn.utils.vector_to_parameters(statistics, module.buffers())
        last = list(module.parameters())[-2:]
        for row in range(30):
            inputs, label = real.inputs(real.train, torch.tensor([row])), real.train.labels[[row]]
            logits = module(inputs)
            gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, label), last)
            norms[row] += torch.cat([g.flatten() for g in gradients]).norm() / 2
            distances[row] += (logits.softmax(1) - torch.nn.functional.one_hot(label, 3)).norm().detach() / 2
    torch.testing.assert_close(scores["grand"], norms, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(scores["el2n"], distances, rtol=1e-5, atol=1e-6)


def test_experts_see_the_images_of_their_epoch_in_their_own_order(tmp_path):
    real, recipe = tiny_real(), tiny_recipe(augmentation="none", curriculum=SHORT)
    buffer = train(tmp_path, recipe, epochs=4, real=real)
    scored = ExpertBuffer.open(tmp_path / "difficulty")
    assert (len(scored), scored.epochs) == (2, 2) and scored.description.recipe["optimizer"] == {"kind": "sgd"}
    order = difficulty(scored, real, recipe.curriculum, torch.device("cpu")).argsort(stable=True)
    network = build_network(NETWORK, channels=1, size=8, classes=3, seed=derive(SEED, "expert", 1, "init"))
    for epoch in range(4):
        rows = epoch_rows(order, real.train.labels, recipe.curriculum, epoch)
        drawn = torch.randperm(len(rows), generator=stream(SEED, "expert", 1, "epoch", epoch, "order"))
        for piece in drawn.split(8):
            x, y = real.inputs(real.train, rows[piece]), real.train.labels[rows[piece]]
            network.zero_grad()
            torch.nn.functional.cross_entropy(network(x), y).backward()
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter -= recipe.lr * parameter.grad
        torch.testing.assert_close(buffer[1, epoch + 1], flatten_parameters(network), rtol=1e-5, atol=1e-6)


def test_stacked_experts_see_the_same(tmp_path):
    recipe = tiny_recipe(curriculum=SHORT)
    alone, together = (train(tmp_path / str(k), recipe, epochs=3, together=k) for k in (1, 2))
    for expert in range(2):
        torch.testing.assert_close(alone[expert, 3], together[expert, 3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_an_interrupted_training_ends_with_the_same_bits_and_scores_are_made_once(tmp_path, stop, monkeypatch):
    recipe = tiny_recipe(curriculum=SHORT)
    whole = train(tmp_path / "whole", recipe, epochs=3)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", recipe, epochs=3, progress=Watching(stop))
    cut = train(tmp_path / "cut", recipe, epochs=3)
    assert all(torch.equal(cut[expert, epoch], whole[expert, epoch]) for expert in range(2) for epoch in range(4))
    assert content(tmp_path / "cut" / "difficulty") == content(tmp_path / "whole" / "difficulty")
    monkeypatch.setattr(ExpertJob, "__call__", lambda *given: pytest.fail("trained again"))
    train(tmp_path / "cut", recipe, epochs=3)


def test_other_curricula_are_other_experts(tmp_path):
    train(tmp_path, tiny_recipe(curriculum=SHORT), epochs=1)
    with pytest.raises(UserError, match="experts.curriculum"):
        train(tmp_path, tiny_recipe(), epochs=1)
