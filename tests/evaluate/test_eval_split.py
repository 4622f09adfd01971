"""Rows are about what they were tested on, whatever its name."""

from dataclasses import replace

import pytest
import torch
from helpers.evaluation_makers import make_tiny_row, tiny_real, tiny_split

from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.page import page
from ddbench.evaluate.leaderboard.page.page_rows import page_rows
from ddbench.evaluate.leaderboard.page.published_points import published_points
from ddbench.evaluate.leaderboard.ranking import leaderboard
from ddbench.evaluate.leaderboard.render import render
from ddbench.evaluate.leaderboard.row import load_row
from ddbench.evaluate.leaderboard.test_split import EvalSplit, image_test_split
from ddbench.evaluate.leaderboard.test_split import test_split_names as names_of

A = EvalSplit(sha256="a" * 64, count=24, classes=3, size=16, channels=3)
B = EvalSplit(sha256="b" * 64, count=24, classes=3, size=16, channels=3)


def row_on(split, label="mtt", real="4ea1", **changes):
    return make_tiny_row(dataset="folder-data", tested_on=split, label=label, real_fingerprint=real, **changes)


class TestIdentity:
    def test_follows_from_pixels_and_labels_alone(self):
        real = tiny_real()
        assert image_test_split(real) == image_test_split(tiny_real(name="other", mean=0.1, validation=6))
        assert image_test_split(real).count == 15 and image_test_split(real).size == 8
        pixels = real.test.images.clone()
        pixels[3, 0, 2, 2] += 1
        labels = real.test.labels.roll(1)
        for images, classes in ((pixels, real.test.labels), (real.test.images, labels)):
            changed = replace(real, test=replace(real.test, images=images, labels=classes))
            assert image_test_split(changed) != image_test_split(real)

    def test_training_images_do_not_matter(self):
        real = tiny_real()
        assert image_test_split(replace(real, train=tiny_split(30, 99))) == image_test_split(real)

    @pytest.mark.parametrize("change", [{"sha256": "x" * 64}, {"sha256": "ab"}, {"count": 0}, {"classes": 2**63}])
    def test_what_can_not_be(self, change):
        with pytest.raises(ValueError, match="sha256 is|are from 1"):
            replace(A, **change)


class TestGroups:
    def test_one_name_for_two_splits_is_two_groups_each_named(self):
        rows = [row_on(A), row_on(A, "random", accuracy=(0.1, 0.1)), row_on(B, "mtt", "9b")]
        assert leaderboard(rows)["best"].tolist() == [True, False, False]
        text = render(rows)
        for split in (A, B):
            assert f"folder-data · {split.text()} · mtt-v1" in text
        assert sorted({line.rivals for line in page_rows(rows, {})}) == [1, 2]
        assert A.text() in page(rows)

    def test_one_split_needs_no_name(self):
        assert "aaaaaaaa" not in render([row_on(A), row_on(A, "random")]) and names_of([row_on(A)]) == [""]

    def test_a_row_of_the_old_schema_belongs_to_the_split_of_its_real_data(self):
        old = row_on(None, "old", "9b")
        assert names_of([row_on(A), row_on(B, "mtt", "9b"), old]) == [A.text(), B.text(), B.text()]
        lost = row_on(None, "older", "77")
        assert names_of([row_on(A), row_on(B, "mtt", "9b"), lost])[2] == "test split not recorded"
        assert names_of([row_on(A), lost]) == ["", ""]


class TestRows:
    def test_survives_the_file(self, tmp_path):
        row = row_on(A, distillation_seed=3, unranked="why")
        assert load_row(row.save(tmp_path)) == row

    def test_a_damaged_identity_is_one_clean_error(self, tmp_path):
        path = row_on(A).save(tmp_path)
        path.write_text(path.read_text().replace('"count": 24', '"count": -24'))
        with pytest.raises(UserError, match="not a row") as caught:
            load_row(path)
        assert "tested_on" in str(caught.value)

    def test_a_run_records_it(self, finished_home):
        for path in (finished_home / "results").rglob("*.json"):
            split = load_row(path).tested_on
            assert split is not None and (split.count, split.classes, split.size, split.channels) == (360, 10, 8, 1)
            assert torch.tensor(split.count) > 0


def test_a_known_row_of_the_old_schema_learns_what_it_was_tested_on(ddbench, recipe, home):
    for path in (home / "results").rglob("*.json"):
        row = replace(load_row(path), tested_on=None, distillation_seed=None, schema=1)
        row.save(home / "results")
    ddbench.done("run", recipe, "--home", home, "-q")
    assert all(load_row(path).tested_on for path in (home / "results").rglob("*.json"))


class TestPublished:
    CIFAR = EvalSplit(sha256="c" * 64, count=10_000, classes=10, size=32, channels=3)

    @pytest.mark.parametrize(
        ("change", "beside"), [({}, True), ({"size": 16}, False), ({"count": 2000}, False), ({"classes": 3}, False)]
    )
    def test_figures_stand_only_beside_what_they_were_printed_for(self, change, beside):
        row = make_tiny_row(dataset="cifar10", network="convnet-d3", tested_on=replace(self.CIFAR, **change))
        table = leaderboard([row])
        assert (table["published"][0] == 0.463) == beside
        assert bool(published_points(page_rows([row], {}))) == beside
