"""Errors that a user can mend: the problem, the facts, and the fix."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake the user can repair.

    The command line prints it without a traceback and exits with status 2.

    Args:
        problem: One sentence, lower case, no full stop.
        facts: Short lines such as ``"from  recipe.yaml, line 3"``; empty ones are left out.
        fix: Action that repairs it.
    """

    def __init__(self, problem: str, *facts: str, fix: str) -> None:
        self.problem, self.facts, self.fix = problem, tuple(fact for fact in facts if fact), fix
        super().__init__("\n".join([problem, *(f"  {fact}" for fact in self.facts), f"  fix: {fix}"]))

    def at(self, where: str) -> "UserError":
        """Add the place in a recipe from which the error came.

        Args:
            where: The place, such as ``"mtt.yaml, line 7: methods.mtt.unroll"``.

        Returns:
            A new error with the place as its first fact.
        """
        return UserError(self.problem, f"from  {where}", *self.facts, fix=self.fix)

    def __reduce__(self):
        return _rebuild, (self.problem, self.facts, self.fix)


def _rebuild(problem: str, facts: tuple[str, ...], fix: str) -> UserError:
    return UserError(problem, *facts, fix=fix)


_LONGEST = 200
"""Letters of a wrong name that are repeated, and compared."""

_LISTED = 40
"""Names that an error lists; of more, such as the shipped recipes, it lists the three nearest."""


def error_summary(error: BaseException) -> str:
    """Shorten an error to one line.

    Args:
        error: The error.

    Returns:
        The first line of its text, or its kind where it says nothing.
    """
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that a misspelt one was most likely meant to be.

    Args:
        name: The name as it was written; 200 letters of it are compared.
        known: Names that exist.

    Returns:
        The nearest one, or None where nothing is close.
    """
    return next(iter(_matches(name, known, 1)), None)


def _matches(name: str, known: Iterable[str], count: int) -> list[str]:
    """Known names that are close to a misspelt one, the nearest first."""
    return difflib.get_close_matches(name[:_LONGEST], list(known), n=count, cutoff=0.5)


def unknown(kind: str, name: str, known: Iterable[str], where: str = "", fix: str = "") -> UserError:
    """Make the error for a wrong name; every registry and every recipe key reports it in this one way.

    Args:
        kind: What the name should name, such as "method".
        name: The name as it was written.
        known: Names that exist.
        where: The place it was read from, such as ``"mtt.yaml, line 2: method: mmt"``; may be empty.
        fix: Advice where no known name is near; empty for a general one.

    Returns:
        The error, to be raised; it names the known names, or of very many the three nearest, and the nearest.
    """
    names = sorted(known)
    near = _matches(name, names, 3)
    return UserError(
        f"there is no {kind} {name if len(name) <= _LONGEST else name[:_LONGEST] + '...'!r}",
        f"from  {where}" if where else "",
        f"known {', '.join(names)}" if len(names) <= _LISTED or not near else "",
        f"near  {', '.join(near)}" if len(names) > _LISTED and near else "",
        fix=f"did you mean {near[0]!r}?" if near else fix or f"use one of the known {kind} names",
    )
