"""The contract of a distillation method: frozen settings with a few pure functions.

The engine owns everything else. Two kinds are told apart by what they have. An *optimized* method starts from a
synthetic set and says how wrong it is; the outer loop owns optimizers, clock, checkpoints, guards and progress. A
*direct* method makes the set at once.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar, Protocol

import torch
from pydantic import model_validator
from torch import Tensor

from ddbench.data.realset import RealSet
from ddbench.distillation.guard import Guard
from ddbench.estimates.memory import activation_floats
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.networks.flat import FlatNetwork
from ddbench.randomness import stream
from ddbench.recipe.settings import Count, Positive, Settings, Share
from ddbench.recipe.teachers import TeachersRecipe
from ddbench.runtime.compile import Choice, should_compile, student_seconds
from ddbench.runtime.distributed import ALONE, Ranks
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.training.losses import classification_loss
from ddbench.training.teachers import Teachers
from ddbench.unroll.compiled_step import GradientKernel, Kernel
from ddbench.unroll.sharded_step import SharedKernel


class Trajectories(Protocol):
    """Experts as a method sees them: ``experts[expert, epoch]`` is a flat parameter vector (P,) on the CPU."""

    @property
    def epochs(self) -> int: ...
    def __len__(self) -> int: ...
    def statistics(self, expert: int, epoch: int) -> Tensor | None:
        """Running statistics of batch norm that belong to ``self[expert, epoch]``, (Q,); None where there are none."""
        ...

    def __getitem__(self, key: tuple[int, int]) -> Tensor: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """What a method distills from."""

    real: RealSet
    """Its inputs come on ``device``."""
    network: FlatNetwork
    """The student, on ``device``."""
    network_name: str
    experts: Trajectories | None
    """On disk; None where the method needs none."""
    device: torch.device
    teachers: Teachers | None = None
    """As the method wants them, else None."""
    method: str = ""
    """The name under which it was found."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Fingerprints of what must stay the same while a run goes on (data, experts)."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What else the sets that are made will carry of where they come from. Both JSON."""
    compile: Choice = "off"
    """Whether the student's steps are compiled."""
    ranks: Ranks = ALONE
    """The processes that distill together, each of which has this task."""

    def compiled_gradient(self, label_kind: str, *, batch: int, steps: int) -> Kernel | None:
        """The compiled gradient of the student's loss on (images, labels) of this kind; None where plain autograd is
        asked for, or is as well.

        Args:
            batch: Images a step.
            steps: That the student takes in the whole run, over all outer steps. The first answer stands, so that a run
                is all of one kind.
        """
        if label_kind not in self._kernels:
            seconds = student_seconds(self._activations * batch, steps, self.device.type)
            kernel: Kernel | None = None
            if should_compile(self.compile, seconds=seconds, device=self.device.type):
                loss = partial(student_loss, self.network, label_kind)
                kernel = GradientKernel(loss, self.device.type, strict=self.compile == "on")
                kernel = kernel if self.ranks.alone else SharedKernel(kernel, self.ranks)
            self._kernels[label_kind] = kernel
        return self._kernels[label_kind]

    def to(self, device: torch.device) -> Task:
        """The same task on another device, with nothing compiled yet."""
        moved = {"real": self.real.to(device), "network": self.network.to(device)}
        return replace(self, **moved, teachers=self.teachers and self.teachers.to(device), device=device)

    @cached_property
    def _kernels(self) -> dict[str, Kernel | None]:
        return {}

    @property
    def sizes(self) -> Sizes:
        """How large student and data are, and how they are computed."""
        real = self.real
        return Sizes.of(
            self.network.module,
            channels=real.channels,
            size=real.size,
            classes=real.classes,
            device=self.device.type,
            ranks=self.ranks.world,
            compile=self.compile,
        )

    @cached_property
    def _activations(self) -> int:
        """How many numbers the student's layers put out for one image."""
        return activation_floats(self.network.module, self.real.channels, self.real.size)

    def synthetic(
        self, images: Tensor, labels: Tensor, *, ipc: int, notes: Sequence[str] = (), **more: Any
    ) -> SyntheticSet:
        """A synthetic set of this task: the facts about data, network and origin are filled in.

        Args:
            notes: Sentences that a reader of its results must know; rows repeat them.
        """
        return SyntheticSet(
            images=images,
            labels=labels,
            ipc=ipc,
            method=self.method,
            provenance={**self.provenance, "notes": [*self.provenance.get("notes", ()), *notes]},
            dataset=self.real.name,
            class_names=self.real.class_names,
            network=self.network_name,
            preprocessing=self.real.preprocessing.describe(),
            **more,
        )


def student_loss(
    network: FlatNetwork, label_kind: str, theta: Tensor, images: Tensor, labels: Tensor, weight: Tensor | None = None
) -> Tensor:
    """The loss of a batch, or of a rank's part of it.

    Args:
        weight: Of that part, a scalar.
    """
    loss = classification_loss(network(theta, images), labels, label_kind)
    return loss if weight is None else weight * loss


@dataclass(frozen=True)
class OuterStep:
    """One step of the outer loop: its number, from 0, and its own named streams of randomness.

    Draws depend on the run's seed, the step and the stream's name alone, so a resumed run needs no generator's state,
    and they are made on the CPU, so that CPU and CUDA see the same ones.
    """

    step: int
    seed: int

    def stream(self, name: str) -> torch.Generator:
        return stream(self.seed, "outer", self.step, name)


