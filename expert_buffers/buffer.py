"""The folder in which experts lie: one file an expert, one row an epoch, each read by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ddbench import artifact
from ddbench.errors import UserError
from ddbench.expert_buffers.expert_file import ExpertFile, read_header, row_sha256
from ddbench.expert_buffers.metadata import BufferDescription
from ddbench.expert_buffers.trajectory import Trajectory
from ddbench.expert_buffers.usable_experts import usable_fact

KIND = "expert"
DESCRIPTION = "buffer.json"
_LARGEST_DESCRIPTION = 64 * 2**20
ROWS = ("parameters", "statistics")
"""The tensors of an expert file that have a row an epoch, and one for the initialization."""


def expert_path(folder: Path, expert: int) -> Path:
    return folder / f"expert-{expert:04d}.safetensors"


def write_expert(
    folder: Path,
    expert: int,
    trajectory: Trajectory,
    description: BufferDescription,
    seconds: float = 0.0,
    end: Mapping[str, Tensor] | None = None,
) -> str:
    """Write one expert, atomically; returns the SHA-256 of its tensors. Each row has a checksum of its own as well.

    Args:
        folder, expert, trajectory, description: Folder and description of the buffer, number and rows of the expert.
        seconds: Seconds that its training took.
        end: State that its training can go on from, see ``training_state.end_state``; None where that is not known.

    Raises:
        UserError: The disk is full.
    """
    tensors = trajectory.tensors()
    rows = {name: [row_sha256(row) for row in tensors[name]] for name in ROWS if name in tensors}
    facts = {"buffer": description.fingerprint, "expert": expert, "epochs": trajectory.epochs, "rows": rows}
    facts |= {"seconds": round(seconds, 3), "extendable": end is not None}
    return artifact.save(expert_path(folder, expert), KIND, {**tensors, **(end or {})}, facts)


def write_description(folder: Path, description: BufferDescription) -> None:
    kind = {"kind": "expert buffer", "schema": artifact.SCHEMA}
    artifact.write_json(folder / DESCRIPTION, {**kind, **description.document()})


def is_buffer(folder: Path) -> bool:
    """Tell whether a folder is that of an expert buffer, also of one whose description is missing."""
    return (folder / DESCRIPTION).exists() or any(folder.glob("expert-*.safetensors"))


def read_description(folder: Path) -> BufferDescription:
    """Read the description of a folder's experts.

    Raises:
        UserError: ``buffer.json`` is absent, damaged or too new.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise UserError(
            f"there is no expert buffer in {folder}",
            f"why   it has no {DESCRIPTION}",
            _still_there(folder),
            fix="check the path, or train the experts (ddbench buffer RECIPE); those that are there will be kept",
        )
    if (size := path.stat().st_size) > _LARGEST_DESCRIPTION:
        raise artifact.damaged(path, f"it has {size} bytes, far more than any description")
    document = artifact.read_json(path, "description of an expert buffer")
    try:
        schema = document["schema"]
        if isinstance(schema, bool) or not isinstance(schema, int):
            raise TypeError("schema is not a number")
        if schema > artifact.SCHEMA:
            raise artifact.newer(path, schema)
        return BufferDescription.from_document(document)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise artifact.damaged(path, f"not a whole description: {error}") from None


@dataclass(frozen=True)
class Contents:
    """State of the files in a folder, from their headers and lengths alone."""

    usable: Mapping[int, int]
    """Epochs by number of each whole expert."""
    damaged: Mapping[int, str]
    """Why, by number, of each that can not be used."""
    foreign: frozenset[int]
    """Those among the damaged that are whole but belong to another buffer."""


