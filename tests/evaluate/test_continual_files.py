"""Memories in files of DatasetCondensation: read safely, into the space of the data, in numpy's order of classes."""

import pickle

import pytest
import torch

from ddbench.data import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.errors import UserError
from ddbench.evaluate.continual.class_order import class_order, class_steps
from ddbench.evaluate.continual.replay_memory import merge_memory
from ddbench.pipeline.continual_files import order_of, parts_of_file

CLASSES, MEAN, STD = 10, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def real(kind="identity"):
    """A data set by the name of cifar10, of 4 pixels, whose classes differ in brightness."""
    labels = torch.arange(CLASSES).repeat(2)
    images = (labels.view(-1, 1, 1, 1) * 20 + torch.arange(48).view(1, 3, 4, 4)).to(torch.uint8)
    split = Split(images, labels)
    space = Preprocessing.identity() if kind == "identity" else Preprocessing.meanstd(MEAN, STD)
    names = tuple(map(str, range(CLASSES)))
    return RealSet(
        name="cifar10",
        class_names=names,
        train=split,
        validation=split,
        test=split,
        preprocessing=space,
        fingerprint="r",
    )


def memories(steps, order):
    """As the project saves them, and the pixels they are of: two images a class."""
    generator, pixels, data = torch.Generator().manual_seed(order), {}, []
    for classes in class_steps(CLASSES, steps, order):
        labels = torch.tensor([label for label in classes for _ in range(2)])
        images = torch.rand(len(labels), 3, 4, 4, generator=generator)
        pixels.update({label: images[labels == label] for label in classes})
        data.append([(images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1), labels])
    return {"data": data}, pixels


def saved(folder, value, order=0, name="cl_DM_CIFAR10_ConvNet_2ipc_5steps"):
    path = folder / f"{name}_seed{order}.pt"
    torch.save(value, path)
    return path


@pytest.mark.parametrize(("steps", "order"), [(5, 0), (5, 3), (10, 1), (3, 2)])
def test_images_and_classes_arrive(tmp_path, steps, order):
    value, pixels = memories(steps, order)
    parts = parts_of_file(saved(tmp_path, value, order), real(), "convnet-d3")
    assert tuple(label for part in parts for label in part.classes) == class_order(CLASSES, order)
    memory = merge_memory(parts, real())
    for label, images in pixels.items():
        torch.testing.assert_close(memory.images[memory.labels == label], images, rtol=1e-5, atol=1e-6)
    assert {part.syn.method for part in parts} == {"dm"}
    assert {part.syn.ipc for part in parts} == {2}


def test_images_stay_as_they_are_in_the_same_space(tmp_path):
    value, _ = memories(5, 0)
    parts = parts_of_file(saved(tmp_path, value, name="cl_res_DSA_CIFAR10"), real("meanstd"), "convnet-d3")
    assert torch.equal(torch.cat([part.syn.images for part in parts]), torch.cat([pair[0] for pair in value["data"]]))
    assert parts[0].syn.method == "dsa"


class Malicious:
    def __reduce__(self):
        return print, ("code was run",)


def test_what_is_not_such_a_file_is_one_clear_error(tmp_path, capsys):
    value, _ = memories(5, 0)
    cases = [
        (saved(tmp_path, value, 1), "do not come in the order that its name says"),
        (saved(tmp_path, {"data": [1, 2]}, 2), "holds no memories step by step"),
        (saved(tmp_path, [1], 3), "holds no memories step by step"),
        (saved(tmp_path, {"data": [[value["data"][0][0][:, :1], value["data"][0][1]]]}, 4), "are not like those of"),
        (saved(tmp_path, {"data": [[value["data"][0][0], value["data"][0][1][:2]]]}, 5), "one class an image"),
    ]
    hostile = tmp_path / "cl_DM_seed6.pt"
    hostile.write_bytes(pickle.dumps({"data": Malicious()}))
    for path, message in [*cases, (hostile, "cl_DM_seed6.pt")]:
        with pytest.raises(UserError, match=message):
            parts_of_file(path, real(), "convnet-d3")
    assert "code was run" not in capsys.readouterr().out
    with pytest.raises(UserError, match="does not say which class order"):
        order_of(tmp_path / "memories.pt")


def test_the_command_asks_for_the_data_set(tmp_path, ddbench):
    value, _ = memories(5, 0)
    path = saved(tmp_path, value)
    assert "--dataset cifar100" in ddbench.refused("continual", path, "--home", tmp_path / "home")
    assert "how DatasetCondensation standardizes digits" in ddbench.refused(
        "continual", saved(tmp_path, {"data": digits(5)}, 0), "--dataset", "digits", "--home", tmp_path / "home"
    )
    assert "one target too many" in ddbench.refused("continual", "quickstart", "quickstart")


def digits(steps):
    """Memories of one-channel images of 8 pixels."""
    return [(torch.rand(len(classes), 1, 8, 8), torch.tensor(classes)) for classes in class_steps(CLASSES, steps, 0)]


def test_files_of_two_orders_give_one_curve(tmp_path, ddbench, monkeypatch):
    constants = {"digits": ((0.3,), (0.4,))}
    monkeypatch.setattr("ddbench.pipeline.continual_files.project_constants", lambda project, name: constants[name])
    files = []
    for order in (0, 1):
        data = [(torch.rand(len(step), 1, 8, 8), torch.tensor(step)) for step in class_steps(CLASSES, 2, order)]
        files.append(saved(tmp_path, {"data": data}, order))
    arguments = ("--dataset", "digits", "--network", "convnet-d1-w4", "--epochs", "1", "--networks", "1")
    said = ddbench.done("continual", *files, *arguments, "--home", tmp_path / "home")
    assert "5 classes" in said and "10 classes" in said and "2 class orders" in said
    assert "memories of another project" in said
