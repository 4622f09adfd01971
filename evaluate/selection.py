"""Selection of the outer step whose synthetic set stands for a run: last, best on validation, or best on test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

from ddbench.artifact import describe, fingerprint, read_json
from ddbench.data.realset import RealSet
from ddbench.distillation.run_dir import candidates_by_step
from ddbench.errors import UserError, unknown
from ddbench.evaluate.leaderboard.row import Selection
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.evaluate.score import score
from ddbench.evaluate.score_cache import Key, ScoreCache
from ddbench.evaluate.scores import SplitName
from ddbench.networks import canonical_network_name
from ddbench.randomness import derive
from ddbench.runtime.compute import Compute
from ddbench.runtime.executors import ReportProgress
from ddbench.runtime.executors.shared_filesystem import require_seen
from ddbench.runtime.executors.worker_job import WorkerJob
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.training.teachers import Teachers

EARLIER_SCORES = "scores.json"
"""File in which an older ddbench kept the scores of all candidates, by the fingerprints of their keys."""


@dataclass(frozen=True, kw_only=True)
class Selected:
    """The candidate that was chosen."""

    rule: Selection
    """Rule that chose it."""
    step: int
    """Outer step."""
    path: Path
    """File of the synthetic set."""
    scores: dict[int, tuple[float, ...]] = field(default_factory=dict)
    """Accuracies (fractions) by outer step, empty where nothing was trained."""


def candidates(folder: Path) -> dict[int, Path]:
    """Candidates that a distillation left, ``000100.safetensors`` and so on.

    Args:
        folder: Folder of the run's candidates.

    Returns:
        Files by outer step, ascending.

    Raises:
        UserError: There is none.
    """
    files = candidates_by_step(folder)
    if not files:
        raise UserError(f"there is no synthetic set to choose from in {folder}", fix="run the distillation first")
    return files


def selection_seeds(seed: int, networks: int) -> tuple[int, ...]:
    """Seeds of the networks that candidates are compared with, never those that score the chosen one.

    Args:
        seed: Seed of the distillation.
        networks: Number of networks.

    Returns:
        One seed a network.
    """
    return tuple(derive(seed, "selection", number) for number in range(networks))


def selection_rule(name: str, where: str = "") -> Selection:
    """Rule of a name.

    Args:
        name: "last", "validation" or "oracle".
        where: The place it was read from.

    Returns:
        The name, as a rule.

    Raises:
        UserError: No rule has this name; the error has the nearest one.
    """
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
    compute: Compute = Compute(),
    steps: int | None = None,
    teachers: Teachers | None = None,
    score_single: bool = False,
) -> Selected:
    """Choose among the candidates in a folder.

    A single candidate is chosen without training, unless its score is wanted. Scores lie beside the candidates, so that
    a call that was interrupted goes on, and a second call costs nothing.

    Args:
        folder: Folder of the candidates.
        rule: "last", "validation", or "oracle".
        real: Real set that the candidates were distilled from.
        protocol: Name, or a protocol, by which networks are trained on each candidate.
        network: Name of the networks; None takes the one that each set was distilled with.
        networks: Fresh networks per candidate, which is a job of its own; the highest mean accuracy wins, of equals the
            later step.
        seed: Seed that those of the networks follow from.
        compute: How; candidates are the jobs of its executor.
        steps: As in ``score``.
        teachers: As in ``score``.
        score_single: Whether a single candidate is scored as well.

    Returns:
        The choice, and the scores that led to it.

    Raises:
        UserError: An unknown rule or protocol, no candidates, and "validation" without a validation split.
    """
    rule = selection_rule(rule)
    files = candidates(folder)
    last = max(files)
    if rule == "last" or (len(files) == 1 and not score_single):
        return Selected(rule=rule, step=last, path=files[last])

    job = CandidateJob(
        real=real,
        protocol=protocol_named(protocol) if isinstance(protocol, str) else protocol,
        network=network,
        seeds=selection_seeds(seed, networks),
        split="test" if rule == "oracle" else "validation",
        compute=compute.in_job(),
        steps=steps,
        teachers=teachers,
    )
    cache = score_cache(folder)
    keys = {step: job.key(path) for step, path in files.items()}
    known = {step: cache.find(key, files[step].stem) for step, key in keys.items()}
    scores = {step: tuple(document["accuracy"]) for step, document in known.items() if document is not None}
    missing = [step for step in files if step not in scores]
    meter = compute.progress
    meter.start(len(files), f"select by {rule}", len(scores))
    try:
        for position, accuracy in compute.executor.map(job, [files[step].absolute() for step in missing]):
            step = missing[position]
            scores[step] = accuracy
            cache.keep(keys[step], {"accuracy": list(accuracy)}, files[step].stem)
            meter.update(len(scores), step=step, accuracy=f"{fmean(accuracy):.4f}")
    finally:
        meter.close()
    best = max(scores, key=lambda step: (fmean(scores[step]), step))
    return Selected(rule=rule, step=best, path=files[best], scores=dict(sorted(scores.items())))


def score_cache(folder: Path) -> ScoreCache:
    """Cache of the scores of a run's candidates; it also reads those that an older ddbench wrote.

    Args:
        folder: Folder of the candidates.

    Returns:
        The cache, in ``scores`` under the folder.
    """

    def earlier(key: Key) -> object:
        try:
            entries = read_json(folder / EARLIER_SCORES, "file of candidates' scores")
        except UserError:
            return None
        entry = entries.get(fingerprint(dict(key))) if isinstance(entries, dict) else None
        if not isinstance(entry, dict) or {**entry, "accuracy": None} != {**key, "accuracy": None}:
            return None
        return {"accuracy": entry.get("accuracy")}

    return ScoreCache(folder / "scores", earlier)


@dataclass(frozen=True, eq=False, kw_only=True)
class CandidateJob(WorkerJob):
    """Called with a candidate's file, it gives the accuracies of the networks of ``seeds`` on ``split``."""

    moved = ("real", "teachers")
    real: RealSet
    """Real set with the split that is tested on."""
    protocol: Protocol
    """Protocol that networks are trained by."""
    network: str | None
    """None takes the one that the candidate was distilled with."""
    seeds: Sequence[int]
    """One network each."""
    split: SplitName
    """Split that is tested on."""
    steps: int | None
    """Updates in the place of the protocol's epochs; None is the protocol's."""
    teachers: Teachers | None
    """Networks that label; None where there are none."""

    def __call__(self, candidate: Path, report: ReportProgress) -> tuple[float, ...]:
        """Score a candidate.

        Args:
            candidate: File of the candidate.
            report: Not used.

        Returns:
            Accuracies in the order of ``seeds``.

        Raises:
            UserError: As in ``score``, and where this machine does not see the file.
        """
        del report
        require_seen(candidate)
        return score(
            load_synthetic(candidate),
            self.here.real,
            protocol=self.protocol,
            network=self.network,
            seeds=self.seeds,
            compute=self.compute,
            split=self.split,
            horizon_on=self.split,
            steps=self.steps,
            teachers=self.here.teachers,
        ).accuracy

    def trimmed(self) -> CandidateJob:
        """Leave out the splits that are not tested on.

        Returns:
            The job, every split of whose real set is the tested one, so that less travels to workers.
        """
        tested = self.real.test if self.split == "test" else self.real.validation
        return replace(self, real=replace(self.real, train=tested, validation=tested, test=tested))

    def key(self, candidate: Path) -> dict[str, Any]:
        """All that the accuracies of a candidate follow from.

        Args:
            candidate: File of the candidate.

        Returns:
            JSON, the key of the score cache.
        """
        document = describe(candidate)
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
