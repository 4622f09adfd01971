"""Metadata of an expert buffer: everything that two experts must share to lie in one buffer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from math import prod
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ddbench.artifact import canonical, fingerprint
from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.networks import build_network, canonical_network_name
from ddbench.randomness import derive
from ddbench.recipe.experts import ExpertRecipe
from ddbench.runtime.provenance import versions

_MOST_NUMBERS = 2**40
Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""Names and shapes, in the order in which they follow each other in a flat vector."""


@dataclass(frozen=True, kw_only=True)
class BufferDescription:
    """The content of ``buffer.json``."""

    dataset: str
    """Name of the real set."""
    real: str
    """Fingerprint of the real set."""
    preprocessing: dict[str, Any]
    """``Preprocessing.describe()``."""
    network: str
    """Canonical name of the network."""
    channels: int
    """Channels of the images that the network was built for."""
    size: int
    """Height and width of those images, in pixels."""
    classes: int
    """Number of classes."""
    parameters: Shapes
    """What a row of P numbers is made of, in the order of ``network.parameters()``."""
    statistics: Shapes
    """The same for the Q numbers of batch norm's running statistics, empty for networks without."""
    recipe: dict[str, Any]
    """How experts were trained, without how many and how long; empty where unknown."""
    seed: int | None
    """Seed of the experts; None where it is unknown."""
    versions: dict[str, str] = field(default_factory=versions)
    """Versions of the libraries that trained them."""
    imported: dict[str, Any] | None = None
    """Of experts that another project trained, the hashes of their files and what was measured of them; None of those
    trained here, and of those imported before this was kept."""

    trained_on: dict[str, str] | None = None
    """Name of the device that trained them first, and the precision it computed in; None for a CPU, whose bits follow
    from the rest."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for readers of anything made from these experts; none of experts trained here."""
        if self.seed is not None:
            return ()
        files = (self.imported or {}).get("files", {})
        origin = f"from {len(files)} files, such as {_of_first(files)}" if files else "from files of unknown content"
        unscored = "; not scored when they were imported" if (self.imported or {}).get("scored") is False else ""
        return (f"imported experts, {origin}, which may have seen the validation images{unscored}",)

    @property
    def parameter_count(self) -> int:
        """P."""
        return count(self.parameters)

    @property
    def statistic_count(self) -> int:
        """Q."""
        return count(self.statistics)

    @property
    def fingerprint(self) -> str:
        """Of all but the versions, the import and the device: experts of one fingerprint are interchangeable."""
        apart = ("versions", "imported", "trained_on")
        return fingerprint({key: value for key, value in self.document().items() if key not in apart})

    def document(self) -> dict[str, Any]:
        """Convert to JSON.

        Returns:
            Values by field; without ``imported`` and ``trained_on`` where they are None, as for experts that a CPU
            trained here.
        """
        optional = ("imported", "trained_on")
        return {key: value for key, value in asdict(self).items() if key not in optional or value is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> BufferDescription:
        """Read back from JSON.

        Args:
            document: Content of ``buffer.json``; keys of other names are ignored.

        Returns:
            The description.

        Raises:
            ValueError: A value is missing, of another type, or no count that a buffer can have.
        """
        known = {key: document[key] for key in cls.__dataclass_fields__ if key in document}
        text = canonical(known)  # refuses what is no number, which pydantic lets through
        try:
            read: BufferDescription = _reader().validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        read._require_counts()
        return read

    def _require_counts(self) -> None:
        """Errors: ValueError for sizes below one, or beyond what any images, networks and buffers have."""
        for name, value, most in (
            ("channels", self.channels, 1024),
            ("size", self.size, 4096),
            ("classes", self.classes, 10**6),
        ):
            if not 1 <= value <= most:
                raise ValueError(f"{name} {value} is not from 1 to {most}")
        for name, shape in (*self.parameters, *self.statistics):
            if min(shape, default=1) < 0 or prod(shape) > _MOST_NUMBERS:
                raise ValueError(f"{name} has the shape {shape}")
        if not isinstance(self.preprocessing.get("kind"), str):
            raise ValueError("preprocessing has no kind")

    def require_same(self, requested: BufferDescription, where: str) -> None:
        """Require that a buffer is of the same data, network and training as a requested one.

        Args:
            requested: Description of what is needed now.
            where: Folder of the buffer, for the error.

        Raises:
            UserError: They differ; it names the first difference, with both values.
        """
        for what, mine, other in _compared(self, requested):
            if mine != other:
                raise UserError(
                    f"the expert buffer was made {what}",
                    f"in    {where}",
                    f"there {mine}",
                    f"asked {other}",
                    fix="choose the buffer that was made for this, or train one (ddbench buffer RECIPE)",
                )


def describe_buffer(real: RealSet, network: str, recipe: ExpertRecipe | None, seed: int | None) -> BufferDescription:
    """Describe experts of a network on a real set.

    Args:
        real: Real data.
        network: The experts' network.
        recipe: Training of the experts; None where it is unknown, as for experts that another project trained.
        seed: Seed of the experts; None where it is unknown.

    Returns:
        The description, with the versions of this process.

    Raises:
        UserError: An unknown network, or one that can not be built for these images.
    """
    module = build_network(network, real.shape, seed=derive(seed or 0, "shape"))
    return BufferDescription(
        dataset=real.name,
        real=real.fingerprint,
        preprocessing=real.preprocessing.describe(),
        network=canonical_network_name(network),
        channels=real.channels,
        size=real.size,
        classes=real.classes,
        parameters=tuple((name, tuple(tensor.shape)) for name, tensor in module.named_parameters()),
        statistics=tuple((name, tuple(tensor.shape)) for name, tensor in module.named_buffers()),
        recipe={} if recipe is None else recipe.model_dump(mode="json", exclude={"count", "epochs"}),
        seed=seed,
    )


@cache
def _reader() -> TypeAdapter[BufferDescription]:
    return TypeAdapter(BufferDescription)


def _of_first(hashes: Mapping[str, str]) -> str:
    name, digest = next(iter(hashes.items()))
    return f"{name} (sha256 {digest[:16]})"


def count(shapes: Shapes) -> int:
    """Count the numbers of tensors.

    Args:
        shapes: Their names and shapes.

    Returns:
        Numbers that they have together.
    """
    return sum(prod(shape) for _, shape in shapes)


def _compared(mine: BufferDescription, other: BufferDescription) -> list[tuple[str, Any, Any]]:
    """What must agree, worst difference first. Recipe and seed matter only where both are known."""
    pairs: list[tuple[str, Any, Any]] = [
        ("from another dataset", mine.dataset, other.dataset),
        (
            "with another preprocessing",
            f"{mine.preprocessing.get('kind')} {mine.preprocessing.get('fingerprint')}",
            f"{other.preprocessing.get('kind')} {other.preprocessing.get('fingerprint')}",
        ),
        ("from other images of the same dataset (another size, seed or validation split)", mine.real, other.real),
        ("for another network", mine.network, other.network),
        (
            "for images of another shape",
            f"{mine.channels} channels, {mine.size} pixels, {mine.classes} classes",
            f"{other.channels} channels, {other.size} pixels, {other.classes} classes",
        ),
        ("with other parameters", mine.parameters, other.parameters),
        ("with other statistics", mine.statistics, other.statistics),
    ]
    if mine.recipe and other.recipe:
        keys = sorted({*mine.recipe, *other.recipe})
        pairs += [(f"with another experts.{key}", mine.recipe.get(key), other.recipe.get(key)) for key in keys]
    if mine.seed is not None and other.seed is not None:
        pairs.append(("with another seed", mine.seed, other.seed))
    return pairs
