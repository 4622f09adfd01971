"""Teachers: networks that learned from real data and say what they see in images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ddbench import artifact
from ddbench.errors import UserError, error_summary
from ddbench.networks import ImageShape, build_network, canonical_network_name

KIND = "teachers"
SPLIT = "real_fingerprint"
"""Where provenance says which real data, as split, teachers were trained on."""
WEIGHTS = "weights"
"""Where provenance names the published weights of each teacher, empty for one that was trained here."""
AT_ONCE = 2**20
"""Numbers in images that a teacher sees together: 341 of 32 pixels."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Teachers:
    """Trained networks whose logits are averaged."""

    networks: tuple[str, ...]
    """Their names."""
    states: tuple[dict[str, Tensor], ...]
    """Of each, all parameters and buffers by name."""
    channels: int
    """Channels of the images that they were trained on."""
    size: int
    """Height and width of those images, in pixels."""
    classes: int
    """Number of classes."""
    dataset: str
    """Name of the data set that they were trained on."""
    preprocessing: dict[str, Any]
    """``Preprocessing.describe()`` of those images."""
    accuracy: tuple[float, ...]
    """Accuracy of each on the test split, in [0, 1]."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """JSON."""

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Average the logits of all teachers.

        Args:
            images: Preprocessed images, (B, C, H, W).

        Returns:
            Mean logits, (B, K), in the images' dtype.
        """
        at_once = max(1, AT_ONCE // images[0].numel())
        logits = [torch.cat([member(chunk) for chunk in images.split(at_once)]) for member in self._members]
        return torch.stack(logits).mean(0)

    def member(self, number: int) -> nn.Module:
        """Build one of the teachers as a module.

        Args:
            number: Its position among ``networks``.

        Returns:
            (B, C, H, W) to logits (B, K): in eval mode, its parameters frozen, on the device of its state.
        """
        return self._members[number]

    @property
    def shape(self) -> ImageShape:
        """Images and classes that they know."""
        return ImageShape(self.channels, self.size, self.classes)

    @property
    def weights(self) -> tuple[str, ...]:
        """The published weights that each has, as ``torchvision:resnet18@IMAGENET1K_V1``; empty where it has none."""
        return tuple(self.provenance.get(WEIGHTS) or [""] * len(self.networks))

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each: that of its published weights, where it has some, else that of its network."""
        return tuple(weights or network for weights, network in zip(self.weights, self.networks, strict=True))

    @property
    def bytes(self) -> dict[str, int]:
        """Bytes of each on disk, by name; a second of the same name is ``name#2``."""
        sizes: dict[str, int] = {}
        for name, state in zip(self.names, self.states, strict=True):
            number = 1 + sum(known.partition("#")[0] == name for known in sizes)
            sizes[name if number == 1 else f"{name}#{number}"] = sum(
                t.numel() * t.element_size() for t in state.values()
            )
        return sizes

    def learned_from(self, split: str) -> bool:
        """Tell whether all teachers were trained on the same real data.

        Args:
            split: Fingerprint of the real data, as split.

        Returns:
            True where they were; also where nothing is known of it.
        """
        return self.provenance.get(SPLIT, split) == split

    @property
    def fingerprint(self) -> str:
        """Sixteen digits for names and parameters."""
        return artifact.tensors_sha256(self._tensors())[:16]

    def to(self, device: torch.device | str) -> Teachers:
        moved = tuple({name: tensor.to(device) for name, tensor in state.items()} for state in self.states)
        return replace(self, states=moved)

    def check_compatible(self, *, dataset: str, shape: ImageShape, preprocessing: str) -> None:
        """Check that the teachers were trained on such images.

        Args:
            dataset: Name of the data set; some of its classes are another data set, as is another copy of its images.
            shape: Images and classes.
            preprocessing: Fingerprint of the preprocessing.

        Raises:
            UserError: They were trained on others.
        """
        own = (self.dataset, self.shape, self.preprocessing["fingerprint"])
        if own != (dataset, shape, preprocessing):
            raise UserError(
                "these teachers were trained on other images",
                f"teachers {_in_words(*own)}",
                f"images   {_in_words(dataset, shape, preprocessing)}",
                fix="train teachers on this data set and in this preprocessing (ddbench teach --help)",
            )

    def save(self, path: Path) -> str:
        """Write one safe file, atomically.

        Args:
            path: The file.

        Returns:
            SHA-256 of its tensors.
        """
        document = {name: getattr(self, name) for name in _PLAIN}
        return artifact.save(path, KIND, self._tensors(), document)

    def _tensors(self) -> dict[str, Tensor]:
        return {
            f"{number}.{name}": tensor
            for number, state in enumerate(self.states)
            for name, tensor in {**state, "named": _as_bytes(self.networks[number])}.items()
        }

    @cached_property
    def _members(self) -> list[nn.Module]:
        members = []
        for name, state in zip(self.networks, self.states, strict=True):
            network = build_network(name, self.shape, seed=0)
            network.load_state_dict(state)
            members.append(network.to(next(iter(state.values())).device).eval().requires_grad_(False))
        return members

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_members"}


def load_teachers(path: str | Path) -> Teachers:
    """Read teachers from a file, and build each of them once.

    Args:
        path: The file.

    Returns:
        The teachers, on the CPU.

    Raises:
        UserError: The file is absent, damaged, or something else.
    """
    path = Path(path)
    tensors, document = artifact.load(path, KIND)
    try:
        networks = tuple(canonical_network_name(str(name)) for name in document["networks"])
        teachers = Teachers(
            networks=networks,
            states=tuple(_state(tensors, number) for number in range(len(networks))),
            accuracy=tuple(document["accuracy"]),
            **{name: document[name] for name in _PLAIN if name not in ("networks", "accuracy")},
        )
        if not networks or not teachers._members:
            raise ValueError("there is no teacher in it")
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} does not hold whole teachers: {error_summary(error)}", fix="train them again (ddbench teach)"
        ) from None
    return teachers


def combined(every: Sequence[Teachers]) -> Teachers:
    """Combine the teachers of several files.

    Args:
        every: Teachers of each file; one at least.

    Returns:
        All members as one; provenance is the first's, with the fingerprints of all data that any of them was trained
        on, and the published weights of all.

    Raises:
        UserError: They were not trained on the same images.
    """
    first, *others = every
    splits = dict.fromkeys(teachers.provenance.get(SPLIT, "") for teachers in every)
    for other in others:
        other.check_compatible(
            dataset=first.dataset,
            shape=first.shape,
            preprocessing=first.preprocessing["fingerprint"],
        )
    provenance = dict(first.provenance)
    if any(splits):
        provenance[SPLIT] = " ".join(filter(None, splits))
    if any(weights := [name for teachers in every for name in teachers.weights]):
        provenance[WEIGHTS] = weights
    return replace(
        first,
        networks=tuple(name for teachers in every for name in teachers.networks),
        states=tuple(state for teachers in every for state in teachers.states),
        accuracy=tuple(value for teachers in every for value in teachers.accuracy),
        provenance=provenance,
    )


def _state(tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    prefix = f"{number}."
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    own.pop("named", None)
    return own


def _as_bytes(text: str) -> Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def _in_words(dataset: str, shape: ImageShape, preprocessing: str) -> str:
    channels, size, classes = shape
    return f"{dataset}, {channels}x{size}x{size} pixels, {classes} classes, preprocessing {preprocessing}"


_PLAIN = ("networks", "channels", "size", "classes", "dataset", "preprocessing", "accuracy", "provenance")
