"""Bytes of an estimate, with the parts that they are the sum of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self


class Estimate(int):
    """Memory that a computation takes at its peak, in bytes: a number, which knows what it is made of."""

    parts: Mapping[str, int]
    """Bytes by what they are for; empty where nobody says."""

    def __new__(cls, parts: Mapping[str, float]) -> Self:
        """Add up parts.

        Args:
            parts: Bytes by what they are for; fractions are dropped.
        """
        whole = {name: int(count) for name, count in parts.items()}
        estimate = super().__new__(cls, sum(whole.values()))
        estimate.parts = MappingProxyType(whole)
        return estimate

    def plus(self, parts: Mapping[str, float]) -> Estimate:
        """Add further parts, or more of those there are.

        Args:
            parts: Bytes by what they are for.

        Returns:
            The larger estimate.
        """
        return Estimate({name: self.parts.get(name, 0) + parts.get(name, 0) for name in {**self.parts, **parts}})

    def fitting(self, available: int) -> int:
        """Count how many such computations fit at once.

        Args:
            available: Bytes that they share.

        Returns:
            At least 0.
        """
        return available // max(self, 1)
