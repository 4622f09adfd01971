"""RDED: crops, scores, mosaics, and the set that they make."""

from dataclasses import replace

import pytest
import torch
from helpers.distillation_makers import at, tiny_task
from torch import nn

from ddbench.data.preprocessing import Preprocessing
from ddbench.errors import UserError
from ddbench.methods.rded.method import RDED
from ddbench.methods.rded.patches import cell_edges, centered, chosen_patches, cut, draw_boxes, mosaics


class Brightness:
    """A teacher that finds dark images easy, or all images alike."""

    names, accuracy = ("brightness",), (0.5,)

    def __init__(self, weight=1.0):
        self.weight = weight

    def check_compatible(self, **expected):
        del expected

    def logits(self, images):
        return -self.weight * images.mean((1, 2, 3))[:, None] * torch.eye(3)[0]


def task_with(teacher, **changes):
    return replace(tiny_task(experts=False, **changes), teachers=teacher)


class TestCrops:
    def test_area_is_uniform_and_boxes_lie_inside(self):
        boxes = draw_boxes(4000, 2, 32, 0.25, torch.Generator().manual_seed(0))
        top, left, side = boxes.double().unbind(2)
        assert boxes.shape == (4000, 2, 3) and side.min() == 16 and side.max() == 32
        assert top.min() == left.min() == 0 and (top + side).max() == (left + side).max() == 32
        assert (side.square() / 1024).mean().item() == pytest.approx(0.625, abs=0.01)

    def test_whole_image_is_cut_as_it_is(self):
        image = torch.rand(3, 8, 8)
        assert torch.equal(cut(image, torch.tensor([[0, 0, 8]]), 8)[0], image)
        part = cut(image, torch.tensor([[2, 3, 4]]), 4)[0]
        assert torch.allclose(part, image[:, 2:6, 3:7])

    @pytest.mark.parametrize(("side", "size", "before"), [(3, 8, 2), (4, 8, 2), (8, 8, 0), (32, 65, 16)])
    def test_padding_keeps_the_patch_in_the_middle_of_zeros(self, side, size, before):
        patch = torch.rand(2, 3, side, side) + 1
        whole = centered(patch, size)
        assert whole.shape == (2, 3, size, size)
        assert torch.equal(whole[:, :, before : before + side, before : before + side], patch)
        assert int((whole != 0).sum()) == patch.numel()


class TestChoice:
    def test_of_each_image_its_best_patch_and_of_these_the_best(self):
        losses = torch.tensor([[3.0, 1.0], [0.5, 0.5], [9.0, 8.0], [2.0, 0.7]])
        images, patches = chosen_patches(losses, 3)
        assert images.tolist() == [1, 3, 0] and patches.tolist() == [0, 1, 1]

    def test_of_equal_ones_the_first(self):
        images, patches = chosen_patches(torch.zeros(5, 4), 3)
        assert images.tolist() == [0, 1, 2] and patches.tolist() == [0, 0, 0]


class TestMosaics:
    def test_ranks_fill_the_first_cell_of_every_image_then_the_next(self):
        ranks = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 2, 2)
        first, second = mosaics(ranks, 2, 4)[:, 0]
        assert [int(first[r, c]) for r, c in ((0, 0), (0, 2), (2, 0), (2, 2))] == [0, 2, 4, 6]
        assert [int(second[r, c]) for r, c in ((0, 0), (0, 2), (2, 0), (2, 2))] == [1, 3, 5, 7]

    def test_first_cells_are_a_pixel_larger(self):
        assert cell_edges(65, 2) == [0, 33, 65] and cell_edges(8, 3) == [0, 3, 6, 8] and cell_edges(8, 1) == [0, 8]
        assert mosaics(torch.rand(4, 3, 33, 33), 2, 65).shape == (1, 3, 65, 65)


class TestSet:
    def test_darkest_crop_of_the_darkest_images(self):
        task = task_with(Brightness(9.0))
        syn = RDED(crops=3).distill(task, 2, at())
        again = RDED(crops=3).distill(task, 2, at())
        assert torch.equal(syn.images, again.images) and syn.images.dtype == torch.uint8
        chosen, real = syn.images[:2].float().mean((1, 2, 3)), task.real.train.images.float().mean()
        assert chosen.max() < real

    def test_a_crop_of_the_whole_image_keeps_its_pixels(self):
        task = task_with(Brightness(0.0))
        syn = RDED(crops=1, min_area=1.0).distill(task, 3, at())
        known = {bytes(image.numpy().tobytes()) for image in task.real.train.images}
        assert all(image.numpy().tobytes() in known for image in syn.images)
        for label in range(3):
            rows = task.real.train.rows_of_class(label)
            mine = {task.real.train.images[row].numpy().tobytes() for row in rows}
            assert all(image.numpy().tobytes() in mine for image in syn.images[3 * label : 3 * label + 3])

    def test_fewer_images_than_asked_for_are_all_there_are(self):
        syn = RDED(images_per_class=10_000, crops=1).distill(task_with(Brightness()), 2, at())
        assert len(syn) == 6

    def test_teacher_is_named_with_its_accuracy(self):
        assert "brightness, 50.0 % on the test split" in " ".join(
            RDED(crops=1).distill(task_with(Brightness()), 1, at()).provenance["notes"]
        )


class TestRefusals:
    def test_whitened_images(self):
        task = task_with(Brightness())
        eye = torch.eye(64)
        real = replace(task.real, preprocessing=Preprocessing.whitening(torch.zeros(64), eye, eye, "x"))
        with pytest.raises(UserError, match="ZCA mixes the pixels") as caught:
            RDED().validate_data(real, 1)
        assert caught.value.fix == "preprocessing: meanstd"

    def test_more_patches_than_images(self):
        real = task_with(Brightness()).real
        with pytest.raises(UserError, match="takes 8 patches of a class, one an image, of 5"):
            RDED(factor=2, images_per_class=5).validate_data(real, 2)
        with pytest.raises(UserError, match="ipc 36 is larger than a class"):
            RDED(factor=3).validate_data(real, 4)

    def test_patches_smaller_than_a_pixel(self):
        with pytest.raises(UserError, match="no room for 9 patches"):
            RDED(factor=9).validate_data(task_with(Brightness()).real, 1)

    def test_no_teachers_and_other_ones(self):
        with pytest.raises(UserError, match="RDED needs teachers"):
            RDED().distill(tiny_task(experts=False), 1, at())
        other = tiny_task(experts=False, teachers=True, classes=4).teachers
        with pytest.raises(UserError, match="trained on other images"):
            RDED().distill(task_with(other), 1, at())


def test_teachers_of_any_kind_score_patches():
    task = tiny_task(experts=False, teachers=True)
    assert isinstance(task.teachers.member(0), nn.Module)
    assert len(RDED(crops=2).distill(task, 2, at())) == 6
