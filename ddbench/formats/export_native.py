"""The set itself, as ddbench keeps it."""

from __future__ import annotations

from pathlib import Path

from ddbench.errors import UserError
from ddbench.formats.export import Exported, Exporter
from ddbench.formats.export_folder import file_in
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic

SUFFIX = ".safetensors"


def write(syn: SyntheticSet, out: Path, home: Path) -> Exported:
    """Write one safetensors file with everything, read back and compared.

    Args:
        syn: The set, on the CPU.
        out: The file, or the folder to put it in.
        home: Folder of cached whitenings.

    Returns:
        The files, and notes on what they hold otherwise or not at all.

    Raises:
        UserError: The file exists, or was changed while it was written.
    """
    del home
    file = file_in(out, SUFFIX, f"synthetic{SUFFIX}")
    digest = syn.save(file)
    if load_synthetic(file).bytes != syn.bytes:
        raise UserError(f"{file} was changed while it was written", fix="export again")
    return Exported(files=(file,), notes=(f"checksum {digest[:16]}, read back",))


NATIVE = Exporter(name="native", title="ddbench's own file, with everything, checked", write=write)
