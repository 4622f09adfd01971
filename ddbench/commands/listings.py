"""``ddbench methods | datasets | networks | protocols | recipes``: what there is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddbench.commands import options

if TYPE_CHECKING:
    from ddbench.distillation.method import Method


def methods(
    name: Annotated[str | None, typer.Argument(help="Show this method: what it does, and all its settings.")] = None,
    plugin: options.Plugin = None,
    format: options.Format = options.TableFormat.text,
) -> None:
    """List the distillation methods, those of installed plugins among them, or show one with all its settings.

    A setting is given in a recipe, or on the command line:  -o method.labels=learned,  -o methods.datm.labels.lr=5.
    """
    from ddbench.methods import METHODS
    from ddbench.pipeline.plugins import run_plugin

    for path in plugin or []:
        run_plugin(path)
    if name is not None:
        _show_method(METHODS.get(name), format)
        return
    table = []
    for name in METHODS.names():
        method = METHODS.get(name)
        table.append({"method": name, "kind": method.KIND, "what": _summary(method)})
    print_table(table, format)


def datasets(format: options.Format = options.TableFormat.text) -> None:
    """List the data sets by name, and the forms in which your own can be given."""
    from ddbench.data.sources import dataset_table

    print_table(dataset_table(), format)


def networks(format: options.Format = options.TableFormat.text) -> None:
    """List the networks by name, those for graphs last; torchvision:NAME and timm:NAME work as well."""
    from ddbench.pipeline.domains import all_domains

    print_table([row for domain in all_domains() for row in domain.network_rows()], format)


def protocols(format: options.Format = options.TableFormat.text) -> None:
    """List the evaluation protocols, frozen and versioned; those on graphs last, which count steps, not epochs."""
    from ddbench.pipeline.domains import all_domains

    print_table([row for domain in all_domains() for row in domain.protocol_rows()], format)


def pools(format: options.Format = options.TableFormat.text) -> None:
    """List the pools of networks by which sets are judged across architectures: evaluate SET --network POOL."""
    from ddbench.evaluate.protocols.network_pools import POOLS

    print_table(
        [
            {
                "pool": p.name,
                "networks": ", ".join(p.networks),
                "rate": p.lr_policy,
                "what": p.title,
                "source": p.source,
            }
            for p in POOLS.values()
        ],
        format,
    )


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe itself, to read or to start from.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print a JSON schema of recipes, for editors.")] = False,
    plugin: options.Plugin = None,
    format: options.Format = options.TableFormat.text,
) -> None:
    """List the recipes that come with ddbench, or print one: values, where they are from, what contradicts them.

    To change one:  ddbench recipes quickstart > my.yaml,  edit it, and  ddbench run my.yaml.
    """
    import yaml

    from ddbench.errors import unknown
    from ddbench.recipe.recipe import shipped_recipes

    if schema:
        from ddbench.pipeline.plugins import run_plugin
        from ddbench.pipeline.recipe_schema import recipe_schema

        for path in plugin or []:
            run_plugin(path)
        typer.echo(json.dumps(recipe_schema(), indent=2))
        return
    if name is not None:
        texts = shipped_recipes()
        if name not in texts:
            raise unknown("recipe", name, texts, fix="ddbench recipes lists what there is")
        typer.echo(texts[name].rstrip())
        return
    read = {name: yaml.safe_load(text) for name, text in shipped_recipes().items()}
    print_table(
        [{"recipe": name, "what": " ".join(data.get("description", "").split())} for name, data in read.items()], format
    )


def _show_method(kind: type[Method], format: options.TableFormat) -> None:
    from textwrap import fill

    from ddbench.commands.method_docs import about, expert_settings, settings_table

    table = settings_table(kind)
    if format is options.TableFormat.text:
        typer.echo(about(kind) + "\n")
        if kind.EXPERTS:
            typer.echo(f"experts, where a recipe does not say: {expert_settings(kind)}\n")
        table = [{**line, "what": fill(line["what"], 76)} for line in table]
    print_table(table, format)


def _summary(kind: type) -> str:
    lines = (kind.__doc__ or "").strip().splitlines()
    return lines[0].replace("`", "") if lines else ""


def print_table(table: Sequence[dict[str, Any]], format: options.TableFormat) -> None:
    """Print records as a table.

    Args:
        table: Records of the same keys, which head the columns; None is an empty cell.
        format: Form of the table; JSON has the records as they are.
    """
    from ddbench.files.tables import Report, table_of

    cells = [{key: "" if value is None else str(value) for key, value in row.items()} for row in table]
    typer.echo(Report(blocks=[table_of(cells)], records=table, document=table).write(format.value))


def formats(format: options.Format = options.TableFormat.text) -> None:
    """List the formats that ddbench import reads and ddbench export writes, those of installed plugins among them."""
    from ddbench.formats.export import EXPORTS
    from ddbench.formats.reader import READERS

    read = [(name, READERS.get(name)) for name in READERS.names()]
    written = [(name, EXPORTS.get(name)) for name in EXPORTS.names()]
    table = [{"format": name, "way": "import", "files": one.title, "source": one.source} for name, one in read]
    table += [{"format": name, "way": "export", "files": one.title, "source": ""} for name, one in written]
    print_table(table, format)
