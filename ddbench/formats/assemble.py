"""From what a layout found and what the user said to a synthetic set: everything checked, nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ddbench.data import RealSet
from ddbench.errors import UserError
from ddbench.formats.import_provenance import file_hashes, import_facts
from ddbench.formats.label_numbers import with_classes_named
from ddbench.formats.pixel_space import MissingFacts, convert_space, resolve_space
from ddbench.formats.reader import Facts, Read
from ddbench.formats.sorted_labels import checked_labels
from ddbench.formats.tensors import check_rate
from ddbench.formats.value_range import range_note
from ddbench.networks import canonical_network_name
from ddbench.synthetic.synthetic_set import SyntheticSet

_DEPTHS = {28: 3, 32: 3, 64: 4, 128: 5}


def assemble(
    read: Read,
    facts: Facts,
    real: RealSet,
    *,
    format: str = "tensors",
    recipe: Mapping[str, Any] | None = None,
) -> SyntheticSet:
    """Make a synthetic set of what foreign files hold, in the space of the real data.

    Args:
        read: What a layout found in the files.
        facts: What the user said of the files.
        real: The real data that the set was distilled from.
        format: The layout's name, for the provenance.
        recipe: What the provenance says of the data and the evaluation; None for the data set's name alone.

    Returns:
        The set.

    Raises:
        UserError: Images are not like the real ones, classes disagree, a whitening is not the real set's, or facts are
            missing: names the option for each.
    """
    _check_like_real(read.images, real)
    missing_facts = MissingFacts()
    rate = _rate(read, facts, missing_facts)
    space = resolve_space(read, facts, real, missing_facts)
    network, network_note = _network(read, facts, real, missing_facts)
    read, class_note = with_classes_named(read, facts, real, missing_facts)
    labels, kind, label_note = checked_labels(read, facts, real, missing_facts)
    missing_facts.require_nothing(read.files[0] if read.files else None)
    assert space is not None  # or it would have been asked for
    if kind == "hard":
        labels = labels.to(torch.int64)
    formation = read.formation if facts.formation is None else facts.formation
    if not 1 <= formation <= real.size // 2:
        raise UserError(
            f"images of {real.size} pixels can not hold {formation} x {formation} each",
            fix=f"--formation 1 to {real.size // 2}",
        )
    images, space_note = convert_space(read.images, space, real)
    doubt = range_note(read.images, space, real)
    notes = [note for note in (*read.notes, space_note, doubt, network_note, label_note, class_note) if note]
    recipe_facts = recipe if recipe is not None else {"dataset": real.name, "seed": 0, "validation": 0.0}
    protocol = {} if read.protocol is None else {"protocol": read.protocol}
    return SyntheticSet(
        images=images,
        labels=labels,
        label_kind=kind,
        student_lr=None if rate is None else torch.tensor(rate),
        formation=formation,
        epoch_labels=read.epoch_labels,
        ipc=len(images) // real.classes,
        dataset=real.name,
        class_names=real.class_names,
        network=network,
        preprocessing=real.preprocessing.describe(),
        method=facts.method or read.method or format,
        provenance={
            "recipe": {**recipe_facts, "evaluation": {**protocol, **recipe_facts.get("evaluation", {})}},
            "imported": {"format": format, "files": file_hashes(read.files), "said": import_facts(facts)},
            "notes": notes,
        },
    )


def _check_like_real(images: Tensor, real: RealSet) -> None:
    expected, shape = (real.channels, real.size, real.size), tuple(images.shape[1:])
    if shape != expected:
        raise UserError(
            f"the images are not like those of {real.name}",
            f"found channels, height, width {shape}",
            f"want  {expected}",
            fix="check --dataset, or load it in the size of the set with --size"
            if shape[:1] == expected[:1]
            else "check --dataset",
        )
    most = len(real.train) + len(real.validation)
    if len(images) > most:
        raise UserError(
            f"{len(images)} images are more than {real.name} has for training ({most})",
            fix="check --dataset, and that the file is that of the distilled images",
        )


def _rate(read: Read, facts: Facts, missing_facts: MissingFacts) -> float | None:
    if facts.lr is not None:
        return None if facts.lr == "none" else check_rate(facts.lr, "--lr")
    if read.student_lr is None and not read.lr_known:
        missing_facts.add(
            "--lr", "the learned rate of the student (Synthetic_LR in the project's log), or none", "NUMBER|none"
        )
    return None if read.student_lr is None else check_rate(read.student_lr, "the file of the rate")


def _network(read: Read, facts: Facts, real: RealSet, missing_facts: MissingFacts) -> tuple[str, str]:
    if facts.network is not None:
        return canonical_network_name(facts.network), ""
    if read.network is not None:
        return canonical_network_name(read.network), ""
    if real.size not in _DEPTHS:
        missing_facts.add("--network", f"the network that it was distilled with, at {real.size} pixels", "NAME")
        return "", ""
    name = f"convnet-d{_DEPTHS[real.size]}"
    return name, f"network taken to be {name}, as is usual at {real.size} pixels"