class OuterRate(Settings):
    """SGD on one part of the synthetic set."""

    lr: Positive
    momentum: Share = 0.5


class Method(Settings, abc.ABC):
    """What optimized and direct methods have in common: they are frozen settings, read from a recipe."""

    EXPERTS: ClassVar[Mapping[str, Any]] = {}
    """Settings of ``experts`` with which the method was published, for what a recipe leaves unsaid."""
    DOMAIN: ClassVar[str] = "images"
    """Name of the domain whose data it distills (``ddbench.pipeline.domain``)."""
    KIND: ClassVar[str] = ""
    """How its set is made, in a word: ``optimized``, ``direct``, ``jobs``."""

    @property
    def outer_steps(self) -> int:
        """Steps of the engine's outer loop; 0 for a method that makes its set without one."""
        return 0

    @property
    def averaged(self) -> bool:
        """Whether its set is a moving average, beside which the images themselves are kept."""
        return False

    def soft_labels(self) -> bool:
        """Whether its sets carry soft labels, so that real images with an expert's labels must stand beside them."""
        return False

    def validate_ipc(self, ipc: int) -> None:
        """Errors: UserError where these settings do not work at this ipc; asked before anything is trained."""
        del ipc

    def validate_data(self, real: RealSet, ipc: int) -> None:
        """Errors: UserError where these settings do not work with this data; asked before anything is trained."""
        del real, ipc

    def needed_epochs(self) -> int | None:
        """How many epochs of each expert it looks at; None when it needs no experts."""
        return None

    def plan_summary(self, sizes: Sizes, ipc: int) -> dict[str, int | str]:
        """How much there is to do at this ipc, by name, for a plan."""
        del sizes, ipc
        return {}

    def peak_bytes(self, sizes: Sizes, ipc: int) -> int | None:
        """Estimated peak memory of distilling at this ipc, above what lies there before; None where nobody knows."""
        del sizes, ipc
        return None

    def memory_suggestions(self, sizes: Sizes, ipc: int, available: int) -> Sequence[MemorySuggestion]:
        """What to change so that it fits in ``room`` bytes, the best first; where nothing does, what helps most."""
        del sizes, ipc, available
        return ()

    def defining_settings(self) -> dict[str, Any]:
        """The settings that a set follows from, as JSON: a run goes on where these are the same. What only says how the
        same numbers are computed, up to rounding, is left at its default."""
        return self.model_dump(mode="json")

    def seconds(self, task: Task, ipc: int) -> float | None:
        """About how long its independent jobs take, one after the other; None for a method that has none."""
        del task, ipc
        return None

    def required_teachers(self) -> TeachersRecipe | None:
        """The teachers it distills against; None when it needs none."""
        return None


class OptimizedMethod(Method):
    """A method whose set is found by gradient steps on an outer loss. The engine takes the steps."""

    KIND: ClassVar[str] = "optimized"

    iterations: Count = 5000
    """Outer steps."""
    keep_every: Count | None = None
    """Outer steps between the candidates among which selection chooses; None keeps ten in all."""
    guard: Guard = Guard()
    """When an outer step is skipped, and when a run that can not recover stops."""
    ema_decay: Share | None = None
    """d of a moving average of the images, ``average <- d * average + (1 - d) * images`` after every step taken.
    The average is then the set that is kept, and the images themselves are kept beside it. None: no average."""
    keep_warm_images: bool = False
    """Whether the averaged set carries the plain images with it, for a protocol that warms networks up on them."""

    @property
    def outer_steps(self) -> int:
        return self.iterations

    @property
    def averaged(self) -> bool:
        return self.ema_decay is not None

    @model_validator(mode="after")
    def _warm_images_need_an_average(self) -> OptimizedMethod:
        if self.keep_warm_images and self.ema_decay is None:
            raise ValueError("keep_warm_images goes with a moving average of the images: set ema_decay as well")
        return self

    @abc.abstractmethod
    def init(self, task: Task, ipc: int, at: OuterStep) -> SyntheticSet:
        """The set at step 0. Drawn from ``at``'s streams; no global randomness."""

    @abc.abstractmethod
    def outer_loss(self, syn: SyntheticSet, task: Task, at: OuterStep) -> tuple[Tensor, dict[str, float]]:
        """The loss, a scalar differentiable by the tensors that ``outer_rates`` names, and facts worth showing."""

    @abc.abstractmethod
    def outer_rates(self) -> Mapping[str, OuterRate]:
        """The parts that are learned ("images", "labels", "student_lr") and how fast."""

    def timing_init(self, task: Task, ipc: int, at: OuterStep) -> SyntheticSet:
        """A set on which steps take as long as on that of :meth:`init`, and that may be quicker to make."""
        return self.init(task, ipc, at)

    def finalize(self, syn: SyntheticSet, task: Task, at: OuterStep) -> SyntheticSet:
        """The set as it is kept after the step ``at``, and scored; where labels follow from the images, with those."""
        del task, at
        return syn


class DirectMethod(Method):
    """A method that makes its set without an outer loop: baselines, selection, mining."""

    KIND: ClassVar[str] = "direct"

    @abc.abstractmethod
    def distill(self, task: Task, ipc: int, at: OuterStep) -> SyntheticSet:
        """The set. Drawn from ``at``'s streams; no global randomness."""


__all__ = [
    "Count",
    "DirectMethod",
    "Method",
    "OptimizedMethod",
    "OuterRate",
    "OuterStep",
    "Positive",
    "Settings",
    "Task",
    "Trajectories",
]
