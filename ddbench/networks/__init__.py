"""Networks by name, and the flat view in which experts and students are one vector.

Names can be checked and listed without importing torch; what needs it is imported when first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ddbench.networks.image_shape import ImageShape
from ddbench.networks.names import canonical_network_name, network_names

if TYPE_CHECKING:
    from ddbench.networks.build import build_network, network_table, parameter_count
    from ddbench.networks.flat import FlatNetwork, flatten_parameters, initial_parameters

__all__ = [
    "FlatNetwork",
    "ImageShape",
    "build_network",
    "canonical_network_name",
    "flatten_parameters",
    "initial_parameters",
    "network_names",
    "network_table",
    "parameter_count",
]

_HOME = {
    "FlatNetwork": "ddbench.networks.flat",
    "flatten_parameters": "ddbench.networks.flat",
    "initial_parameters": "ddbench.networks.flat",
    "build_network": "ddbench.networks.build",
    "network_table": "ddbench.networks.build",
    "parameter_count": "ddbench.networks.build",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
