"""Reading of YAML within bounds: text, levels, values and what aliases repeat; every fault with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import ComposerError

from ddbench.errors import UserError, error_summary

Key = tuple[str | int, ...]

MOST_BYTES = 2**18
"""Of a recipe's text."""
MOST_VALUES = 10_000
"""Keys and values of a recipe, those that an alias repeats counted again."""
DEEPEST = 32
"""Levels of lists and mappings in each other."""
MOST_INTEGER = 2**63 - 1
LONGEST_TEXT = 20_000
"""Characters of one value."""


@dataclass(frozen=True)
class YamlDocument:
    """Values of a YAML text, and the line of every key."""

    data: Any
    """Plain dictionaries, lists and scalars."""
    positions: dict[Key, int] = field(default_factory=dict)
    """The line of every key path."""


def parse_yaml(text: str, name: str) -> YamlDocument:
    """Parse a text of YAML.

    Args:
        text: YAML 1.1, in which 1e-5 is a number.
        name: What the text is, for errors.

    Returns:
        The values, and where each key stands.

    Raises:
        UserError: It is no YAML, gives a key twice, or is beyond the bounds of this module; names the line.
    """
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return YamlDocument(None)
            _require_bounds(root, name)
            positions: dict[Key, int] = {}
            _record_positions(root, (), positions, name)
            return YamlDocument(loader.construct_document(root), positions)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise UserError(f"{name} is not YAML: {yaml_problem(error)}", fix="mend that line") from None
    except RecursionError:
        raise _too_deep(name) from None


def yaml_problem(error: yaml.YAMLError) -> str:
    """Say what is wrong with a YAML text.

    Args:
        error: As the parser raised it.

    Returns:
        One line, which begins with the line of the text.
    """
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or next(iter(str(error).splitlines()), type(error).__name__)
    return f"line {mark.line + 1}: {problem}" if mark else problem


def _require_bounds(root: yaml.Node, name: str) -> None:
    """Refuse too many values, aliases followed, too many levels, and what contains itself."""
    counts: dict[int, int] = {}
    _count(root, (), counts, name)


def _count(node: yaml.Node, above: tuple[int, ...], counts: dict[int, int], name: str) -> int:
    """Keys and values at and below a node, each alias counted as what it stands for; a node is visited once."""
    if id(node) in above:
        raise UserError(
            f"{name} is endless: an alias stands inside what it repeats",
            f"from  {name}, line {node.start_mark.line + 1}",
            fix="write the values out instead of the alias",
        )
    if id(node) not in counts:
        if len(above) > DEEPEST:
            raise _too_deep(name)
        total = 1
        for inner in _inside(node):
            total += _count(inner, (*above, id(node)), counts, name)
            if total > MOST_VALUES:
                raise UserError(
                    f"{name} has more than {MOST_VALUES:,} values, those that aliases repeat counted again",
                    f"from  {name}, line {node.start_mark.line + 1}",
                    fix="write a shorter recipe",
                )
        counts[id(node)] = total
    return counts[id(node)]


def _inside(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _too_deep(name: str) -> UserError:
    return UserError(f"{name} has more than {DEEPEST} levels of lists and mappings", fix="write it flatter")


def _record_positions(node: yaml.Node, key: Key, positions: dict[Key, int], name: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise UserError(
                    f"{name} has a list or a mapping for a key",
                    f"from  {name}, line {line}",
                    fix="write a name before the colon",
                )
            inner = (*key, key_node.value)
            if inner in positions:
                raise UserError(
                    f"{name} gives the key {'.'.join(map(str, inner))!r:.200} twice",
                    f"first  line {positions[inner]}",
                    f"second line {line}",
                    fix="delete one of them",
                )
            positions[inner] = line
            _record_positions(value_node, inner, positions, name)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            positions[(*key, position)] = item.start_mark.line + 1
            _record_positions(item, (*key, position), positions, name)


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads 1e-5 as a number, as YAML 1.2 and every user of learning rates do, that names the line of
    a value which is none, and refuses what a recipe can not use: endless integers and text, zero characters."""

    _composed = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._composed += 1
        if self._composed > MOST_VALUES:  # before the rest is read, which takes Python seconds
            problem = f"more than {MOST_VALUES:,} values, which is more than a recipe has"
            raise ComposerError(None, None, problem, self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except (ValueError, TypeError, OverflowError, KeyError, IndexError, AttributeError) as error:
            why = error_summary(error)
            if "string conversion" in why:  # which Python refuses in words about itself
                why = "a number has too many digits"
            raise yaml.constructor.ConstructorError(None, None, why, node.start_mark) from None
        if problem := _problem_of(value):
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return value


def _problem_of(value: Any) -> str:
    """Why a recipe can not have this scalar; empty where it can."""
    if isinstance(value, int) and abs(value) > MOST_INTEGER:
        return f"the number is beyond {MOST_INTEGER}"
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            return f"a value has more than {LONGEST_TEXT:,} characters"
        if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value):
            return "a text has a zero character, or half of a surrogate pair"
    return ""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+|[0-9][0-9_]*\.[0-9_]*|\.[0-9]+([eE][-+]?[0-9]+)?)$"),
    list("-+0123456789."),
)
