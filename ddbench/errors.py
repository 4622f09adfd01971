"""Errors that a user can mend: the problem, the facts, and the fix."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake the user can repair.

    The command line prints it without a traceback and exits with status 2.

    Args:
        problem: One sentence, lower case, no full stop. facts: short lines such as ``"from recipe.yaml, line 3"``.
        fix: What to do about it.
    """

    def __init__(self, problem: str, *facts: str, fix: str) -> None:
        self.problem, self.facts, self.fix = problem, tuple(fact for fact in facts if fact), fix
        super().__init__("\n".join([problem, *(f"  {fact}" for fact in self.facts), f"  fix: {fix}"]))

    def at(self, where: str) -> "UserError":
        """The same, and the place in a recipe from which it came."""
        return UserError(self.problem, f"from  {where}", *self.facts, fix=self.fix)

    def __reduce__(self):
        return _rebuild, (self.problem, self.facts, self.fix)


def _rebuild(problem: str, facts: tuple[str, ...], fix: str) -> UserError:
    return UserError(problem, *facts, fix=fix)


_LONGEST = 200
"""Letters of a wrong name that are repeated, and compared."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was most likely meant to be, or None where nothing is close."""
    found = difflib.get_close_matches(name[:_LONGEST], list(known), n=1, cutoff=0.5)
    return found[0] if found else None


def unknown(kind: str, name: str, known: Iterable[str], where: str = "", fix: str = "") -> UserError:
    """The one way in which a wrong name is reported, for every registry and every recipe key.

    Args:
        where: The place it was read from, such as ``"mtt.yaml, line 2: method: mmt"``.
        fix: Said where no name is near.
    """
    names = sorted(known)
    near = nearest(name, names)
    return UserError(
        f"there is no {kind} {name if len(name) <= _LONGEST else name[:_LONGEST] + '...'!r}",
        f"from  {where}" if where else "",
        f"known {', '.join(names)}",
        fix=f"did you mean {near!r}?" if near else fix or f"use one of the known {kind} names",
    )
