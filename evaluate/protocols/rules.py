"""Rules by which a protocol's numbers follow from data, network and sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from ddbench.evaluate.protocols.training_config import EvaluationContext, ProtocolOverrides

Rule = Callable[[ProtocolOverrides, EvaluationContext], ProtocolOverrides]

LARGE = 64
"""Side in pixels from which images count as large."""


def _rded_rule(setting: ProtocolOverrides, about: EvaluationContext) -> ProtocolOverrides:
    """RDED's batches: 10, 50 and 100 images at ipc 1, 10 and 50, twice that for many classes, never more than exist."""
    batch = 10 if about.ipc < 10 else 50 if about.ipc < 50 else 100
    if about.dataset == "tiny-imagenet":
        batch = 100
    elif about.classes >= 100:
        batch *= 2
    return replace(setting, batch=min(batch, about.ipc * about.classes))


def _idc_rule(setting: ProtocolOverrides, about: EvaluationContext) -> ProtocolOverrides:
    """IDC's ImageNet: the fewer images, the more epochs; with 100 classes and more other rates and batches."""
    if not about.dataset.startswith("image") or about.size < LARGE:
        return setting
    steps = ((1, 3000), (10, 2000), (50, 1500), (200, 1000), (500, 500))
    epochs = next((epochs for ipc, epochs in steps if about.ipc <= ipc), 300)
    if about.classes < 100:
        return replace(setting, epochs=epochs)
    shortened = int(epochs * 2 / 3) // 100 * 100 if about.classes == 100 else epochs
    return replace(setting, epochs=shortened, lr=0.1, weight_decay=1e-4, batch=128)


def _rat_rule(setting: ProtocolOverrides, about: EvaluationContext) -> ProtocolOverrides:
    """RaT-BPTT's batches: so many images of each class that there are about 100; beyond 100 classes 50 at a time."""
    classes = about.classes if about.classes <= 100 else 50
    each = min(about.ipc, max(1, 100 // about.classes))
    return replace(setting, classes_per_step=classes, images_per_class=each, batch=classes * each)


RULES: Mapping[str, Rule] = MappingProxyType({"rded": _rded_rule, "idc": _idc_rule, "rat": _rat_rule})
