"""``ddbench formats``: whose synthetic sets can be read, and for whom they can be written."""

from __future__ import annotations

from ddbench.commands import options
from ddbench.commands.listings import print_table


def formats(format: options.Format = options.TableFormat.text) -> None:
    """List the formats that ddbench import reads and ddbench export writes, those of installed plugins among them."""
    from ddbench.formats.export import EXPORTS
    from ddbench.formats.layout import LAYOUTS

    read = [(name, LAYOUTS.get(name)) for name in LAYOUTS.names()]
    written = [(name, EXPORTS.get(name)) for name in EXPORTS.names()]
    table = [{"format": name, "way": "import", "files": one.title, "source": one.source} for name, one in read]
    table += [{"format": name, "way": "export", "files": one.title, "source": ""} for name, one in written]
    print_table(table, format)
