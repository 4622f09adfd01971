"""The installed version, in one place that setup.cfg and the artifacts read."""

__version__ = "0.1.0"
