"""Reference pages of the site, written at build time from the program itself.

Nothing in them is copied by hand: commands come from their own help, keys from the pydantic models, the rest from the
registries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from inspect import cleandoc
from typing import Any

Table = Sequence[dict[str, Any]]


MARK = re.compile(r"<!-- generated: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put what is generated where a page has its mark; called by mkdocs."""
    return MARK.sub(lambda mark: GENERATED[mark.group(1)](), markdown)


def commands() -> str:
    """Describe every command, with its arguments and options, in the words of its own ``--help``."""
    import typer

    from ddbench.commands import app

    root = typer.main.get_command(app)
    return "".join(_command_section(name, command) for name, command in _commands("ddbench", root))


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command below ``command`` that has options of its own, with its full name, in the order of the help."""
    for word, inner in getattr(command, "commands", {}).items():
        yield f"{name} {word}", inner
        yield from _commands(f"{name} {word}", inner)


def _command_section(name: str, command: Any) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    records = [(parameter, parameter.get_help_record(context)) for parameter in command.params]
    arguments = [_named(record) for parameter, record in records if record and parameter.param_type_name == "argument"]
    options = [_named(record) for parameter, record in records if record and parameter.param_type_name != "argument"]
    head = f"\n## {name}\n\n```text\n{usage}\n```\n\n{_help_paragraphs(command.help or '')}\n"
    return head + "".join(f"\n{markdown_table(table)}" for table in (arguments, options) if table)


def _named(record: tuple[str, str]) -> dict[str, str]:
    name, text = record
    return {"name": f"`{name}`", "description": text}


def _help_paragraphs(text: str) -> str:
    """A help text as Markdown: commands set off by two spaces become code, paragraphs stay."""
    paragraphs = [" ".join(part.split("\n")) for part in cleandoc(text).replace("\b\n", "").split("\n\n")]
    return "\n\n".join(re.sub(r"  (\S.*?)(,?)(?=  |$)", r" `\1`\2", _escaped(part)) for part in paragraphs)


def recipe_keys() -> str:
    """Describe every key of a recipe, from the pydantic models and the lines under their fields."""
    from ddbench.commands.method_docs import settings_table
    from ddbench.recipe.evaluation import EvaluationRecipe
    from ddbench.recipe.experts import ExpertRecipe, GsamExperts, SgdExperts, SmoothExperts
    from ddbench.recipe.recipe import Recipe
    from ddbench.recipe.teachers import TeachersRecipe

    parts = (
        ("A recipe", Recipe),
        ("experts", ExpertRecipe),
        ("experts.optimizer: sgd", SgdExperts),
        ("experts.optimizer: gsam", GsamExperts),
        ("experts.optimizer: smooth", SmoothExperts),
        ("evaluation", EvaluationRecipe),
        ("evaluation.teachers", TeachersRecipe),
    )
    text = ""
    for title, model in parts:
        known = {row["setting"]: row for row in settings_table(model)}  # type: ignore[arg-type]
        rows = [_field_row(known[name], info) for name, info in model.model_fields.items() if name != "kind"]
        text += f"\n## {title}\n\n{_rst(model.__doc__)}\n\n{markdown_table(rows)}"
    return text


def _field_row(row: dict[str, str], info: Any) -> dict[str, str]:
    default = "**required**" if info.is_required() else f"`{row['default']}`" if row["default"] else ""
    kind = f"`{type_text(info.annotation)}`"
    return {"key": f"`{row['setting']}`", "type": kind, "default": default, "description": row["what"]}


def type_text(annotation: Any) -> str:
    """Write an annotation of a field as a recipe's author reads it: ``int``, ``int | null``, ``list of int``."""
    from types import NoneType, UnionType
    from typing import Annotated, Literal, Union, get_args, get_origin

    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(inner[0])
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(type_text(option) for option in inner))
    if origin is Literal:
        return " | ".join(str(option) for option in inner)
    if origin is tuple:
        return f"list of {type_text(inner[0])}"
    if origin is dict:
        return "mapping"
    if annotation is NoneType:
        return "null"
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        kind = annotation.model_fields.get("kind")
        return str(kind.default) if kind is not None else "mapping"
    return {"str": "text", "float": "number", "int": "integer", "bool": "true | false"}.get(
        getattr(annotation, "__name__", ""), str(annotation)
    )


