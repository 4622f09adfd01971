"""Lists of what there is by name: methods, data sets, networks, protocols, recipes."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    return [name for name in names if fnmatchcase(name, pattern)]


def list_methods(pattern: str = "*") -> list[str]:
    """List the distillation methods, those of installed plugins included.

    Args:
        pattern: A glob such as ``"herding*"``; only names that match are listed.

    Returns:
        Names for :func:`ddbench.distill`, sorted.
    """
    from ddbench.methods import METHODS

    return _matching(METHODS.names(), pattern)


def list_datasets(pattern: str = "*") -> list[str]:
    """List the data sets, and the forms in which your own can be given (``folder:PATH``).

    Args:
        pattern: A glob such as ``"cifar*"``; only names that match are listed.

    Returns:
        Names for :func:`ddbench.load_dataset`.
    """
    from ddbench.data.sources import dataset_table

    return _matching((line["name"] for line in dataset_table()), pattern)


def list_networks(pattern: str = "*") -> list[str]:
    """List the networks for images, then those for graphs.

    Any convnet by its axes (``convnet-d3-w128-bn``), ``torchvision:NAME`` and ``timm:NAME`` work as well.

    Args:
        pattern: A glob such as ``"resnet*"``; only names that match are listed.

    Returns:
        Names of architectures.
    """
    from ddbench.graphs.networks import GRAPH_NETWORKS
    from ddbench.networks import network_names

    return _matching([*network_names(), *GRAPH_NETWORKS], pattern)


def list_protocols(pattern: str = "*") -> list[str]:
    """List the evaluation protocols for images, then those for graphs.

    Args:
        pattern: A glob such as ``"graphs-*"``; only names that match are listed.

    Returns:
        Names for :func:`ddbench.evaluate`, each with its version.
    """
    from ddbench.evaluate.graphs.protocols import GRAPH_PROTOCOLS
    from ddbench.evaluate.protocols.builtin import PROTOCOLS

    protocols = [*PROTOCOLS.values(), *GRAPH_PROTOCOLS.values()]
    return _matching((protocol.key for protocol in protocols), pattern)


def list_recipes(pattern: str = "*") -> list[str]:
    """List the recipes that come with ddbench.

    Args:
        pattern: A glob such as ``"mtt-*"``; only names that match are listed.

    Returns:
        Names for :func:`ddbench.run`, sorted.
    """
    from ddbench.recipe.recipe import shipped_recipes

    return _matching(sorted(shipped_recipes()), pattern)
