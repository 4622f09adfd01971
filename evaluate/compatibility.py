"""Checks, before anything runs, that a synthetic set fits a protocol and the real set that it is tested on."""

from __future__ import annotations

import math
from typing import Literal

from ddbench.data.preprocessing import require_same_preprocessing
from ddbench.data.realset import RealSet, Split
from ddbench.errors import UserError
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.teachers import Teachers


def check_compatible(syn: SyntheticSet, real: RealSet) -> None:
    """Check that a synthetic set can be tested on a real set.

    Args:
        syn: Synthetic set.
        real: Real set that it is to be tested on.

    Raises:
        UserError: Preprocessing, number of classes, or shape of the images differ.
    """
    require_same_preprocessing(
        real.preprocessing.fingerprint,
        syn.preprocessing["fingerprint"],
        what="synthetic set",
        path=f"{syn.method}, ipc {syn.ipc}, {syn.dataset}",
    )
    set_shape = (*syn.images.shape[1:], syn.classes)
    wanted = (real.channels, *real.test.images.shape[2:], real.classes)
    if set_shape != wanted:
        raise UserError(
            f"a synthetic set of {syn.dataset} can not be tested on {real.name}",
            "set   {}x{}x{} pixels, {} classes".format(*set_shape),
            "data  {}x{}x{} pixels, {} classes".format(*wanted),
            fix="give the data set, and its size, that the set was distilled from",
        )


def split_of(real: RealSet, name: str) -> Split:
    """Split of a real set that networks are tested on.

    Args:
        real: Real set.
        name: "test" or "validation".

    Returns:
        The split, with one image at least.

    Raises:
        UserError: It is empty.
    """
    split = real.test if name == "test" else real.validation
    if len(split) == 0:
        fix = "give a data set that has test images"
        if name == "validation":
            fix = (
                "set validation: 0.1 and distill again; for a set that was imported, --validation 0.1; "
                "or choose nothing on it (selection: last)"
            )
        raise UserError(f"the {name} split of {real.name} is empty", fix=fix)
    return split


def check_teachers_compatible(teachers: Teachers | None, real: RealSet) -> None:
    """Check that teachers were trained on the images that they are to label.

    Args:
        teachers: None passes.
        real: Real set of the evaluation.

    Raises:
        UserError: Data set, shape of the images, or preprocessing of their training differ.
    """
    if teachers is not None:
        teachers.check_compatible(
            dataset=real.name,
            shape=real.shape,
            preprocessing=real.preprocessing.fingerprint,
        )


Labels = Literal["own", "stored", "teachers", "teachers, once"]
"""Where labels come from: the set itself; views labeled and stored; teachers at every step; teachers, before."""


def require_labels(
    syn: SyntheticSet, protocol: Protocol, real: RealSet, teachers: Teachers | None
) -> tuple[Labels, list[str]]:
    """Source of the labels under a protocol, once it is sure that there is one.

    Args:
        syn: Synthetic set.
        protocol: Decides between the set's own labels, stored ones and a teacher's.
        real: Real set of the evaluation.
        teachers: None where there are none.

    Returns:
        The source, and notes on it for a reader of the scores.

    Raises:
        UserError: The protocol needs teachers and there are none, or they were trained on other images.
    """
    check_teachers_compatible(teachers, real)
    if protocol.targets == "teacher":
        if protocol.stored_views and syn.epoch_labels is not None and syn.formation == 1:
            unused = [] if teachers is None else ["teachers were given, and not used"]
            return "stored", [f"views and labels as stored, {syn.epoch_labels.epochs} epochs of them", *unused]
        if teachers is None:
            raise UserError(
                f"{protocol.key} trains on labels of teachers, and there are none",
                f"set  {syn.method}, ipc {syn.ipc}, {syn.dataset}",
                fix="train them (ddbench teach --help) and give them with --teachers FILE",
            )
        return "teachers", _other_split(teachers, real)
    if protocol.loss == "kl" and syn.label_kind == "hard":
        if teachers is None:
            raise UserError(
                f"{protocol.key} trains on soft labels, and this set has hard ones",
                f"set  {syn.method}, ipc {syn.ipc}, {syn.dataset}",
                fix="train teachers (ddbench teach --help), who label it once: --teachers FILE",
            )
        return "teachers, once", [
            "hard labels replaced by the teachers' logits of each image",
            *_other_split(teachers, real),
        ]
    return "own", []


def _other_split(teachers: Teachers, real: RealSet) -> list[str]:
    return [] if teachers.learned_from(real.fingerprint) else ["teachers were trained on another split of the data"]


def require_rate(lr: float | None) -> None:
    """Check a learning rate that a caller chose.

    Args:
        lr: None is the protocol's, and passes.

    Raises:
        UserError: SGD can not use it: it is not finite, or not positive.
    """
    if lr is not None and not (math.isfinite(lr) and lr > 0):
        raise UserError(f"a learning rate is a positive number, not {lr:g}", fix="for example 0.01")


def learning_rate(syn: SyntheticSet, protocol: Protocol) -> tuple[float | None, list[str]]:
    """Learning rate that training begins with under a protocol.

    Args:
        syn: Synthetic set, which may have learned a rate.
        protocol: Decides whether a learned rate is used.

    Returns:
        The learned rate, None for the protocol's own, and notes on where it comes from.

    Raises:
        UserError: A learned rate that is not a positive number, under a protocol that uses it.
    """
    if not protocol.learned_lr:
        return None, []
    if syn.student_lr is None:
        return None, [f"no learned learning rate: trained with {protocol.lr:g}"]
    learned = float(syn.student_lr)
    if not (math.isfinite(learned) and learned > 0):
        raise UserError(
            f"the learned learning rate of this synthetic set is {learned:g}, which SGD can not use",
            f"set      {syn.method}, ipc {syn.ipc}, {syn.dataset}",
            f"protocol {protocol.key} trains with the learned rate",
            fix="distill again with a smaller step for student_lr, or evaluate with dsa-v1, which fixes the rate",
        )
    return learned, []