def scan(folder: Path, description: BufferDescription, only: Sequence[int] | None = None) -> Contents:
    """Look at every expert file's header and length.

    A file of another buffer counts as damaged.

    Args:
        only: Leaves out files of other numbers; one of these that is missing is in none of the lists.
    """
    fingerprint = description.fingerprint
    q = description.statistic_count
    widths = {"parameters": description.parameter_count}
    widths |= {"statistics": q} if q and description.seed is not None else {}  # imported experts come without
    usable: dict[int, int] = {}
    damaged: dict[int, str] = {}
    foreign: set[int] = set()
    for expert in numbers(folder) if only is None else only:
        if not expert_path(folder, expert).is_file():
            continue
        try:
            header = read_header(expert_path(folder, expert))
        except artifact.WrittenByNewerError:  # whole, and not to be trained over
            raise
        except UserError as error:
            damaged[expert] = " ".join(fact.removeprefix("why   ") for fact in error.facts) or error.problem
            continue
        if header.facts.get("kind") != KIND or header.facts.get("buffer") != fingerprint:
            damaged[expert] = "it belongs to another buffer"
            foreign.add(expert)
        elif header.widths != widths:
            damaged[expert] = f"its rows have {header.widths} numbers, not {widths}"
        else:
            usable[expert] = header.epochs
    return Contents(usable, damaged, frozenset(foreign))


def numbers(folder: Path) -> list[int]:
    """List the numbers of the expert files in a folder, whatever their state, in order."""
    matches = (re.fullmatch(r"expert-(\d{4,})\.safetensors", path.name) for path in folder.glob("expert-*.safetensors"))
    return sorted(int(match[1]) for match in matches if match)


