"""What DD-Ranking sets against each other: random images drawn by the seed of a run alone, sets with their classes."""

from dataclasses import replace

import pytest
import torch
from helpers.evaluation_makers import tiny_real, tiny_synthetic

from ddbench.evaluate.ddranking.baselines import random_rows, random_set, with_classes


@pytest.fixture(scope="module")
def real():
    return tiny_real()


def test_random_images_follow_from_the_seed_alone(real):
    like = tiny_synthetic(real, ipc=2)
    rows = {seed: random_rows(real, 2, seed) for seed in range(6)}
    assert all(torch.equal(rows[seed], random_rows(real, 2, seed)) for seed in rows)
    assert len({tuple(found.tolist()) for found in rows.values()}) == 6
    for found in rows.values():
        assert real.train.labels[found].tolist() == [0, 0, 1, 1, 2, 2] and len(set(found.tolist())) == 6
    drawn = random_set(real, like, 3)
    assert torch.equal(drawn.images, real.inputs(real.train, rows[3])) and drawn.label_kind == "hard"
    assert random_set(real, replace(like, method="ftd", images=-like.images), 3).labels.equal(drawn.labels)


def test_classes_of_soft_labels_are_those_of_their_place(real):
    syn = tiny_synthetic(real, ipc=2)
    logits = 5.0 * torch.nn.functional.one_hot(syn.labels, 3)
    logits[0] = torch.tensor([0.0, 9.0, 0.0])
    hard, notes = with_classes(replace(syn, labels=logits, label_kind="logits"))
    assert hard.labels.tolist() == [0, 0, 1, 1, 2, 2] and hard.label_kind == "hard"
    assert notes == ["hard labels: the class by place; 1 of 6 soft labels have another on top"]
    shuffled = logits[torch.tensor([2, 4, 0, 5, 1, 3])]
    hard, notes = with_classes(replace(syn, labels=shuffled, label_kind="logits"))
    assert hard.labels.tolist() == [1, 2, 1, 2, 0, 1] and "most likely" in notes[0]
    assert with_classes(syn) == (syn, [])
