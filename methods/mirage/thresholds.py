"""Thresholds of frequency of tree sets: given, or searched from a number of items or bytes."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field, StrictInt, field_validator

from ddbench.errors import UserError
from ddbench.methods.mirage.eclat import TreeSet
from ddbench.methods.mirage.mining import Mining
from ddbench.methods.mirage.shared_sets import Sharing
from ddbench.methods.mirage.threshold_search import Lowered, lowered
from ddbench.recipe.settings import Count, Part

N = TypeVar("N", int, float)


class Threshold(Part, abc.ABC):
    """A way to come by one threshold a class: a count of graphs that must have a set."""

    fewer: ClassVar[str] = "raise the thresholds"
    """What to do for fewer items."""

    @abc.abstractmethod
    def thetas(self, mining: Mining, shared: Sharing, ipc: int) -> Lowered:
        """Find one threshold a class.

        Args:
            mining: The trees of all classes.
            shared: What becomes of sets that are frequent in several classes.
            ipc: Items of a class, at most.

        Returns:
            Thresholds in graphs, and why classes that fall short go no lower.

        Raises:
            UserError: Thresholds that the recipe gives do not fit the classes.
        """

    def cut(self, lists: list[list[TreeSet]], mining: Mining, ipc: int) -> list[list[TreeSet]]:
        """Take the first sets of each class: all, unless there is a budget.

        Args:
            lists: Sets of each class, most frequent first.
            mining: The trees of all classes.
            ipc: Items of a class, at most.

        Returns:
            The sets of each class that are taken.

        Raises:
            UserError: A budget is too small for one set of each class.
        """
        del mining, ipc
        return lists

    def written(self, mining: Mining, thetas: Sequence[int]) -> str:
        """Write thresholds as a recipe gives them to this kind.

        Args:
            mining: The trees of all classes.
            thetas: Thresholds in graphs, one a class.

        Returns:
            YAML; empty where this kind finds them itself.
        """
        del mining, thetas
        return ""


class ItemsThreshold(Threshold):
    """The ``ipc`` most frequent sets of each class; ties: fewer trees, then smaller ids.

    Thresholds fall until there are so many.
    """

    kind: Literal["items"] = "items"

    def thetas(self, mining: Mining, shared: Sharing, ipc: int) -> Lowered:
        return lowered(mining, shared, lambda trees: 1, ipc)

    def cut(self, lists: list[list[TreeSet]], mining: Mining, ipc: int) -> list[list[TreeSet]]:
        del mining
        return [sets[:ipc] for sets in lists]


class BytesThreshold(Threshold):
    """The most frequent sets that take no more than ``budget`` bytes; at least one a class.

    After one of each class, the class that has taken the fewest bytes takes its next one, as long as that fits.
    """

    kind: Literal["bytes"] = "bytes"
    budget: Count
    """Bytes of all sets written out, as the paper counts: two for each code of a node and each end of an edge."""
    fewer: ClassVar[str] = "lower the budget"

    def thetas(self, mining: Mining, shared: Sharing, ipc: int) -> Lowered:
        del ipc
        share = self.budget if shared == "soft" else -(-self.budget // len(mining.sizes))
        return lowered(mining, shared, mining.charged, share)

    def cut(self, lists: list[list[TreeSet]], mining: Mining, ipc: int) -> list[list[TreeSet]]:
        del ipc
        counts = [min(len(sets), 1) for sets in lists]
        taken = {sets[0] for sets in lists if sets}
        spent = [mining.charged(sets[0]) if sets else 0 for sets in lists]
        total = sum(map(mining.charged, taken))
        if total > self.budget:
            raise UserError(
                f"a budget of {self.budget} bytes is too small for one tree set of each class",
                f"the most frequent ones take {total} bytes",
                fix=f"set threshold.budget to {total} or more",
            )
        waiting = {label for label, sets in enumerate(lists) if sets}
        while waiting:
            label = min(sorted(waiting), key=spent.__getitem__)
            following = lists[label][counts[label] : counts[label] + 1]
            cost = sum(mining.charged(trees) for trees in following if trees not in taken)
            if not following or total + cost > self.budget:
                waiting.discard(label)
                continue
            taken.update(following)
            counts[label] += 1
            spent[label] += cost
            total += cost
        return [sets[:count] for sets, count in zip(lists, counts, strict=True)]


class AbsoluteThreshold(Threshold):
    """Given counts of graphs: how the paper's and the released code's thresholds are written."""

    kind: Literal["absolute"] = "absolute"
    theta: StrictInt | tuple[StrictInt, ...]
    """In how many graphs of a class a set must be: a list of one count a class, or one number for all."""

    @field_validator("theta")
    @classmethod
    def _counts(cls, theta: int | tuple[int, ...]) -> int | tuple[int, ...]:
        if not _all(theta, lambda count: count >= 1):
            raise ValueError("it should be 1 graph or more, one number for all classes or a list of one a class")
        return theta

    def thetas(self, mining: Mining, shared: Sharing, ipc: int) -> Lowered:
        del shared, ipc
        thetas = _one_a_class(self.theta, mining)
        for label, theta in enumerate(thetas):
            if theta > mining.sizes[label]:
                raise UserError(
                    f"theta {theta} is above the size of class {mining.class_names[label]!r}",
                    f"it has {mining.sizes[label]} training graphs",
                    f"its most frequent tree is in {int(mining.classes[label].support.max(initial=0))} of them",
                    fix="lower its theta, or let ipc decide (threshold: items)",
                )
        return Lowered(thetas, {})

    def written(self, mining: Mining, thetas: Sequence[int]) -> str:
        del mining
        return str(list(thetas))


class RelativeThreshold(Threshold):
    """Given shares of the classes, rounded up to whole graphs."""

    kind: Literal["relative"] = "relative"
    theta: float | tuple[float, ...]
    """Which share of a class must have a set, above 0, up to 1: a list of one a class, or one number for all."""

    @field_validator("theta")
    @classmethod
    def _shares(cls, theta: float | tuple[float, ...]) -> float | tuple[float, ...]:
        if not _all(theta, lambda share: 0 < share <= 1):
            raise ValueError("it should be above 0, up to 1, one number for all classes or a list of one a class")
        return theta

    def thetas(self, mining: Mining, shared: Sharing, ipc: int) -> Lowered:
        del shared, ipc
        shares = zip(_one_a_class(self.theta, mining), mining.sizes, strict=True)
        return Lowered([math.ceil(Fraction(str(share)) * size) for share, size in shares], {})

    def written(self, mining: Mining, thetas: Sequence[int]) -> str:
        shares = (
            math.floor(1_000_000 * theta / size) / 1_000_000 for theta, size in zip(thetas, mining.sizes, strict=True)
        )
        return str(list(shares))


AnyThreshold = Annotated[
    ItemsThreshold | BytesThreshold | AbsoluteThreshold | RelativeThreshold, Field(discriminator="kind")
]


def _all(theta: N | Sequence[N], fits: Callable[[N], bool]) -> bool:
    numbers = theta if isinstance(theta, Sequence) else [theta]
    return bool(numbers) and all(map(fits, numbers))


def _one_a_class(theta: N | Sequence[N], mining: Mining) -> list[N]:
    classes = len(mining.sizes)
    if not isinstance(theta, Sequence):
        return [theta] * classes
    if len(theta) != classes:
        raise UserError(
            f"threshold.theta has {len(theta)} numbers, and there are {classes} classes",
            f"classes  {', '.join(mining.class_names)}",
            fix="give one number a class, in this order, or one number for all",
        )
    return list(theta)
