"""Finished trainings, one a file, so that a measurement goes on where it stopped and others share its baselines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.artifact import damaged, fingerprint, read_json, write_json
from ddbench.evaluate.scores import Scores

Question = Mapping[str, Any]
"""All that the accuracy of one network follows from, as JSON."""


@dataclass(frozen=True)
class TrainingScores:
    """What is known already.

    Random and real images do not depend on the method, so their trainings serve every set of the same data and ipc.
    """

    folder: Path | None
    """Where it lies, a file a training named by its question; None keeps nothing."""

    def find(self, question: Question) -> Scores | None:
        """The scores of this one network, or None.

        Raises:
            UserError: A file that is damaged.
        """
        if self.folder is None or not (path := self._path(self.folder, question)).exists():
            return None
        document = read_json(path, "finished training")
        try:
            if document["question"] != json.loads(json.dumps(dict(question))):
                raise ValueError("it answers another question")
            if type(document["accuracy"]) not in (int, float) or not 0 <= document["accuracy"] <= 1:
                raise ValueError("its accuracy is no fraction")
            return Scores(
                accuracy=(float(document["accuracy"]),),
                seeds=(question["seed"],),
                network=question["network"],
                protocol=question["protocol"],
                split=question["split"],
                lr=question["lr"],
                seconds=float(document["seconds"]),
                peak_bytes=int(document["peak_bytes"]),
                notes=tuple(map(str, document["notes"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, repr(error)) from None

    def keep(self, question: Question, scores: Scores, position: int) -> Scores:
        """Write down the network at this position of ``scores``. Returns the scores of it alone."""
        seed = scores.seeds[position]
        others = tuple(f"seed {other}:" for other in scores.seeds if other != seed)
        alone = Scores(
            accuracy=(scores.accuracy[position],),
            seeds=(seed,),
            network=scores.network,
            protocol=scores.protocol,
            split=scores.split,
            lr=question["lr"],
            seconds=scores.seconds / len(scores.seeds),
            peak_bytes=scores.peak_bytes,
            notes=tuple(note for note in scores.notes if not note.startswith(others)),
        )
        if self.folder is not None:
            document = {
                "question": dict(question),
                "accuracy": alone.accuracy[0],
                "seconds": alone.seconds,
                "peak_bytes": alone.peak_bytes,
                "notes": list(alone.notes),
            }
            write_json(self._path(self.folder, question), document)
        return alone

    @staticmethod
    def _path(folder: Path, question: Question) -> Path:
        return folder / f"{fingerprint(dict(question))}.json"
