"""YAML that remembers its lines, so that an error can name the file, the key and the line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ddbench.errors import UserError
from ddbench.files.regular_file import read_regular
from ddbench.recipe.yaml_text import MOST_BYTES, Key, parse_yaml

__all__ = ["Key", "YamlSource", "keys_of", "read_source"]


@dataclass
class YamlSource:
    """A document read from YAML, and where each of its keys stood."""

    name: str
    """Name of the file, for errors."""
    data: dict[Any, Any]
    """Plain dictionaries, lists and scalars."""
    lines: dict[Key, int] = field(default_factory=dict)
    """The line of every key path."""
    overrides: dict[Key, str] = field(default_factory=dict)
    """What replaced or added a value (``-o ...``, or a line of a sweep), by key path."""
    broadcast: set[Key] = field(default_factory=set)
    """Paths of those that ``method.x`` put into every method, of which a method that has no such key takes no
    notice."""
    opened: set[Key] = field(default_factory=set)
    """Paths of bare names that were given keys."""

    def where(self, *key: str | int) -> str:
        """Tell where a key was written, for errors.

        Args:
            key: Path of the key; empty for the whole document.

        Returns:
            The place, such as ``mtt.yaml, line 7: methods.mtt.unroll``, or the ``-o`` that set it.
        """
        for end in range(len(key), 0, -1):
            if key[:end] in self.overrides:
                return self.overrides[key[:end]]
        dotted = ".".join(str(part) for part in key)
        made = [location for path, location in self.overrides.items() if key and path[: len(key)] == key]
        if made and key not in self.lines:
            return made[0]
        for end in range(len(key), 0, -1):
            if key[:end] in self.lines:
                return f"{self.name}, line {self.lines[key[:end]]}: {dotted}"
        return f"{self.name}: {dotted}" if key else self.name

    def copy(self) -> YamlSource:
        """Copy the document: what is put into one does not show in the other.

        Returns:
            The copy.
        """
        return replace(
            self,
            data=dict(self.data),
            overrides=dict(self.overrides),
            broadcast=set(self.broadcast),
            opened=set(self.opened),
        )

    def at_ipc(self, label: str, ipc: int) -> YamlSource:
        """Look at the settings of one method at one ipc, those that ``by_ipc`` gives included.

        Args:
            label: Key of the method's entry.
            ipc: Images per class.

        Returns:
            A copy in which :meth:`where` finds settings of ``by_ipc`` under the method's own keys.
        """
        seen = replace(self.copy(), lines=dict(self.lines))
        for places, number in ((seen.lines, str(ipc)), (seen.overrides, ipc)):
            inside = ("methods", label, "by_ipc", number)
            paths = [path for path in places if path[:4] == inside and len(path) > 4]
            places |= {("methods", label, *path[4:]): places[path] for path in paths}
        return seen

    def override(self, text: str) -> None:
        """Apply one override of the command line.

        Args:
            text: ``key.path=value``; the value is read as YAML.

        Raises:
            UserError: The text has another form.
        """
        path, equals, value = text.partition("=")
        if not equals or not keys_of(path):
            raise UserError(f"an override has the form key.path=value, not {text!r}", fix="for example -o ipc=10")
        shown = text if len(text) <= 200 else f"{text[:200]}..."
        try:
            parsed = parse_yaml(value, f"the value in -o {shown}").data
        except UserError as error:
            raise UserError(error.problem, *error.facts, fix="quote it") from None
        self.put(path, parsed, f"-o {shown}")

    def put(self, path: str, value: Any, location: str) -> None:
        """Set the value at a path.

        What is set in a method holds at every ipc, whatever its ``by_ipc`` says.

        Args:
            path: Keys joined by dots; ``method.x`` sets x in every method.
            value: Plain value.
            location: Where it is from, for errors.

        Raises:
            UserError: The path goes into a value that has no keys, or the recipe has no methods.
        """
        targets = self._targets(keys_of(path), location)
        for target in targets:
            self._put(target, value, location)
            for inside in self._in_by_ipc(target):
                self._put(inside, value, location)
                self._forget(inside)
            self._forget(target)
            self.overrides[target] = location
        if len(targets) > 1:
            self.broadcast.update(targets)

    def _targets(self, keys: Key, location: str) -> list[Key]:
        """``method.x`` stands for ``methods.<every method of the recipe>.x``; any other path for itself."""
        if keys[0] != "method" or len(keys) < 2:
            return [keys]
        methods = self.data.get("methods")
        if not isinstance(methods, dict) or not methods:
            raise UserError(f"{location} speaks of a method, but {self.name} has no methods", fix="add one")
        return [("methods", label, *keys[1:]) for label in methods]

    def _put(self, keys: Key, value: Any, location: str) -> None:
        """Set one value, in copies of what is on the way there, since a YAML alias may stand for it in several places.

        A bare name on the way becomes what it stands for: ``gsam`` is ``{kind: gsam}``.
        """
        at = self.data
        for depth, part in enumerate(keys[:-1], start=1):
            inner = at.get(part)
            if isinstance(inner, str) and _may_be_a_part(keys[:depth]):
                inner = {"kind": inner}
                self.opened.add(keys[:depth])
            if not isinstance(inner, dict | None):
                raise UserError(f"{location} goes into {part!r}, which has no keys of its own", fix="shorten the path")
            at[part] = dict(inner or {})
            at = at[part]
        at[keys[-1]] = value

    def _in_by_ipc(self, keys: Key) -> list[Key]:
        """The same path in those settings of ``by_ipc`` that would beat it."""
        if keys[0] != "methods" or len(keys) < 3 or keys[2] == "by_ipc":
            return []
        by_ipc = self.data["methods"][keys[1]].get("by_ipc")
        entries = by_ipc.items() if isinstance(by_ipc, dict) else ()
        return [
            ("methods", keys[1], "by_ipc", ipc, *keys[2:])
            for ipc, settings in entries
            if isinstance(settings, dict) and keys[2] in settings
        ]

    def _forget(self, keys: Key) -> None:
        """What was put at or below a path no longer is."""
        below = {path for path in (*self.overrides, *self.opened) if path[: len(keys)] == keys}
        self.overrides = {path: location for path, location in self.overrides.items() if path not in below}
        self.broadcast -= below
        self.opened -= below


def keys_of(path: str) -> Key:
    """Split a path into keys.

    Args:
        path: Keys joined by dots.

    Returns:
        The keys, an ipc below ``by_ipc`` as a number, as in YAML; empty where the path is none.
    """
    parts = [part.strip() for part in path.split(".")]
    before = ["", *parts]
    keys = [int(part) if part.isdigit() and b == "by_ipc" else part for part, b in zip(parts, before, strict=False)]
    return tuple(keys) if all(parts) else ()


def _may_be_a_part(keys: Key) -> bool:
    """Whether a text at this path may be the bare name of a part: a setting of a method or of the experts."""
    inside = keys[2:] if keys[0] == "methods" else keys[1:] if keys[0] == "experts" else ()
    return bool(inside) and inside != ("method",)


def read_source(path: Path, text: str | None = None) -> YamlSource:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: The file; its name is used in errors.
        text: Content; None to read the file.

    Returns:
        The document, with the line of each key.

    Raises:
        UserError: No regular file, too large, no YAML or beyond its bounds, a key given twice, or another top level;
            names file and line.
    """
    if text is None:
        fix = "give a YAML file, in UTF-8"
        try:
            text = read_regular(path, "recipe", most=MOST_BYTES, fix=fix).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} can not be read: {error}", fix=fix) from None
    document = parse_yaml(text, path.name)
    data = document.data
    if not isinstance(data, dict):
        raise UserError(
            f"{path.name} does not hold a mapping of keys to values", fix="see  ddbench recipes  for examples"
        )
    return YamlSource(path.name, data, document.positions)
