"""Choice of the unroll that differentiates the student, as a recipe names it."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ddbench.recipe.settings import Count, Part
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, TeslaUnroll, TruncatedUnroll, Unroll


class UnrollChoice(Part):
    """Unroll that differentiates the student; in a recipe a bare name will do: ``unroll: tesla``."""

    kind: Literal["adjoint", "full", "tesla", "truncated"] = "adjoint"
    """adjoint: exact, one graph at a time; full: exact, all graphs; tesla: first-order; truncated: the last steps."""
    every: Count = 1
    """adjoint: how many steps' graphs are held at once."""
    last: Count | None = None
    """truncated: how many last steps are differentiated."""

    @model_validator(mode="after")
    def _options_go_with_their_kind(self) -> UnrollChoice:
        if (self.kind == "truncated") != (self.last is not None):
            raise ValueError("'truncated', and it alone, needs last: for example {kind: truncated, last: 8}")
        if self.every > 1 and self.kind != "adjoint":
            raise ValueError("every goes with 'adjoint' alone")
        return self

    def build(self) -> Unroll:
        """Make the unroll.

        Returns:
            The unroll of this kind, with its own settings.
        """
        match self.kind:
            case "adjoint":
                return AdjointUnroll(self.every)
            case "full":
                return FullUnroll()
            case "tesla":
                return TeslaUnroll()
            case "truncated":
                return TruncatedUnroll(self.last or 1)