class ExpertBuffer:
    """Many expert trajectories on disk: ``buffer[expert, epoch]`` is a flat parameter vector, (P,), float32, CPU.

    Reading one fetches the bytes of that row and no others; the row's checksum is verified the first time. Opening a
    buffer takes a page or two of every expert file, its header. ``expert`` counts the experts of this buffer from 0,
    ``len(buffer)`` of them; ``epoch`` 0 is the initialization.
    """

    def __init__(self, folder: Path, description: BufferDescription, experts: Mapping[int, int]) -> None:
        self.folder, self.description = folder, description
        self.experts = tuple(sorted(experts))
        """The numbers of the files of experts 0, 1, ..."""
        self.epochs = min(experts.values())
        """How many epochs every expert has; rows 0 to ``epochs`` can be read."""
        self._files: dict[int, ExpertFile] = {}

    @classmethod
    def open(cls, folder: str | Path, experts: Sequence[int] | None = None) -> ExpertBuffer:
        """Open the experts in a folder; ``experts`` restricts to files of these numbers.

        Raises:
            UserError: There is no buffer, no expert, or when an expert that is to be used is missing or damaged; it
                names the file and lists what can still be used.
        """
        folder = Path(folder)
        description = read_description(folder)
        contents = scan(folder, description, experts)
        wanted = sorted({*contents.usable, *contents.damaged} if experts is None else set(experts))
        if not wanted:
            raise UserError(f"there are no experts in {folder}", fix="train some (ddbench buffer RECIPE)")
        for expert in wanted:
            if expert not in contents.usable:
                why = contents.damaged.get(expert)
                raise UserError(
                    f"expert file {expert_path(folder, expert).name} is {'missing' if why is None else 'damaged'}",
                    f"in    {folder}",
                    f"why   {why}" if why else "",
                    usable_fact(scan(folder, description).usable),
                    fix="delete it if it is there, and train it again (ddbench buffer RECIPE), or use fewer experts",
                )
        return cls(folder, description, {expert: contents.usable[expert] for expert in wanted})

    def __len__(self) -> int:
        return len(self.experts)

    @property
    def size(self) -> int:
        """P, the length of a row."""
        return self.description.parameter_count

    @property
    def fingerprint(self) -> str:
        """Of the description and of every expert's content: what artifacts made from this buffer carry."""
        return artifact.fingerprint([self.description.fingerprint, [self._file(e).sha256 for e in range(len(self))]])

    def digest(self, epochs: int) -> str:
        """Hash the rows 0 to ``epochs`` of every expert, for methods that look at no more of them."""
        rows = [self._file(expert).digests("parameters")[: epochs + 1] for expert in range(len(self))]
        return artifact.fingerprint([self.description.fingerprint, rows])

    def identity(self, epochs: int) -> str:
        """Hash what a distillation on these experts follows from: their digest, where training again gives equal bits.

        A GPU's kernels add in any order, so that an expert it trains again is another to the bit and as good: there the
        description counts, and which experts there are.
        """
        if self.description.trained_on is None:
            return self.digest(epochs)
        return artifact.fingerprint([self.description.fingerprint, list(self.experts), epochs])

    @property
    def seconds(self) -> float:
        """Seconds that training these experts took, in all processes; 0 for imported ones."""
        return sum(self._file(expert).seconds for expert in range(len(self)))

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        """Errors: UserError when the row is damaged; IndexError beyond the experts or the epochs."""
        expert, epoch = key
        return self._row("parameters", expert, epoch).float()

    def statistics(self, expert: int, epoch: int) -> Tensor | None:
        """Batch norm's running statistics with which ``self[expert, epoch]`` goes, (Q,); None for networks without.

        Raises:
            UserError: Imported experts, which come without.
        """
        if not self.description.statistics:
            return None
        if not self._file(expert).has("statistics"):
            raise UserError(
                f"experts of {self.description.network} are needed with the running statistics of batch norm",
                f"in    {self.folder}",
                "why   replay buffers of other projects do not hold them",
                fix="train the experts (ddbench buffer RECIPE, another --home), or use a network without batch norm",
            )
        return self._row("statistics", expert, epoch)

    def curves(self, expert: int) -> dict[str, Tensor]:
        """Curves by epoch, each (E,): see :class:`Trajectory`."""
        return self._file(expert).curves()

    def trajectory(self, expert: int) -> Trajectory:
        """Read the whole of one expert, its checksum verified; E+1 rows in memory."""
        return Trajectory.from_tensors(artifact.load(expert_path(self.folder, self.experts[expert]), KIND)[0])

    def require_match(self, requested: BufferDescription) -> None:
        """Require the dataset, network and preprocessing of ``requested``; UserError names both values that differ."""
        self.description.require_same(requested, str(self.folder))

    def require_epochs(self, epochs: int) -> None:
        """Require ``epochs`` epochs of every expert; UserError where one has fewer."""
        if self.epochs >= epochs:
            return
        more = f"train more: ddbench buffer RECIPE -o experts.epochs={epochs}"
        if self.description.seed is None:
            more = "import longer ones"
        elif all(self._file(expert).extendable for expert in range(len(self))):
            more += " (what is there is kept and extended)"
        raise UserError(
            f"the experts are too short: {epochs} epochs are needed, they have {self.epochs}",
            f"in    {self.folder}",
            fix=f"{more}, or lower max_start_epoch or expert_epochs",
        )

    def _row(self, name: str, expert: int, epoch: int) -> Tensor:
        file = self._file(expert)
        row = file.row(name, epoch)
        if row is None:
            raise UserError(
                f"expert file {file.path.name} is damaged",
                f"in    {self.folder}",
                f"why   its {name} at epoch {epoch} are not those that were written",
                usable_fact([number for number in self.experts if number != self.experts[expert]]),
                fix="delete the file and train this expert again (ddbench buffer RECIPE), or use the others",
            )
        return row

    def _file(self, expert: int) -> ExpertFile:
        if not 0 <= expert < len(self):
            raise IndexError(f"expert {expert} of a buffer of {len(self)}")
        number = self.experts[expert]
        if number not in self._files:
            self._files[number] = ExpertFile(expert_path(self.folder, number))
        return self._files[number]


def _still_there(folder: Path) -> str:
    experts = numbers(folder) if folder.is_dir() else []
    return f"there {len(experts)} expert files" if experts else ""
