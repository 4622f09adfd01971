"""From a synthetic set to what fresh networks are trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from ddbench.evaluate.lesson import CompensatedLesson, Lesson, TensorLesson
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.losses import LabelKind
from ddbench.training.teachers import Teachers

AT_ONCE = 1024
"""Images that are rendered together for teachers to label them."""


def lessons_of(syn: SyntheticSet, *, warm_up: bool = False, teachers: Teachers | None = None) -> tuple[Lesson, ...]:
    """The trainings that a set asks for, one after the other; on the set's device.

    warm_up: whether one on its warm images comes first, where it has some. teachers: replace the labels by their
    logits of each image; None keeps the set's own.
    """
    if syn.compensation is not None:
        lesson = CompensatedLesson(syn=syn, labels=syn.labels, label_kind=syn.label_kind)
        if teachers is None:
            return (lesson,)
        rows = torch.arange(len(lesson), device=syn.images.device).split(AT_ONCE)
        said = torch.cat([teachers.logits(lesson.images(chunk)) for chunk in rows])
        return (CompensatedLesson(syn=syn, labels=said, label_kind="logits"),)
    seen = syn.decoded()
    labels: Tensor = seen.labels
    kind: LabelKind = seen.label_kind
    if teachers is not None:
        labels, kind = teachers.logits(seen.images), "logits"
    every = [seen.warm_images if warm_up else None, seen.images]
    return tuple(TensorLesson(images=one, labels=labels, label_kind=kind) for one in every if one is not None)
