"""ddbench: dataset distillation, benchmarked."""

from ddbench.version import __version__

__all__ = ["__version__"]
