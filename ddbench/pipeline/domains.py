"""The registered domains, by name, by data set, and by file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import UserError
from ddbench.registry import Registry

if TYPE_CHECKING:
    from ddbench.pipeline.domain import Domain

DOMAINS: Registry[type[Domain]] = Registry(
    "domain",
    {"graphs": "ddbench.domains.graphs.domain:GraphDomain", "images": "ddbench.domains.images.domain:ImageDomain"},
    group="ddbench.domains",
)


def domain_named(name: str) -> Domain:
    """Find a domain by the name that a data set, a method or a row has of it.

    Args:
        name: Such as ``images``.

    Returns:
        The domain.

    Raises:
        UserError: None is registered under it.
    """
    if name not in DOMAINS.names():
        raise UserError(
            f"there is no domain {name!r}",
            f"known {', '.join(DOMAINS.names())}",
            fix="install the package, or give the --plugin, that brings it",
        )
    return DOMAINS.get(name)()


def all_domains() -> list[Domain]:
    """List the domains, that of images first.

    Returns:
        The others by name, those of plugins included.
    """
    return [domain_named(name) for name in sorted(DOMAINS.names(), key=lambda name: (name != "images", name))]


def domain_of_dataset(name: str, where: str = "") -> Domain:
    """Find the domain of a data set.

    Args:
        name: Name of the data set, as recipes give it.
        where: Location of the name, for errors.

    Returns:
        The domain.

    Raises:
        UserError: The name is unknown.
    """
    from ddbench.data.sources import find_source

    return domain_named(find_source(name, where).source.domain)


def domain_of_kind(kind: object) -> Domain | None:
    """Find the domain whose synthetic sets lie in files of a kind.

    Args:
        kind: The ``kind`` of an artifact's description, whatever is there.

    Returns:
        The domain; None where no domain writes such files.
    """
    return next((domain for domain in all_domains() if domain.set_kind == kind), None)


def domain_of_file(file: Path) -> Domain:
    """Find the domain of the synthetic set in a file.

    Args:
        file: An artifact.

    Returns:
        The domain; that of images for any other artifact, which they refuse.
    """
    from ddbench.artifact import describe

    return domain_of_kind(describe(file).get("kind")) or domain_named("images")
