"""The released ``ddranking`` package, driven on data, networks and random images of ours; and that data.

Only what the package can not do on a small CPU is replaced: its downloads, its constructors of networks, its clock as a
seed, its draw of random images, and its file of results, which it can not write (a list is filled twice a run). The
loops of training and testing, the losses, the choice of rates and the arithmetic of the scores are the package's own.
"""

import contextlib
import io
from importlib import import_module
from unittest import mock

import torch

from ddbench.artifact import fingerprint
from ddbench.data.preprocessing import Preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.evaluate.ddranking.baselines import random_set
from ddbench.networks import build_network
from ddbench.randomness import derive
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers

NETWORK = "convnet-d1-w8"
CLASSES, SIZE, IPC, EPOCHS = 6, 12, 2, 20
SHAPE = {"channels": 3, "size": SIZE, "classes": CLASSES}


def patterned(count: int, seed: int) -> Split:
    """A pattern for each class under noise, uint8; the same patterns for every seed."""
    patterns = torch.rand(CLASSES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(11))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    noise = torch.randn(count, 3, SIZE, SIZE, generator=generator)
    images = (0.5 + 0.35 * (patterns[labels] - 0.5) + 0.3 * noise).clamp(0, 1)
    return Split((255 * images).to(torch.uint8), labels)


def patterned_real() -> RealSet:
    """Real data whose validation images are its test images, so that rates are chosen as the release does."""
    preprocessing = Preprocessing.meanstd([0.5, 0.5, 0.5], [0.25, 0.25, 0.25])
    test = patterned(90, 3)
    return RealSet(
        name="patterned",
        class_names=tuple("abcdef"),
        train=patterned(60, 1),
        validation=test,
        test=test,
        preprocessing=preprocessing,
        fingerprint=fingerprint(["patterned", preprocessing.fingerprint]),
    )


def averaged(real: RealSet) -> SyntheticSet:
    """A synthetic set: two images a class, each the average of five real ones, with hard labels, class by class."""
    images, labels = real.inputs(real.train), real.train.labels
    means = [images[labels == label].view(IPC, -1, *images.shape[1:]).mean(1) for label in range(CLASSES)]
    return SyntheticSet(
        images=torch.cat(means),
        labels=torch.arange(CLASSES).repeat_interleave(IPC),
        ipc=IPC,
        dataset=real.name,
        class_names=real.class_names,
        network=NETWORK,
        preprocessing=real.preprocessing.describe(),
        method="averaged",
    )


def teacher_of(real: RealSet) -> Teachers:
    """A network that nobody trained, whose logits are large enough to be far from uniform."""
    state = build_network(NETWORK, **SHAPE, seed=5).state_dict()
    return Teachers(
        networks=(NETWORK,),
        states=({name: 3 * tensor for name, tensor in state.items()},),
        dataset=real.name,
        preprocessing=real.preprocessing.describe(),
        accuracy=(0.2,),
        channels=3,
        size=SIZE,
        classes=CLASSES,
    )


def released(kind: str, real: RealSet, syn: SyntheticSet, seeds, *, rate=None, teachers=None, real_accuracy=None):
    """What ``compute_metrics`` of the package returns, in percentage points. kind: "hard_label" or "soft_label".

    rate: of every training, in the place of the package's search over five; None leaves that as it is. A set with soft
    labels is scored in mode S, for which the package lacks an attribute, ``teacher_model``, that is added here.
    """
    ddranking = import_module("ddranking")
    mode = "M" if syn.label_kind == "hard" else "S"
    module = import_module(f"ddranking.metrics.{kind}")
    scorer_class = module.LabelRobustScoreHard if kind == "hard_label" else module.LabelRobustScoreSoft
    tensors = ddranking.utils.TensorDataset
    runs, now = iter(seeds), {"seed": -1}

    def next_run():
        now["seed"] = next(runs)

    def build(*_, pretrained=False, **__):
        if pretrained and teachers is not None:
            return teachers._members[0]
        return build_network(NETWORK, **SHAPE, seed=derive(now["seed"], "evaluation", "network"))

    def draw(*_, **__):
        drawn = random_set(real, syn, now["seed"])
        return drawn.images, drawn.labels

    sets = [tensors(real.inputs(split), split.labels) for split in (real.train, real.test, real.test)]
    same = {label: label for label in range(CLASSES)}
    data = (3, (SIZE, SIZE), None, None, CLASSES, *sets, same, same)
    patches = {
        "get_dataset": lambda *_: data,
        "set_seed": next_run,
        "build_model": build,
        "get_random_data_tensors": draw,
        "save_results": lambda *_: None,
        "get_pretrained_model_path": lambda *_: [None],
    }
    asked = {"loss_fn_kwargs": {}, "soft_label_mode": mode, "teacher_model_names": ["ConvNet-3"]}
    with mock.patch.multiple(module, **patches), contextlib.redirect_stdout(io.StringIO()):
        scorer = scorer_class(
            ipc=IPC,
            data_aug_func=None,
            step_size=10**6,
            num_eval=len(seeds),
            num_epochs=EPOCHS,
            num_workers=0,
            device="cpu",
            random_data_format="tensor",
            save_path="./unused.csv",
            eval_full_data=real_accuracy is None,
            **(asked if kind == "soft_label" else {}),
        )
        scorer.test_interval = EPOCHS
        cache = {} if real_accuracy is None else {"CIFAR10-ConvNet-3": 100 * real_accuracy}
        with mock.patch.object(module, "REAL_DATA_ACC_CACHE", cache):
            if rate is not None:
                _single_rate(scorer, rate)
            if teachers is not None:
                scorer.teacher_model = teachers._members[0]
            labels = {"soft_labels": syn.labels} if mode == "S" else {}
            return scorer.compute_metrics(image_tensor=syn.images, syn_lr=rate, **labels)


def released_ars(syn_with, random_with, syn_without, random_without):
    """What the package's augmentation-robust score makes of these accuracies, one a run, in percentage points."""
    aug_robust = import_module("ddranking.metrics.aug_robust")
    scorer = object.__new__(aug_robust.AugmentationRobustScore)
    scorer.num_eval, scorer.ipc, scorer.num_classes = len(syn_with), IPC, CLASSES
    scorer.label_type, scorer.use_dist, scorer.rank, scorer.save_path = "hard", False, 0, None
    scorer._get_random_data_helper = lambda **_: (None, None, None, None)
    with_, without = (
        iter([accuracy for pair in zip(*sides, strict=True) for accuracy in pair])
        for sides in ((syn_with, random_with), (syn_without, random_without))
    )
    scorer._compute_with_aug_metrics_helper = lambda **_: (next(with_), None)
    scorer._compute_without_aug_metrics_helper = lambda **_: (next(without), None)
    quiet = {"save_results": lambda *_: None, "set_seed": lambda: None, "logging": lambda *_: None}
    with mock.patch.multiple(aug_robust, **quiet):
        return scorer.compute_metrics(image_tensor=torch.zeros(1), ars_lambda=0.3)


def _single_rate(scorer, rate: float) -> None:
    for name in ("_compute_hard_label_metrics_helper", "_compute_soft_label_metrics_helper"):
        if (helper := getattr(scorer, name, None)) is not None:

            def with_rate(*args, helper=helper, **given):
                return helper(*args, **{**given, "lr": rate, "hyper_param_search": False})

            setattr(scorer, name, with_rate)