def methods() -> str:
    """Describe every built-in method with all its settings."""
    from ddbench.commands.method_docs import about, expert_settings, settings_table
    from ddbench.methods import METHODS

    text = ""
    for name in METHODS.names():
        method = METHODS.get(name)
        experts = expert_settings(method)
        rows = [
            {"setting": f"`{row['setting']}`", "default": f"`{row['default']}`" if row["default"] else "", **_what(row)}
            for row in settings_table(method)
        ]
        text += f"\n## {name}\n\n{_rst(about(method))}\n"
        text += f"\nExperts, where a recipe does not set them: `{experts}`.\n" if experts else ""
        text += f"\n{markdown_table(rows)}"
    return text


def _what(row: dict[str, str]) -> dict[str, str]:
    return {"description": row["what"]}


def protocols() -> str:
    """Describe every protocol: what it trains with, its fingerprint and its source."""
    from ddbench.evaluate.graphs.protocols import GRAPH_PROTOCOLS
    from ddbench.evaluate.protocols.builtin import PROTOCOLS
    from ddbench.evaluate.protocols.network_pools import POOLS

    text = "## Images\n"
    for protocol in PROTOCOLS.values():
        text += _protocol_section(protocol)
    text += "\n## Graphs\n"
    for protocol in GRAPH_PROTOCOLS.values():
        text += _protocol_section(protocol)
    pools = [
        {
            "pool": f"`{pool.name}`",
            "networks": ", ".join(pool.networks),
            "description": pool.title,
            "source": pool.source,
        }
        for pool in POOLS.values()
    ]
    return text + f"\n## Pools of networks\n\n`evaluate SET --network POOL`\n\n{markdown_table(pools)}"


def _protocol_section(protocol: Any) -> str:
    aside = ("name", "version", "title", "source")
    rows = [
        {"value": f"`{field.name}`", "setting": f"`{_plain(getattr(protocol, field.name))}`"}
        for field in fields(protocol)
        if field.name not in aside and getattr(protocol, field.name) not in (None, (), "")
    ]
    head = f"\n### {protocol.key}\n\n{protocol.title[:1].upper()}{_escaped(protocol.title[1:])}.\n\n"
    return f"{head}Source: {_escaped(protocol.source)}. Fingerprint `{protocol.fingerprint}`.\n\n{markdown_table(rows)}"


def _plain(value: Any) -> str:
    """A value of a protocol without the parts that are not set."""
    if hasattr(value, "__dataclass_fields__"):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return ", ".join(f"{name}={part}" for name, part in parts.items() if part is not None)
    if isinstance(value, tuple):
        return "; ".join(_plain(part) for part in value)
    return str(value)


def markdown_table(rows: Table) -> str:
    """Write rows of equal keys as a Markdown table."""
    if not rows:
        return "No keys of its own.\n"
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(_cell(row[head]) for head in heads) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if text.startswith("`") else _escaped(text)


def _rst(text: str | None) -> str:
    """A docstring as Markdown."""
    plain = cleandoc(text or "").replace("``", "`")
    return _escaped(re.sub(r":[a-z]+:`~?([^`]+)`", r"`\1`", plain))


def _escaped(text: str) -> str:
    """Text whose angle and square brackets are no markup; what stands in code quotes stays."""
    pieces = text.split("`")
    pieces[::2] = [re.sub(r"([<\[\]])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)


GENERATED = {"commands": commands, "recipe_keys": recipe_keys, "methods": methods, "protocols": protocols}
"""What can be generated, by the name in a page's mark."""
