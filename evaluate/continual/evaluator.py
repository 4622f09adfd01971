"""Answering one question of a continual evaluation, by training fresh networks, unless the answer is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ddbench.artifact import tensors_sha256
from ddbench.data.class_subset import rows_of_classes
from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.continual.replay_memory import StepSet, memory_sha256, merge_memory, seen_test
from ddbench.evaluate.continual.step_score import StepKey, StepScore, known_score
from ddbench.evaluate.protocols.protocol import Protocol
from ddbench.evaluate.score import Scores, score
from ddbench.evaluate.score_real import score_real
from ddbench.evaluate.training.worker_count import should_parallelize, workers_for
from ddbench.runtime.compute import Compute
from ddbench.runtime.executors import Serial
from ddbench.runtime.provenance import code_identity, device_name, versions

WHOLE_DATA = "real"
"""The label of the upper bound: all training images of all classes seen."""

FAR_OFF = 2.0
"""Standard deviation of pixels, of images in [0, 1], beyond which a set is no longer made of images."""


@dataclass(eq=False, kw_only=True)
class ContinualEvaluator:
    """Everything that is the same for all points of all curves.

    Raises:
        UserError: A protocol whose labels are a teacher's, which would have seen classes before their time.
    """

    real: RealSet
    """The whole data set."""
    home: Path
    """Folder of results, which has the scores of every step."""
    network: str
    """Name of the networks that are trained."""
    protocol: Protocol
    """Protocol of every training on a memory."""
    seeds: tuple[int, ...]
    """Of the fresh networks at every step."""
    compute: Compute = Compute()
    """How networks are trained and tested; in this process, or by workers once a memory is worth them."""

    def __post_init__(self) -> None:
        if self.protocol.targets == "teacher":
            raise UserError(
                f"{self.protocol.key} has teachers, who know classes that have not come yet",
                fix="choose --protocol dsa-v1, or another whose labels are the set's own",
            )

    def evaluate_step(
        self, label: str, ipc: int, parts: Sequence[StepSet], *, order: int, step: int, steps: int, how: str
    ) -> StepScore:
        """Train networks from scratch on all parts in memory, and test them on all classes that these are of.

        Args:
            label: Name of the method.
            ipc: Images per class.
            parts: Synthetic sets in memory, of a few classes each, in the order of their steps.
            order: Number of the class order.
            step: Number of the step, from 0.
            steps: Number of steps of the order.
            how: How the memory came about, in a sentence.

        Returns:
            The point of the curve; the stored one where this was evaluated before.
        """
        memory = merge_memory(parts, self.real)
        seen = tuple(label for part in parts for label in part.classes)
        digest = memory_sha256(memory)
        question = self._question(label, ipc, seen, digest, self.protocol, order=order, step=step, steps=steps, how=how)
        known = known_score(question, self.home)
        if known is not None:
            return known
        worth = should_parallelize(memory, self.protocol, [self.network], len(self.seeds))
        if isinstance(self.compute.executor, Serial):
            self.compute = replace(self.compute, executor=workers_for(self.compute.device, worth))
        scores = score(
            memory,
            seen_test(self.real, seen),
            protocol=self.protocol,
            network=self.network,
            seeds=self.seeds,
            compute=self.compute,
        )
        stored = sum(sum(part.syn.bytes.values()) for part in parts)
        seconds = float(parts[-1].syn.provenance.get("seconds") or 0.0)
        scores = replace(scores, notes=(*scores.notes, *self._left_range(label, parts[-1])))
        return self._keep(question, scores, len(memory), stored, seconds)

    def ask_whole_data(
        self, classes: Sequence[int], protocol: Protocol, *, order: int, step: int, steps: int
    ) -> StepScore:
        """Upper bound: train networks on all real training images of the classes seen.

        Args:
            classes: Classes seen so far.
            protocol: Training on real images.
            order: Number of the class order.
            step: Number of the step, from 0.
            steps: Number of steps of the order.

        Returns:
            The point of the bound's curve; the stored one where this was evaluated before.
        """
        rows = rows_of_classes(self.real.train, classes)
        how = "all real training images of the classes seen, which no memory holds"
        question = self._question(
            WHOLE_DATA,
            None,
            tuple(classes),
            tensors_sha256({"rows": rows}),
            protocol,
            order=order,
            step=step,
            steps=steps,
            how=how,
        )
        known = known_score(question, self.home)
        if known is not None:
            return known
        scores = score_real(
            seen_test(self.real, classes),
            protocol=protocol,
            network=self.network,
            seeds=self.seeds,
            compute=self.compute,
            rows=rows,
        )
        stored = len(rows) * self.real.train.images[0].nbytes + len(rows) * 8
        return self._keep(question, scores, len(rows), stored, 0.0)

    def _left_range(self, label: str, part: StepSet) -> list[str]:
        """A note where pixels have run away, as they do where a step has fewer images than rates were tuned for."""
        pixels = self.real.preprocessing.to("cpu").inverse(part.syn.images)
        if (spread := pixels.std().item()) < FAR_OFF:
            return []
        return [f"{label}: pixels of a step have a deviation of {spread:.1f}, real ones at most 0.5: lower image_lr"]

    def _question(
        self, label: str, ipc: int | None, seen: tuple[int, ...], digest: str, protocol: Protocol, **rest: int | str
    ) -> StepKey:
        return StepKey(
            method=label,
            ipc=ipc,
            dataset=self.real.name,
            seen=seen,
            network=self.network,
            protocol=protocol.key,
            protocol_fingerprint=protocol.fingerprint,
            epochs=protocol.setting.epochs,
            seeds=self.seeds,
            memory_sha256=digest,
            real_fingerprint=self.real.fingerprint,
            mirror=self.real.mirror,
            **rest,  # type: ignore[arg-type]
        )

    def _keep(self, question: StepKey, scores: Scores, images: int, stored: int, seconds: float) -> StepScore:
        answer = StepScore(
            question=question,
            accuracy=scores.accuracy,
            lr=scores.lr,
            memory_images=images,
            memory_bytes=stored,
            distill_seconds=seconds,
            seconds=scores.seconds,
            device=device_name(self.compute.device),
            code=code_identity(),
            versions=versions(),
            notes=scores.notes,
        )
        answer.save(self.home)
        return answer
