"""DD-Ranking's names for things, and the configuration that fits a synthetic set."""

from __future__ import annotations

from typing import Any

from ddbench.networks.names import parse_convnet
from ddbench.synthetic.synthetic_set import SyntheticSet

DATASETS = {
    "cifar10": "CIFAR10",
    "cifar10-jpeg": "CIFAR10",
    "cifar100": "CIFAR100",
    "tiny-imagenet": "TinyImageNet",
    "imagenette": "ImageNette",
    "imagewoof": "ImageWoof",
    "imagemeow": "ImageMeow",
    "imagesquawk": "ImageSquawk",
    "imagefruit": "ImageFruit",
    "imageyellow": "ImageYellow",
    "imagenet": "ImageNet1K",
}
_FIXED = {
    "mlp": "MLP",
    "lenet": "LeNet",
    "alexnet": "AlexNet",
    "vgg11": "VGG-11",
    "vgg11-bn": "VGG-11-BN",
    "resnet18": "ResNet-18",
    "resnet18-bn": "ResNet-18-BN",
}
_DSA = {
    "flip": 0.5,
    "rotate": 15.0,
    "saturation": 2.0,
    "brightness": 1.0,
    "contrast": 0.5,
    "scale": 1.2,
    "crop": 0.125,
    "cutout": 0.5,
}


def model_name(network: str) -> str | None:
    """Translate the name of a network into DD-Ranking's.

    Args:
        network: Canonical name of a network.

    Returns:
        Its name there; None where DD-Ranking has no such network, as for ConvNets of another width than 128.
    """
    if not network.startswith("convnet-"):
        return _FIXED.get(network)
    spec = parse_convnet(network)
    usual = spec.width == 128 and spec.activation == "relu" and spec.pooling == "avgpool"
    if not usual or spec.norm not in ("in", "bn"):
        return None
    return f"ConvNet-{spec.depth}" + ("-BN" if spec.norm == "bn" else "")


def settings(syn: SyntheticSet) -> dict[str, Any]:
    """List the settings that DD-Ranking's metrics of this kind of label read, for training as the trajectory methods
    do.

    Args:
        syn: The set.

    Returns:
        Values by DD-Ranking's keys.

    Source: its Demo_LRS_Hard_Label.yaml and, for soft labels, its demo_soft.py, which scores DATM.
    """
    soft = {
        "soft_label_mode": "S",
        "soft_label_criterion": "sce",
        "loss_fn_kwargs": {"temperature": 1.0, "scale_loss": False},
        "use_aug_for_hard": False,
        "stu_use_torchvision": False,
        "tea_use_torchvision": False,
        "teacher_dir": "./teacher_models",
        "teacher_model_names": [],
    }
    return {
        "dataset": DATASETS.get(syn.dataset, syn.dataset),
        "real_data_path": "./dataset/",
        "ipc": len(syn) // syn.classes,
        "im_size": list(syn.images.shape[-2:]),
        "model_name": model_name(syn.network),
        "use_zca": syn.preprocessing["kind"] == "zca",
        "data_aug_func": "dsa",
        "aug_params": dict(_DSA),
        "custom_train_trans": None,
        "custom_val_trans": None,
        **({"use_torchvision": False} if syn.label_kind == "hard" else soft),
        "optimizer": "sgd",
        "lr_scheduler": "step",
        "step_size": 500,
        "weight_decay": 0.0005,
        "momentum": 0.9,
        "num_eval": 5,
        "num_epochs": 1000,
        "syn_batch_size": 256,
        "real_batch_size": 256,
        "num_workers": 4,
        "device": "cuda",
        "dist": False,
        "eval_full_data": True,
        "random_data_format": "tensor",
        "random_data_path": "./random_data",
        "save_path": "./scores.csv",
    }


def guide(syn: SyntheticSet) -> str:
    """Describe how to use the files with DD-Ranking.

    Args:
        syn: The set.

    Returns:
        A page of Markdown.
    """
    hard = syn.label_kind == "hard"
    metric, argument = ("LabelRobustScoreHard", "hard_labels") if hard else ("LabelRobustScoreSoft", "soft_labels")
    rate = 'torch.load("lr.pt")' if syn.student_lr is not None else "None"
    labels = "classes" if hard else "logits"
    why = "" if syn.student_lr is not None else "\nNo rate was learned: with None, DD-Ranking searches one.\n"
    teachers = "" if hard else "\nIts random images are labeled by teachers: name them in teacher_model_names.\n"
    return f"""# {syn.method} on {syn.dataset}, for DD-Ranking

{len(syn)} images of {syn.classes} classes, sorted by class; labels.pt holds {labels}.

```python
import torch
from ddranking.config import Config
from ddranking.metrics import {metric}

scores = {metric}(Config.from_file("config.yaml")).compute_metrics(
    image_tensor=torch.load("images.pt"), {argument}=torch.load("labels.pt"), syn_lr={rate}
)
```
{why}{teachers}
Set real_data_path in config.yaml to where the real images lie.
"""
