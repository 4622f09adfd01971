"""YAML that remembers its lines, so that an error can name the file, the key and the line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ddbench.errors import UserError

Key = tuple[str | int, ...]


@dataclass
class Source:
    """A document read from YAML, and where each of its keys stood.

    data: plain dictionaries, lists and scalars. lines: the line of every key path. overrides: the ``-o`` texts that
    replaced or added a value, by key path. broadcast: those of them that ``method.x=...`` put into every method, of
    which a method that has no such key takes no notice.
    """

    name: str
    data: dict[str, Any]
    lines: dict[Key, int] = field(default_factory=dict)
    overrides: dict[Key, str] = field(default_factory=dict)
    broadcast: set[Key] = field(default_factory=set)

    def where(self, *key: str | int) -> str:
        """The place of a key, for errors: ``mtt.yaml, line 7: methods.mtt.unroll``, or the ``-o`` that set it."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.overrides:
                return f"-o {self.overrides[key[:end]]}"
        dotted = ".".join(str(part) for part in key)
        made = [text for path, text in self.overrides.items() if key and path[: len(key)] == key]
        if made and key not in self.lines:
            return f"-o {made[0]}"
        for end in range(len(key), 0, -1):
            if key[:end] in self.lines:
                return f"{self.name}, line {self.lines[key[:end]]}: {dotted}"
        return f"{self.name}: {dotted}" if key else self.name

    def override(self, text: str) -> None:
        """Apply one ``key.path=value``; the value is read as YAML. Errors: UserError when the text has another form."""
        path, equals, value = text.partition("=")
        keys: list[str | int] = [part.strip() for part in path.split(".")]
        if not equals or not all(keys):
            raise UserError(f"an override has the form key.path=value, not {text!r}", fix="for example -o ipc=10")
        try:
            parsed = yaml.load(value, Loader=_Loader)
        except yaml.YAMLError as error:
            raise UserError(f"the value in -o {text} is not YAML: {_first_line(error)}", fix="quote it") from None
        targets = self._targets(keys, text)
        for target in targets:
            self._put(target, parsed, text)
        if len(targets) > 1:
            self.broadcast.update(tuple(target) for target in targets)

    def _targets(self, keys: list[str | int], text: str) -> list[list[str | int]]:
        """``method.x`` stands for ``methods.<every method of the recipe>.x``; any other path for itself."""
        if keys[0] != "method" or len(keys) < 2:
            return [keys]
        methods = self.data.get("methods")
        if not isinstance(methods, dict) or not methods:
            raise UserError(f"-o {text} speaks of a method, but {self.name} has no methods", fix="add one")
        return [["methods", label, *keys[1:]] for label in methods]

    def _put(self, keys: list[str | int], value: Any, text: str) -> None:
        at: Any = self.data
        for part in keys[:-1]:
            if at.get(part) is None:
                at[part] = {}
            at = at[part]
            if not isinstance(at, dict):
                raise UserError(f"-o {text} goes into {part!r}, which has no keys of its own", fix="shorten the path")
        at[keys[-1]] = value
        self.overrides[tuple(keys)] = text


def read_source(path: Path, text: str | None = None) -> Source:
    """Read a YAML file whose top level is a mapping.

    Errors: UserError that names file and line for text that is no YAML, a key given twice, or another top level.
    """
    if text is None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} can not be read: {error}", fix="give a YAML file, in UTF-8") from None
    try:
        root = yaml.compose(text, Loader=_Loader)
        lines: dict[Key, int] = {}
        _note_lines(root, (), lines, path.name)
        data = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{path.name} is not YAML: {_first_line(error)}", fix="mend that line") from None
    if not isinstance(data, dict):
        raise UserError(
            f"{path.name} does not hold a mapping of keys to values", fix="see  ddbench recipes  for examples"
        )
    return Source(path.name, data, lines)


def _note_lines(node: yaml.Node | None, key: Key, lines: dict[Key, int], name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            inner = (*key, key_node.value)
            line = key_node.start_mark.line + 1
            if inner in lines:
                raise UserError(
                    f"{name} gives the key {'.'.join(map(str, inner))!r} twice",
                    f"first  line {lines[inner]}",
                    f"second line {line}",
                    fix="delete one of them",
                )
            lines[inner] = line
            _note_lines(value_node, inner, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*key, position)] = item.start_mark.line + 1
            _note_lines(item, (*key, position), lines, name)


def _first_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}" if mark else problem


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-5 as a number, as YAML 1.2 and every user of learning rates do."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+|[0-9][0-9_]*\.[0-9_]*|\.[0-9]+([eE][-+]?[0-9]+)?)$"),
    list("-+0123456789."),
)
