"""Which outer step's synthetic set stands for a run: the last, the best on validation, or the best on test."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Literal, get_args

import torch

from ddbench.artefact import describe, fingerprint, read_json, write_json
from ddbench.data.realset import RealSet
from ddbench.errors import UserError, unknown
from ddbench.evaluate.protocols import Protocol
from ddbench.evaluate.protocols import protocol as protocol_named
from ddbench.evaluate.rows import Selection
from ddbench.evaluate.score import score
from ddbench.evaluate.workers import Workers
from ddbench.execution import Progress, Silent
from ddbench.networks import canonical_network_name
from ddbench.randomness import derive
from ddbench.synthetic import load_synthetic
from ddbench.teachers import Teachers

CACHE = "scores.json"


@dataclass(frozen=True, kw_only=True)
class Selected:
    """The candidate that was chosen. scores: accuracies (fractions) by outer step, empty where nothing was trained."""

    rule: Selection
    step: int
    path: Path
    scores: dict[int, tuple[float, ...]] = field(default_factory=dict)


def candidates(folder: Path) -> dict[int, Path]:
    """The candidates that a distillation left, ``000100.safetensors`` and so on, by outer step, ascending.

    Errors: UserError when there is none.
    """
    found = {int(path.stem): path for path in folder.glob("*.safetensors") if path.stem.isdecimal()}
    if not found:
        raise UserError(f"there is no synthetic set to choose from in {folder}", fix="run the distillation first")
    return dict(sorted(found.items()))


def selection_seeds(seed: int, networks: int) -> tuple[int, ...]:
    """Seeds of the networks that judge candidates: never those of the networks that score the chosen one."""
    return tuple(derive(seed, "selection", number) for number in range(networks))


def selection_rule(name: str, where: str = "") -> Selection:
    """The rule of this name. where: the place it was read from. Errors: UserError with the nearest name."""
    for rule in get_args(Selection):
        if rule == name:
            return rule
    raise unknown("selection", name, get_args(Selection), where)


def select(
    folder: Path,
    rule: str,
    real: RealSet,
    *,
    protocol: str | Protocol,
    network: str | None = None,
    networks: int = 1,
    seed: int = 0,
    device: torch.device | str = "cpu",
    steps: int | None = None,
    teachers: Teachers | None = None,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Selected:
    """Choose among the candidates in ``folder`` by ``rule``: "last", "validation", or "oracle".

    networks: how many fresh ones are trained on each candidate; the highest mean accuracy wins, of equals the later
    step. network: None takes the one each set was distilled with. steps: as in ``score``. A single candidate is chosen
    without training. Scores are kept beside the candidates, so that a call that was interrupted goes on, and a second
    call costs nothing.
    Errors: UserError for an unknown rule or protocol, no candidates, and "validation" without a validation split.
    """
    rule = selection_rule(rule)
    found = candidates(folder)
    last = max(found)
    if rule == "last" or len(found) == 1:
        return Selected(rule=rule, step=last, path=found[last])

    judge = _Judge(
        cache=folder / CACHE,
        real=real,
        protocol=protocol_named(protocol) if isinstance(protocol, str) else protocol,
        network=network,
        seeds=selection_seeds(seed, networks),
        split="test" if rule == "oracle" else "validation",
        device=device,
        steps=steps,
        teachers=teachers,
        workers=workers,
    )
    meter = progress or Silent()
    meter.start(len(found), f"select by {rule}")
    scores: dict[int, tuple[float, ...]] = {}
    for done, (step, path) in enumerate(found.items(), start=1):
        scores[step] = judge.accuracy(path)
        meter.update(done, step=step, accuracy=f"{fmean(scores[step]):.4f}")
    meter.close()
    best = max(scores, key=lambda step: (fmean(scores[step]), step))
    return Selected(rule=rule, step=best, path=found[best], scores=scores)


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """Scores candidates, and remembers each score in a file as soon as it is known."""

    cache: Path
    real: RealSet
    protocol: Protocol
    network: str | None
    seeds: tuple[int, ...]
    split: Literal["test", "validation"]
    device: torch.device | str
    steps: int | None
    teachers: Teachers | None
    workers: Workers | None

    def accuracy(self, path: Path) -> tuple[float, ...]:
        known = read_json(self.cache, "file of candidates' scores") if self.cache.exists() else {}
        question = self._question(path)
        key = fingerprint(question)
        if key not in known:
            scores = score(
                load_synthetic(path),
                self.real,
                protocol=self.protocol,
                network=self.network,
                seeds=self.seeds,
                device=self.device,
                split="test" if self.split == "test" else "validation",
                steps=self.steps,
                teachers=self.teachers,
                workers=self.workers,
            )
            known[key] = {**question, "accuracy": list(scores.accuracy)}
            write_json(self.cache, known)
        return tuple(known[key]["accuracy"])

    def _question(self, path: Path) -> dict[str, object]:
        document = describe(path)
        return {
            "candidate": document["sha256"],
            "label_kind": document["label_kind"],
            "real": self.real.fingerprint,
            "protocol": [self.protocol.key, self.protocol.fingerprint],
            "network": canonical_network_name(self.network or document["network"]),
            "seeds": list(self.seeds),
            "split": self.split,
            **({} if self.steps is None else {"steps": self.steps}),
            **({} if self.teachers is None else {"teachers": self.teachers.fingerprint}),
        }
