"""Cache of scores, one file per training named by all that its scores follow from, so that nothing is trained twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench import artifact
from ddbench.evaluate.scores import Scores

Key = Mapping[str, Any]
"""All that scores follow from, as JSON: what is trained on, real data, protocol, network, split, "seed" or "seeds"."""

SCHEMA = 1
"""Latest version of the files; those without a version are of the first."""

_FREE: Mapping[str, Any] = {"seconds": 0.0, "peak_bytes": 0, "notes": []}


def no_earlier(key: Key) -> None:
    """Know no file of an older ddbench.

    Args:
        key: Not used.
    """
    del key


@dataclass(frozen=True)
class ScoreCache:
    """Scores that are known already.

    A file holds its key under "question", and beside it "accuracy", a fraction for a key with a "seed" and one fraction
    per seed for one with "seeds", and what the training cost. Files are whole or absent, so several processes may share
    a folder: each finds what the others have written.
    """

    folder: Path | None
    """Folder of the files; None remembers nothing."""
    earlier: Callable[[Key], object] = no_earlier
    """Reader of what an older ddbench wrote elsewhere: what it knows of a key, or None."""

    def find(self, key: Key, name: str = "") -> dict[str, Any] | None:
        """Find the scores of a key.

        Args:
            key: All that they follow from.
            name: Beginning of the file's name, for people who look into the folder.

        Returns:
            The document of the scores without its key, with costs and notes in any case; None where they are not known.

        Raises:
            UserError: Their file is damaged, or was written by a newer ddbench.
        """
        if self.folder is None:
            return None
        path = self.path(key, name)
        if not path.exists():
            document = self.earlier(key)
            return {**_FREE, **document} if isinstance(document, dict) and not _fault(document, key) else None
        document = artifact.read_json(path, "file of scores")
        if not isinstance(document, dict) or document.pop("question", None) != json.loads(artifact.canonical(key)):
            raise artifact.damaged(path, "it is of another training")
        if type(schema := document.get("schema")) is int and schema > SCHEMA:
            raise artifact.newer(path, schema)
        if fault := _fault(document, key):
            raise artifact.damaged(path, fault)
        return {**_FREE, **document}

    def keep(self, key: Key, document: Mapping[str, Any], name: str = "") -> None:
        """Write the scores of a key.

        Args:
            key: All that they follow from.
            document: Accuracy, and what else is to be remembered, as JSON.
            name: Beginning of the file's name.
        """
        if self.folder is not None:
            artifact.write_json(self.path(key, name), {**document, "question": dict(key)})

    def keep_seeds(self, key: Key, scores: Scores, name: str = "") -> dict[int, dict[str, Any]]:
        """Write the scores of several networks, one file per seed.

        Args:
            key: All that they follow from but the seed.
            scores: Scores of all.
            name: Beginning of the files' names.

        Returns:
            The documents, by seed.
        """
        documents = {seed: _document(scores, seed) for seed in scores.seeds}
        for seed, document in documents.items():
            self.keep({**key, "seed": seed}, document, name)
        return documents

    def path(self, key: Key, name: str = "") -> Path:
        """Name the file of a key; there must be a folder.

        Args:
            key: All that the scores follow from.
            name: Beginning of the file's name, for people who look into the folder.

        Returns:
            The path, whether or not the file exists.
        """
        assert self.folder is not None
        return self.folder / f"{name}{'-' if name else ''}{artifact.fingerprint(dict(key))}.json"


def _document(scores: Scores, seed: int) -> dict[str, Any]:
    """Describe what one network scored: its share of the seconds, its notes and those of all."""
    others = tuple(f"seed {other}:" for other in scores.seeds if other != seed)
    return {
        "accuracy": scores.accuracy[scores.seeds.index(seed)],
        "seconds": scores.seconds / len(scores.seeds),
        "peak_bytes": scores.peak_bytes,
        "notes": [note for note in scores.notes if not note.startswith(others)],
    }


def _fault(document: Mapping[str, Any], key: Key) -> str:
    """Say what is wrong with the scores of a key; empty where nothing is."""
    accuracy, notes = document.get("accuracy"), document.get("notes", [])
    fractions = accuracy if isinstance(accuracy, list) and "seeds" in key else [accuracy]
    if len(fractions) != len(key.get("seeds", [None])) or not all(_is_amount(value, 1) for value in fractions):
        return "its accuracy is not one fraction a seed"
    if not all(_is_amount(document.get(name, 0)) for name in ("seconds", "peak_bytes")):
        return "its costs are no amounts"
    return "" if isinstance(notes, list) and all(isinstance(note, str) for note in notes) else "its notes are no text"


def _is_amount(value: object, most: float = float("inf")) -> bool:
    return type(value) in (int, float) and 0 <= value <= most  # type: ignore[operator]
