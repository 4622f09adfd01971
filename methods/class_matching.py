"""The engine that DC, DSA and DM share: real and synthetic images of each class are matched under networks drawn at
random.

A network is drawn, the images take one step or several under it, in between the network is trained on the images, and
the next is drawn. A published method is a choice of the parts' values. Neither experts nor teachers are needed.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor

from ddbench.augmentation import augmentation
from ddbench.augmentation.draw import Augmentation, siamese
from ddbench.distillation.method import OptimizedMethod
from ddbench.distillation.outer_optimizer import SGD
from ddbench.distillation.task import OuterStep, Task, student_loss
from ddbench.errors import UserError
from ddbench.estimates.estimate import Estimate
from ddbench.estimates.memory import distillation_bytes
from ddbench.estimates.model_size import MemorySuggestion, Sizes
from ddbench.estimates.training_time import training_seconds
from ddbench.methods.parts.class_chunks import summed_over_classes
from ddbench.methods.parts.class_match import GradientMatch, MeanEmbedding
from ddbench.methods.parts.drawn_network import drawn_network
from ddbench.methods.parts.initialization import NoiseInit, RealInit, class_major_labels
from ddbench.methods.parts.network_loop import PUBLISHED, NetworkLoop, loop_for
from ddbench.methods.parts.real_batches import RandomBatches
from ddbench.networks import FlatNetwork
from ddbench.networks.mixing import batch_norms
from ddbench.recipe.settings import Count, Positive, Share
from ddbench.synthetic.synthetic_set import SyntheticSet
from ddbench.unroll.sgd_step import batch_order

AnyInit = Annotated[RealInit | NoiseInit, Field(discriminator="kind")]
AnyMatch = Annotated[GradientMatch | MeanEmbedding, Field(discriminator="kind")]

NORM_IMAGES = 16
"""Real images of each class whose statistics batch norm has while gradients are matched."""

AT_ONCE_BYTES = 2e9
"""Memory up to which classes are matched side by side where nobody says how many."""


class ClassMatching(OptimizedMethod):
    """What the members of the family have in common. Abstract: the members are final and only choose defaults."""

    NETWORKS: ClassVar[int] = 1001
    """Networks that are drawn where ``iterations`` is not given; the released loops count from 0 to 1000 inclusive."""

    iterations: Count = 1001
    """Outer steps, each one step of all images. Where it is not given: as many as the published number of networks
    takes."""
    image_lr: Positive | None = None
    """Outer learning rate of the pixels. None: as published for this number of images per class."""
    outer_momentum: Share = 0.5
    """Of the pixels' SGD."""
    image_steps: Count | None = None
    """Steps of the images under each network. None: as published for this number of images per class."""
    inner_epochs: Count | None = None
    """Epochs for which the network is trained on the images between two of these steps. None: as published."""
    inner_lr: Positive = 0.01
    """Learning rate of the network, plain SGD."""
    inner_batch: Count = 256
    """Synthetic images a step of the network sees."""
    real_batches: RandomBatches = RandomBatches()
    """Which real images an outer step sees."""
    init: AnyInit = RealInit()
    """The images of step 0."""
    match: AnyMatch
    """What is matched: gradients by the network's parameters, or mean embeddings."""
    augmentation: Literal["dsa", "none"] = "dsa"
    """Of the match, one draw a class for real and synthetic images; of the network's training, one an image."""
    classes_at_once: Count | None = None
    """Classes that are matched side by side; the sum over them is the same. None: as many as about 2 GB hold."""

    def for_ipc(self, ipc: int) -> Self:
        loop = self.loop(ipc)
        filled: dict[str, Any] = {**loop._asdict(), "image_lr": self.image_lr or self.published_lr(ipc)}
        if "iterations" not in self.model_fields_set:
            filled["iterations"] = self.NETWORKS * loop.image_steps
        return self.model_copy(update=filled)

    @abc.abstractmethod
    def published_lr(self, ipc: int) -> float:
        """Look up the learning rate of the pixels.

        Args:
            ipc: Images per class.

        Returns:
            The published rate, or that of the nearest smaller published number of images per class.
        """

    def loop(self, ipc: int) -> NetworkLoop:
        """Choose the loop of one network.

        Args:
            ipc: Images per class.

        Returns:
            The settings where they are given, what is published where it is, else what the rule says.
        """
        chosen = loop_for(ipc)
        return NetworkLoop(self.image_steps or chosen.image_steps, self.inner_epochs or chosen.inner_epochs)

    def loop_notes(self, ipc: int) -> tuple[str, ...]:
        """Say what a reader of results must know of the loop.

        Args:
            ipc: Images per class.

        Returns:
            A sentence where no loop is published for this number; else nothing.
        """
        if ipc in PUBLISHED:
            return ()
        steps, epochs = self.loop(ipc)
        return (
            f"no loop is published for {ipc} images per class: {steps} steps of the images for each network, "
            f"{epochs} epochs of training between them",
        )

    def plan_summary(self, sizes: Sizes, ipc: int) -> dict[str, int | str]:
        steps, epochs = self.loop(ipc)
        networks = -(-self.iterations // steps)
        between = epochs * -(-sizes.classes * ipc // self.inner_batch)
        return {
            "outer steps": self.iterations,
            "networks": networks,
            "inner steps": (self.iterations - networks) * between,
            "loop": "by rule" if self.loop_notes(ipc) else "published",
        }

    def loop_seconds(self, sizes: Sizes, ipc: int) -> float:
        loop, synthetic = self.loop(ipc), sizes.classes * ipc
        matched = self.iterations * sizes.classes * (self.real_batches.per_class + 3 * ipc)
        networks = -(-self.iterations // loop.image_steps)
        trained = (self.iterations - networks) * loop.inner_epochs * synthetic
        batch = sizes.classes * self.real_batches.per_class
        return training_seconds(sizes.activations, matched + trained, batch, torch.device(sizes.device))

    def peak_bytes(self, sizes: Sizes, ipc: int) -> Estimate:
        return self._peak(sizes, ipc, self._chunk(sizes, ipc))

    def memory_suggestions(self, sizes: Sizes, ipc: int, available: int) -> Sequence[MemorySuggestion]:
        chunk = self._chunk(sizes, ipc)
        fewer = [(count, self._peak(sizes, ipc, count)) for count in range(chunk - 1, 0, -1)]
        fitting = [pair for pair in fewer if pair[1] <= available] or fewer[-1:]
        found = [
            MemorySuggestion(f"-o method.classes_at_once={count}", needed, "the same gradient; the run goes on")
            for count, needed in fitting[:1]
        ]
        if not fitting or fitting[0][1] > available:
            found.append(MemorySuggestion("-o method.real_batches.per_class=64", None, "another run"))
        return found

    def defining_settings(self) -> dict[str, Any]:
        return {**super().defining_settings(), "classes_at_once": None}

    def _peak(self, sizes: Sizes, ipc: int, classes: int) -> Estimate:
        step = self.match.bytes(sizes, self.real_batches.per_class, ipc, classes)
        pixels = sizes.classes * ipc * sizes.pixels
        averaged = 0 if self.ema_decay is None else pixels
        return distillation_bytes(step.plus({"derivative": 4 * 2 * pixels}), pixels, averaged=averaged)

    def _chunk(self, sizes: Sizes, ipc: int) -> int:
        """How many classes are matched side by side."""
        if self.classes_at_once is not None:
            return min(self.classes_at_once, sizes.classes)
        each = self.match.bytes(sizes, self.real_batches.per_class, ipc, 1)
        return max(1, min(int(AT_ONCE_BYTES // each), sizes.classes))

    def outer_rates(self) -> Mapping[str, SGD]:
        return {"images": SGD(lr=self.image_lr or self.published_lr(1), momentum=self.outer_momentum)}

    def initialize(self, task: Task, ipc: int, step: OuterStep) -> SyntheticSet:
        mixed = [] if self.match.apart else batch_norms(task.network)
        if mixed and (self.classes_at_once or task.real.classes) < task.real.classes:
            raise UserError(
                "batch norm sees the images of all classes together, and classes_at_once takes them apart",
                f"layer {mixed[0]} of {task.network_name} is a batch norm",
                fix="leave classes_at_once out, or take a network without batch norm",
            )
        start = self.init.start(task, ipc, step, 0)
        labels = class_major_labels(task.real.classes, ipc).to(task.device)
        notes = (*start.notes, *self.loop_notes(ipc))
        return task.synthetic(start.images.to(task.device), labels, ipc=ipc, notes=notes)

    def carry(self, syn: SyntheticSet, task: Task, step: OuterStep) -> Mapping[str, Tensor]:
        """Hand on the network, trained on the images as they are now, until the next is drawn."""
        loop = self.loop(syn.ipc)
        if loop.image_steps == 1:
            return {}
        if step.number % loop.image_steps == 0:
            return {"theta": drawn_network(task, step)}
        return {"theta": self._trained(step.carried["theta"], syn, task, step, loop.inner_epochs)}

    def outer_loss(self, syn: SyntheticSet, task: Task, step: OuterStep) -> tuple[Tensor, dict[str, float]]:
        """Sum the match over classes; several ranks have some classes each.

        A step without anything carried has a network as it is drawn.
        """
        theta = step.carried["theta"] if "theta" in step.carried else drawn_network(task, step)
        network = self._network(task, theta, step)
        share = task.ranks.share(task.real.classes)
        own = range(task.real.classes)[share.rows]
        policy = self._augmentation(task)
        (images,) = task.ranks.copied(syn.images)

        def of_classes(part: Tensor, labels: Sequence[int]) -> Tensor:
            views = [siamese(policy, task.real.size, step.stream("augmentation", label)) for label in labels]
            batches = [self.real_batches.draw(task, label, step) for label in labels]
            real = [view(batch) for view, batch in zip(views, batches, strict=True)]
            synthetic = torch.stack([view(of_class) for view, of_class in zip(views, part, strict=True)])
            return self.match.loss(network, theta, real, synthetic, labels)

        by_class = images.unflatten(0, (task.real.classes, syn.ipc))[share.rows]
        loss = summed_over_classes(of_classes, by_class, own, self._classes_at_once(task, syn.ipc))
        (total,) = task.ranks.summed(loss if share.weight else 0 * loss)
        return total, {}

    def _network(self, task: Task, theta: Tensor, step: OuterStep) -> FlatNetwork:
        """The network of the match: where classes are apart, batch norm has the statistics of some images of all."""
        if not (self.match.apart and batch_norms(task.network)):
            return task.network
        few = RandomBatches(per_class=NORM_IMAGES)
        images = [few.draw(task, label, step, "batch norm") for label in range(task.real.classes)]
        return task.network.with_frozen_norms(theta, torch.cat(images))

    def _classes_at_once(self, task: Task, ipc: int) -> int:
        if not self.match.apart and batch_norms(task.network):
            return task.real.classes
        return self._chunk(task.sizes, ipc)

    def _augmentation(self, task: Task) -> Augmentation | None:
        return augmentation(self.augmentation, mirror=task.real.mirror)

    def _trained(self, theta: Tensor, syn: SyntheticSet, task: Task, step: OuterStep, epochs: int) -> Tensor:
        """The parameters after so many epochs of SGD on the images."""
        policy, draws = self._augmentation(task), step.stream("network augmentation")
        steps = epochs * -(-len(syn) // self.inner_batch)
        for rows in batch_order(len(syn), self.inner_batch, steps, step.stream("network batches")):
            images, labels = (syn.images, syn.labels) if rows is None else (syn.images[rows], syn.labels[rows])
            if policy is not None:
                images = policy.apply(images, policy.draw(len(images), task.real.size, draws))
            with torch.enable_grad():
                point = theta.detach().requires_grad_()
                loss = student_loss(task.network, syn.label_kind, point, images, labels)
                (gradient,) = torch.autograd.grad(loss, point)
            theta = theta - self.inner_lr * gradient
        (theta,) = task.ranks.agreed(theta)
        return theta
