"""Names to objects: loaded when asked for, refused when taken twice, suggested when misspelt."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from ddbench.errors import UserError, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of named plugins of one kind.

    Args:
        kind: What a member is called in messages ("method").
        builtin: Name to ``"module:attribute"``, imported on first use.
        group: The entry-point group through which other installed packages add theirs.
    """

    def __init__(self, kind: str, builtin: Mapping[str, str], group: str | None = None) -> None:
        self.kind, self.group = kind, group
        self._targets: dict[str, str] = dict(builtin)
        self._loaded: dict[str, T] = {}
        self._asked_outside = group is None
        self._outside: set[str] = set()

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate a class or function to add it to the table.

        Args:
            name: Name by which recipes find it.

        Returns:
            The decorator, which returns its argument. The same definition may be registered again.

        Raises:
            UserError: Another definition has the name.
        """

        def add(member: T) -> T:
            target = f"{getattr(member, '__module__', '?')}:{getattr(member, '__qualname__', repr(member))}"
            taken = self._targets.get(name)
            if taken is not None and taken != target and not self._announces(taken, member):
                raise UserError(
                    f"two {self.kind}s are named {name!r}",
                    f"first  {taken}",
                    f"second {target}",
                    fix="give one of them another name",
                )
            self._targets[name] = target
            self._loaded[name] = member
            return member

        return add

    def name_of(self, member: T) -> str | None:
        """Find the name of a registered class or function.

        Args:
            member: The object, as it was registered.

        Returns:
            Its name, the first in the alphabet where it has several; None where it is not registered.
        """
        target = f"{getattr(member, '__module__', '?')}:{getattr(member, '__qualname__', repr(member))}"
        return next((name for name in self.names() if self._targets[name] == target), None)

    def names(self) -> list[str]:
        """List every known name.

        Returns:
            Names, sorted, those of installed packages among them. Nothing is imported but the modules of packages whose
            entry point names no member.

        Raises:
            UserError: Two packages use the same name.
        """
        self._ask_outside()
        return sorted(self._targets)

    def get(self, name: str, where: str = "") -> T:
        """Look up a member, and import it where it was not used before.

        Args:
            name: Its name.
            where: The place the name was read from, for errors; may be empty.

        Returns:
            The class or function.

        Raises:
            UserError: No member has the name (the nearest names are given), or its module can not be imported.
        """
        self._ask_outside()
        if name not in self._targets:
            raise unknown(self.kind, name, self._targets, where, fix=f"ddbench {self.kind}s lists what there is")
        if name not in self._loaded:
            member = self._import(name)
            self._loaded.setdefault(name, member)  # type: ignore[arg-type]
        return self._loaded[name]

    def _import(self, name: str) -> object:
        target = self._targets[name]
        module, _, attribute = target.partition(":")
        try:
            member: object = importlib.import_module(module)
            for part in attribute.split("."):
                member = getattr(member, part)
        except (ImportError, AttributeError) as error:
            raise UserError(
                f"the {self.kind} {name!r} can not be loaded from {target}",
                f"why   {error}",
                fix="mend or uninstall the package that brings it",
            ) from error
        return member

    def _announces(self, target: str, member: object) -> bool:
        """Whether the entry point of a package stands for what the package's own module registers."""
        module, home = target.partition(":")[0], getattr(member, "__module__", "")
        return target in self._outside and (home == module or home.startswith(f"{module}."))

    def _ask_outside(self) -> None:
        if self._asked_outside or self.group is None:
            return
        self._asked_outside = True
        for point in entry_points(group=self.group):
            self._outside.add(point.value)
            if ":" not in point.value:
                self._register_module(point.name, point.value)
                continue
            taken = self._targets.get(point.name)
            if taken is not None and taken != point.value:
                raise UserError(
                    f"two {self.kind}s are named {point.name!r}",
                    f"first  {taken}",
                    f"second {point.value} (entry point of an installed package)",
                    fix="uninstall one of the two packages or rename its entry point",
                )
            self._targets[point.name] = point.value

    def _register_module(self, name: str, module: str) -> None:
        """Import a module that an entry point names without a member: it registers its own.

        Raises:
            UserError: It can not be imported, or registers nothing.
        """
        before = set(self._targets)
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(
                f"the entry point {name} = {module!r} of a package can not be loaded",
                f"why   {error}",
                fix="mend or uninstall the package that brings it",
            ) from error
        mine = (target.partition(":")[0] for target in self._targets.values())
        if set(self._targets) == before and not any(home == module or home.startswith(f"{module}.") for home in mine):
            raise UserError(
                f"the entry point {name} = {module!r} of a package registers no {self.kind}",
                f"in    group {self.group}",
                fix=f'name the class ({name} = "{module}:Class"), or register it when the module is imported',
            )
