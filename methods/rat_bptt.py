"""RaT-BPTT: bilevel optimization through a random window of training. Feng et al., ICLR 2024, arXiv:2311.07025."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, final

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from ddbench.augmentation import augmentation
from ddbench.augmentation.draw import Augmentation
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_optimizer import Adam, EmaClip, OuterOptimizer
from ddbench.distillation.task import OuterStep, Task, student_loss
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import TRAINED_PER_ACTIVATION, distillation_bytes, outer_step_bytes
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.estimates.training_time import LEAST_STEP_SECONDS, training_seconds
from ddbench.methods.parts.drawn_network import drawn_network
from ddbench.methods.parts.initialization import NoiseInit, RealInit, UnitNoiseInit, class_major_labels
from ddbench.methods.parts.inner_optimizer import InnerAdam, InnerSGD
from ddbench.methods.parts.labels import HardLabels, OneHotLabels
from ddbench.methods.parts.meta_loss import summed_in_parts
from ddbench.methods.parts.real_batches import EpochBatches
from ddbench.methods.parts.student_batches import student_batches
from ddbench.methods.parts.student_start import FixedStart, UniformStart
from ddbench.networks.mixing import batch_norms
from ddbench.recipe.settings import Count, Positive
from ddbench.runtime.compile import should_compile, student_seconds
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.class_rows import class_rows
from ddbench.unroll.unroll import AdjointUnroll, FullUnroll, TruncatedUnroll, Unroll

AnyInit = Annotated[UnitNoiseInit | NoiseInit | RealInit, Field(discriminator="kind")]
AnyInner = Annotated[InnerAdam | InnerSGD, Field(discriminator="kind")]
AnyLabels = Annotated[HardLabels | OneHotLabels, Field(discriminator="kind")]
AnyStart = Annotated[UniformStart | FixedStart, Field(discriminator="kind")]

AT_ONCE_BYTES = 2e9
"""Memory up to which real images pass the student at once where nobody says how many."""

_COPIES = 2
"""Of real images: as they were chosen, and as they are augmented."""


@final
class RaTBPTT(OptimizedMethod):
    """Make networks that train on the images for a random number of steps do well on real images.

    The loss is that of a real batch after the last step; its gradient goes back through the last ``window`` steps, one
    graph at a time. ``unroll: adjoint`` goes back through all of them, which is the exact gradient, at the same memory
    but for a state a step. Neither experts nor teachers are needed. Differs from the released code: rotations are
    sampled with ``align_corners=True``; Adam adds its eps to the root after the correction, in the window as before it;
    every draw follows from the seed; no set is chosen on the test set. The release's start that moves up by stages
    (``cctype 1``) is left out: the rule asks for the loss on test.
    """

    iterations: Count = 50_000
    """Outer steps; the released commands count epochs over the real images and name 60,000, which is until stopped."""
    total_steps: Count = 200
    """T: inner steps of the longest run."""
    window: Annotated[Count, Field(validate_default=True)] = 60
    """W: last inner steps of a run, through which ``unroll: truncated`` differentiates."""
    min_start: Annotated[int, Field(ge=0, validate_default=True)] = 0
    """Fewest inner steps before the window."""
    start: AnyStart = UniformStart()
    """How many inner steps come before the window: any number up to T - W, or always that many."""
    unroll: Literal["truncated", "adjoint", "full"] = "truncated"
    """truncated: through the window; adjoint: exact through the whole run, one graph at a time; full: all graphs."""
    inner: AnyInner = InnerAdam()
    """The student's optimizer."""
    classes_per_step: Count | None = None
    """Classes that an inner step sees, drawn anew for each; None for all."""
    images_per_class: Count | None = None
    """Images of each of these classes in an inner step, drawn anew for each; None for all."""
    real_batches: EpochBatches = EpochBatches()
    """Real images that the loss is of."""
    real_at_once: Count | None = None
    """Real images that pass the student at once; the gradient is the same. None: as many as about 2 GB hold."""
    image_lr: Positive = 1e-3
    """Outer learning rate of the pixels, that of Adam."""
    clip: EmaClip | None = EmaClip()
    """Bound on the norm of the pixels' gradient; None: none."""
    init: AnyInit = UnitNoiseInit()
    """The images of step 0."""
    labels: AnyLabels = HardLabels()
    """The classes; or rows of numbers that begin as these and are learned."""
    augmentation: Literal["flip-rotate", "dsa", "none"] = "flip-rotate"
    """Of the student's batches and of the real ones, drawn anew each time."""

    @field_validator("window")
    @classmethod
    def _fits_into_the_run(cls, window: int, info: ValidationInfo) -> int:
        if (total := info.data.get("total_steps")) is not None and window > total:
            raise ValueError(
                f"a window of {window} steps is longer than the longest run, total_steps: {total}; "
                f"give a window of at most {total}, or more total_steps"
            )
        return window

    @field_validator("min_start")
    @classmethod
    def _is_before_the_window(cls, first: int, info: ValidationInfo) -> int:
        total, window = (info.data.get(name) for name in ("total_steps", "window"))
        if total is not None and window is not None and first > total - window:
            raise ValueError(
                f"the window of {window} steps starts after {total - window} of {total} at the latest, not {first}"
            )
        return first

    def soft_labels(self) -> bool:
        return self.labels.soft

    def plan_summary(self, sizes: Sizes, ipc: int) -> dict[str, int | str]:
        del sizes, ipc
        return {
            "outer steps": self.iterations,
            "inner steps": self._inner_steps(),
            "differentiated": self.iterations * self.window if self.unroll == "truncated" else "all",
            "unroll": self.unroll,
        }

    def loop_seconds(self, sizes: Sizes, ipc: int) -> float:
        whole = self.start.mean(self.min_start, self.total_steps - self.window) + self.window
        there_and_back = self.window if self.unroll == "truncated" else whole
        batch = self._inner_batch(sizes.classes, ipc)
        images = whole * batch + 3 * there_and_back * batch + self.real_batches.images
        device = torch.device(sizes.device)
        seconds = training_seconds(sizes.activations, round(self.iterations * images), batch, device)
        return max(seconds, LEAST_STEP_SECONDS * self.iterations * there_and_back)

    def peak_bytes(self, sizes: Sizes, ipc: int) -> Estimate:
        batch, seconds = -(-self._inner_batch(sizes.classes, ipc) // sizes.ranks), self._student_seconds(sizes, ipc)
        pixels = sizes.classes * ipc * sizes.pixels
        learned = pixels + (sizes.classes**2 * ipc if self.labels.soft else 0)
        walk = outer_step_bytes(
            self._unroll(),
            parameters=sizes.parameters,
            activations=sizes.activations,
            batch=batch,
            inner_steps=self.window if self.unroll == "truncated" else self.total_steps,
            learned=learned,
            vectors=self.inner.vectors,
            moments=1,
            device=sizes.device,
            compiled=should_compile(sizes.compile, seconds=seconds, device=sizes.device),
        )
        passes = {"graphs of steps", "way back"}
        back = sum(walk.parts[name] for name in passes)
        real = -(-self._at_once(sizes) // sizes.ranks) * self._each(sizes) + 4 * 2 * sizes.parameters
        if self.unroll == "full" or back >= real:  # all graphs lie there while the real batch passes
            step = walk.plus({"real batch": real if self.unroll == "full" else 0})
        else:
            step = Estimate({**{n: b for n, b in walk.parts.items() if n not in passes}, "real batch": real})
        averaged = 0 if self.ema_decay is None else pixels
        return distillation_bytes(step.plus({"set": 4 * 2 * learned}), learned, averaged=averaged)  # Adam's second

    def memory_suggestions(self, sizes: Sizes, ipc: int, available: int) -> Sequence[MemorySuggestion]:
        changes: list[tuple[dict[str, Any], str]] = []
        if self.unroll == "full":
            changes += [({"unroll": "adjoint"}, "the same gradient; another run")]
        if (fewer := self._at_once(sizes) // 4) > 0:
            changes += [({"real_at_once": fewer}, "the same gradient; the run goes on")]
        if min(self.images_per_class or ipc, ipc) > 1:
            changes += [({"images_per_class": 1}, "another run")]
        found = []
        for change, note in changes:
            needed = self.model_copy(update=change).peak_bytes(sizes, ipc)
            ((name, value),) = change.items()
            found.append(MemorySuggestion(f"-o method.{name}={value}", needed, note))
        return sorted(found, key=lambda suggestion: suggestion.bytes is not None and suggestion.bytes > available)

    def defining_settings(self) -> dict[str, Any]:
        return {**super().defining_settings(), "real_at_once": None}

    def outer_rates(self) -> Mapping[str, OuterOptimizer]:
        labels = self.labels.rate()
        return {"images": Adam(lr=self.image_lr, clip=self.clip)} | ({} if labels is None else {"labels": labels})

    def initialize(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        start = self.init.start(task, ipc, step, 0)
        labels = class_major_labels(task.real.classes, ipc).to(task.device)
        syn = task.synthetic(start.images.to(task.device), labels, ipc=ipc, notes=start.notes)
        return self.labels.start(syn, task, 0, recognized=False)

    def outer_loss(self, syn: SyntheticSet, task: Task, step: OuterStep) -> tuple[Tensor, dict[str, float]]:
        epoch, _ = self.real_batches.position(len(task.real.train), step.number)
        start = self.start.draw(self.min_start, self.total_steps - self.window, step, epoch)
        steps, policy = start + self.window, augmentation(self.augmentation, mirror=task.real.mirror)
        order, kernel = self._order(syn, steps, step), None
        if self.unroll != "full":
            batch = -(-self._inner_batch(syn.classes, syn.ipc) // task.ranks.world)
            kernel = task.compiled_gradient(syn.label_kind, batch=batch, steps=self._inner_steps())
        student = self.inner.step(student_batches(syn, task, step, order, policy), kernel)
        theta = drawn_network(task, step)
        learned = task.ranks.copied(*((syn.images, syn.labels) if self.labels.rate() else (syn.images,)))
        outer = (*learned, theta.new_tensor(self.inner.lr))
        states = self._unroll().run(student, student.start(theta), outer, steps, [steps])
        return self._real_loss(student.parameters(states)[0], task, step, policy), {"start": start}

    def _order(self, syn: SyntheticSet, steps: int, step: OuterStep) -> list[Tensor | None]:
        """The images that each inner step sees."""
        classes, generator = class_major_labels(syn.classes, syn.ipc), step.stream("batches")
        counts = {"at_once": self.classes_per_step, "of_each": self.images_per_class}
        return [class_rows(classes, syn.classes, generator, **counts) for _ in range(steps)]

    def _real_loss(self, theta: Tensor, task: Task, step: OuterStep, policy: Augmentation | None) -> Tensor:
        """The mean loss of the step's real batch; several ranks have some of its images each."""
        real = task.real
        rows = self.real_batches.rows(len(real.train), step)
        share = task.ranks.share(len(rows))
        draw = None if policy is None else policy.draw(len(rows), real.size, step.stream("real augmentation"))
        begin, end = share.rows.start, share.rows.stop
        at_once = end - begin if batch_norms(task.network) else self._at_once(task.sizes)

        def loss(theta: Tensor, part: slice) -> Tensor:
            images = real.inputs(real.train, rows[part]).to(theta.dtype)
            if policy is not None and draw is not None:
                images = policy.apply(images, draw.of(part))
            labels = real.train.labels[rows[part].to(real.train.labels.device)].to(task.device)
            weight = share.weight * len(images) / (end - begin)
            return weight * student_loss(task.network, "hard", theta, images, labels)

        (theta,) = task.ranks.copied(theta)
        parts = [slice(first, min(first + at_once, end)) for first in range(begin, end, at_once)]
        (total,) = task.ranks.summed(summed_in_parts(loss, theta, parts))
        return total

    def _inner_batch(self, classes: int, ipc: int) -> int:
        """Images that an inner step sees."""
        return min(self.classes_per_step or classes, classes) * min(self.images_per_class or ipc, ipc)

    def _inner_steps(self) -> int:
        """Inner steps of all runs, as many as their starts have on average."""
        mean = self.start.mean(self.min_start, self.total_steps - self.window) + self.window
        return round(self.iterations * mean)

    def _student_seconds(self, sizes: Sizes, ipc: int) -> float:
        batch = -(-self._inner_batch(sizes.classes, ipc) // sizes.ranks)
        return student_seconds(sizes.activations * batch, self._inner_steps(), sizes.device)

    def _unroll(self) -> Unroll:
        match self.unroll:
            case "truncated":
                return TruncatedUnroll(self.window)
            case "adjoint":
                return AdjointUnroll()
            case "full":
                return FullUnroll()

    def _at_once(self, sizes: Sizes) -> int:
        """Real images that pass the student at once."""
        most = self.real_at_once or max(1, int(AT_ONCE_BYTES / self._each(sizes)))
        return min(most, self.real_batches.images)

    def _each(self, sizes: Sizes) -> float:
        """Bytes of a real image on its way through the student and back."""
        return 4 * (TRAINED_PER_ACTIVATION * sizes.activations + _COPIES * sizes.pixels)
