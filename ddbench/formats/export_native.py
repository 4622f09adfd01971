"""The set itself, as ddbench keeps it."""

from __future__ import annotations

from pathlib import Path

from ddbench.errors import UserError
from ddbench.formats.export import Exported, Exporter
from ddbench.formats.export_folder import file_in
from ddbench.synthetic.synthetic_set import SyntheticSet, load_synthetic

SUFFIX = ".safetensors"


def write(syn: SyntheticSet, out: Path, home: Path) -> Exported:
    """One safetensors file with everything, read back and compared. ``out``: the file, or the folder to put it in."""
    del home
    file = file_in(out, SUFFIX, f"synthetic{SUFFIX}")
    digest = syn.save(file)
    if load_synthetic(file).bytes != syn.bytes:
        raise UserError(f"{file} was changed while it was written", fix="export again")
    return Exported(files=(file,), notes=(f"checksum {digest[:16]}, read back",))


NATIVE = Exporter(name="native", title="ddbench's own file, with everything, checked", write=write)
