"""One fresh network from its seed to its accuracy: what scoring does many times over, here or in another process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import nn

from ddbench.data.preprocessing import seen_value
from ddbench.data.realset import RealSet, Split
from ddbench.epoch_labels import EpochLabels
from ddbench.errors import UserError
from ddbench.evaluate.fresh import augment_by, has_batch_norm, is_finite, layers_seeded, train_fresh, trains_on_one
from ddbench.evaluate.lesson import Lesson, RealLesson, TensorLesson
from ddbench.evaluate.mixing import Mixer
from ddbench.evaluate.protocol import Circumstances, Course, Protocol
from ddbench.evaluate.unfinished import Unfinished
from ddbench.evaluate.views import DrawnViews, StoredViews, Views
from ddbench.feed import Feed
from ddbench.networks import build_network
from ddbench.randomness import derive, stream
from ddbench.teachers import Teachers
from ddbench.threads import one_thread
from ddbench.training import consecutive_batches, top1_accuracy

TEST_BATCH = 256


@dataclass(eq=False, kw_only=True)
class Exam:
    """What a network is trained on, how, and the images it is asked about afterwards.

    lessons: one training after the other. ipc: images per class as trained on. real: of it, only preprocessing, name,
    shape and mirror are used, so that an exam travels light. questions: the split that is asked. lr: the rate before
    any schedule; None takes the protocol's. stored: views and labels that are shown again instead of new ones. steps:
    of each training, at most. stretched: whether each takes just so many, its epochs and schedule stretched to them.
    """

    lessons: tuple[Lesson, ...]
    ipc: int
    real: RealSet
    questions: Split
    protocol: Protocol
    network: str
    lr: float | None
    device: torch.device
    title: str
    teachers: Teachers | None = None
    stored: EpochLabels | None = None
    steps: int | None = None
    stretched: bool = False

    def light(self) -> Exam:
        """The same exam without the splits of ``real`` that nobody asks about, or learns from."""
        asked = self.questions
        learned = asked if not any(isinstance(lesson, RealLesson) for lesson in self.lessons) else self.real.train
        real = replace(self.real, train=learned, validation=asked, test=asked)
        lessons = tuple(
            replace(lesson, real=real) if isinstance(lesson, RealLesson) else lesson for lesson in self.lessons
        )
        return replace(self, real=real, lessons=lessons)

    def take(self, seed: int, after_epoch: Callable[[int, int], None] = lambda done, of: None) -> tuple[float, bool]:
        """The accuracy of the network of this seed, a fraction, and whether its training stayed finite.

        after_epoch: told how many epochs are done, and of how many.
        """
        with one_thread(self.device):
            network = self.trained(seed, after_epoch)
            batches = (self.feed[rows] for rows in consecutive_batches(len(self.feed), TEST_BATCH))
            return top1_accuracy(network.eval(), batches), is_finite(network)

    def trained(
        self,
        seed: int,
        after_epoch: Callable[[int, int], None] = lambda done, of: None,
        unfinished: Unfinished | None = None,
    ) -> nn.Module:
        """The network of this seed after its last epoch.

        unfinished: of an exam of one lesson, keeps the training's state and goes on from it.
        Errors: UserError, before any epoch, where batches of one image are not enough for its batch norm.
        """
        if unfinished is not None and len(self.lessons) > 1:
            raise ValueError("of several lessons, none can be gone on with")
        shape = {"channels": self.real.channels, "size": self.real.size, "classes": self.real.classes}
        network = build_network(self.network, **shape, seed=derive(seed, "evaluation", "network")).to(self.device)
        course = self.course_of(network)
        self._require_batches(network, course)
        with layers_seeded(derive(seed, "evaluation", "layers"), self.device):
            for number, views in enumerate(self._views(course, seed)):
                before, of = number * course.trained_epochs, len(self.lessons) * course.trained_epochs
                train_fresh(
                    network,
                    views,
                    course,
                    steps=self.steps,
                    after_epoch=lambda done, before=before, of=of: after_epoch(before + done, of),
                    unfinished=unfinished,
                )
        return network

    def _require_batches(self, network: nn.Module, course: Course) -> None:
        shown = min(map(len, self.lessons)) if self.stored is None else self.stored.order.shape[1]
        together = min(shown, course.batch if self.stored is None else self.stored.batch)
        if together > 1 or not course.joins_last:
            return
        image = torch.zeros(1, self.real.channels, self.real.size, self.real.size, device=self.device)
        with layers_seeded(0, self.device):
            enough = trains_on_one(network, image)
        if not enough:
            raise UserError(
                f"{self.network} has batch norm, which can not train on one image of {self.real.size} pixels at a time",
                f"given {shown} images, {together} a batch",
                fix="give two images or more, or a network with another norm",
            )

    def course_of(self, network: nn.Module) -> Course:
        """The protocol as this network meets it."""
        about = Circumstances(
            dataset=self.real.name,
            network=self.network,
            batch_norm=has_batch_norm(network),
            ipc=self.ipc,
            classes=self.real.classes,
            size=self.real.size,
        )
        course = self.protocol.course(about, self.lr)
        if not self.stretched or self.steps is None:
            return course
        epochs = -(-self.steps // self._fewest_steps(course))
        return replace(course, epochs=epochs, trained_epochs=epochs)

    def _fewest_steps(self, course: Course) -> int:
        """Steps in an epoch, of the shortest lesson."""
        if self.stored is not None:
            shown, batch = self.stored.order.shape[1], self.stored.batch
        else:
            shown, batch = min(map(len, self.lessons)), course.batch
        steps = -(-shown // batch)
        return steps - 1 if course.joins_last and shown % batch == 1 and steps > 1 else steps

    @property
    def rate(self) -> float:
        """The learning rate that training begins with."""
        shape = {"channels": self.real.channels, "size": self.real.size, "classes": self.real.classes}
        return self.course_of(build_network(self.network, **shape, seed=0)).lr if self.lr is None else self.lr

    def _views(self, course: Course, seed: int) -> list[Views]:
        """What is seen of each lesson, on streams of randomness that run on from one lesson to the next."""
        if self.stored is not None and isinstance(lesson := self.lessons[0], TensorLesson):
            return [StoredViews(images=lesson.images, stored=self.stored, course=course)]
        like = torch.empty(1, self.real.channels, 1, 1, device=self.device)
        black = seen_value(self.real.preprocessing.describe(), 0.0, like)
        drawn = {
            "augment": augment_by(
                course.augmentation, mirror=self.real.mirror, seed=seed, device=self.device, black=black
            ),
            "mixer": Mixer(course, seed, self.device),
            "generator": stream(seed, "evaluation", "shuffling", device=self.device),
            "label": None if self.teachers is None else self.teachers.logits,
        }
        return [DrawnViews(lesson=lesson, course=course, **drawn) for lesson in self.lessons]

    @cached_property
    def feed(self) -> Feed:
        return Feed(self.real, self.questions, self.device)
