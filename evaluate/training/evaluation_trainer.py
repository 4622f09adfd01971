"""One fresh network from its seed to its accuracy: what scoring does many times over, here or in another process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import nn

from ddbench.data.loader import ImageLoader
from ddbench.data.preprocessing import seen_value
from ddbench.data.realset import RealSet, Split
from ddbench.errors import UserError
from ddbench.estimates.memory import activation_floats
from ddbench.estimates.stacked_memory import side_by_side, training_bytes, training_seconds
from ddbench.evaluate.protocols.protocol import EvaluationContext, Protocol, TrainingConfig
from ddbench.evaluate.training.batches import AugmentedBatches, StoredBatches, Views
from ddbench.evaluate.training.checkpoint import TrainingCheckpoint
from ddbench.evaluate.training.mixing import Mixer
from ddbench.evaluate.training.train_network import (
    augment_by,
    has_batch_norm,
    is_finite,
    layers_seeded,
    train_network,
    train_stacked,
    trains_on_one,
)
from ddbench.evaluate.training.training_sets import RealTrainingSet, TensorTrainingSet, TrainingSet
from ddbench.networks import build_network
from ddbench.randomness import derive, stream
from ddbench.runtime.compile import Choice, should_compile
from ddbench.runtime.threads import one_thread
from ddbench.synthetic.epoch_labels import EpochLabels
from ddbench.training.epoch import consecutive_batches, top1_accuracy
from ddbench.training.forward_pass import ForwardPass, draws_at_random, forward_pass
from ddbench.training.model_stack import StackedModels
from ddbench.training.teachers import Teachers

TEST_BATCH = 256
_CPU = torch.device("cpu")


@dataclass(eq=False, kw_only=True)
class EvaluationTrainer:
    """What a network is trained on, how, and the images it is asked about afterwards.

    lessons: one training after the other. ipc: images per class as trained on. real: of it, only preprocessing, name,
    shape and mirror are used, so that an exam travels light. questions: the split that is asked. lr: the rate before
    any schedule; None takes the protocol's. stored: views and labels that are shown again instead of new ones. steps:
    of each training, at most. stretched: whether each takes just so many, its epochs and schedule stretched to them.
    compiled: whether training steps are, which changes rounding alone; notice: whether it is said where they do not let
    themselves. together: how many networks are trained at once; None is one on a CPU, and as many as fit on a GPU.
    """

    lessons: tuple[TrainingSet, ...]
    ipc: int
    real: RealSet
    eval_split: Split
    protocol: Protocol
    network: str
    lr: float | None
    device: torch.device
    title: str
    teachers: Teachers | None = None
    stored: EpochLabels | None = None
    steps: int | None = None
    stretched: bool = False
    compiled: bool = False
    notice: bool = False
    together: int | None = None

    def compiling(self, choice: Choice, networks: int) -> EvaluationTrainer:
        """The same exam with training steps compiled, or not, as is best for so many networks.

        Networks whose layers draw for themselves never are: compiled, they would draw other numbers. Errors: UserError
        where compiling was asked for and this machine can not.
        """
        if choice == "off":
            return replace(self, compiled=False)
        config = self.training_config_of(self._network)
        shown = sum(map(len, self.lessons)) if self.stored is None else self.stored.order.shape[1]
        images = networks * config.trained_epochs * shown
        seconds = training_seconds(self._activations, images, config.batch, self.device)
        fast = should_compile(choice, seconds=seconds, device=self.device.type) and not self.draws
        return replace(self, compiled=fast, notice=choice == "on")

    def side_by_side(self, networks: int) -> int:
        """How many of so many networks are trained at once; see ``ddbench.estimates.stacked_memory.side_by_side``."""
        if (self.together is None and self.device.type == "cpu") or self.draws:
            return 1
        parameters = sum(parameter.numel() for parameter in self._network.parameters())
        batch = min(self.training_config_of(self._network).batch, max(map(len, self.lessons)))
        each = training_bytes(parameters, self._activations, batch)
        return side_by_side(self.together, networks, self.device, each)

    def without_unused_splits(self) -> EvaluationTrainer:
        """The same exam without the splits of ``real`` that nobody asks about, or learns from."""
        asked = self.eval_split
        learned = asked if not any(isinstance(lesson, RealTrainingSet) for lesson in self.lessons) else self.real.train
        real = replace(self.real, train=learned, validation=asked, test=asked)
        lessons = tuple(
            replace(lesson, real=real) if isinstance(lesson, RealTrainingSet) else lesson for lesson in self.lessons
        )
        return replace(self, real=real, lessons=lessons)

    def to(self, device: torch.device | str) -> EvaluationTrainer:
        """The same exam, to be taken on another device."""
        device = torch.device(device)
        if device == self.device:
            return self
        return replace(
            self,
            lessons=tuple(lesson.to(device) for lesson in self.lessons),
            real=self.real.to(device),
            teachers=self.teachers and self.teachers.to(device),
            stored=None if self.stored is None else self.stored.to(device),
            device=device,
        )

    def train_and_test(
        self, seed: int, after_epoch: Callable[[int, int], None] = lambda done, of: None
    ) -> tuple[float, bool]:
        """The accuracy of the network of this seed, a fraction, and whether its training stayed finite.

        after_epoch: told how many epochs are done, and of how many.
        """
        with one_thread(self.device):
            return self._answered(self.trained(seed, after_epoch))

    def train_and_test_stacked(
        self, seeds: Sequence[int], after_epoch: Callable[[int, int], None] = lambda done, of: None
    ) -> list[tuple[float, bool]]:
        """:meth:`take` for several seeds at once, up to rounding; networks that draw for themselves take turns.

        after_epoch: told how many epochs each has done, and of how many.
        """
        if len(seeds) == 1 or self.draws:
            return [self.train_and_test(seed, after_epoch) for seed in seeds]
        with one_thread(self.device):
            networks = [self._built(seed) for seed in seeds]
            config = self.training_config_of(networks[0])
            self._require_batches(networks[0], config)
            stack = StackedModels(networks, self._forward(stacked=True))
            lessons = zip(*(self._views(config, seed) for seed in seeds), strict=True)
            for number, views in enumerate(lessons):
                before, of = number * config.trained_epochs, len(self.lessons) * config.trained_epochs
                told = partial(_told, after_epoch, before, of)
                train_stacked(stack, views, config, steps=self.steps, after_epoch=told)
            return [self._answered(network) for network in networks]

    def _answered(self, network: nn.Module) -> tuple[float, bool]:
        batches = self.loader.batches(consecutive_batches(len(self.loader), TEST_BATCH))
        return top1_accuracy(network.eval(), batches), is_finite(network)

    def trained(
        self,
        seed: int,
        after_epoch: Callable[[int, int], None] = lambda done, of: None,
        unfinished: TrainingCheckpoint | None = None,
    ) -> nn.Module:
        """The network of this seed after its last epoch.

        unfinished: of an exam of one lesson, keeps the training's state and goes on from it.
        Errors: UserError, before any epoch, where batches of one image are not enough for its batch norm.
        """
        if unfinished is not None and len(self.lessons) > 1:
            raise ValueError("of several lessons, none can be gone on with")
        network = self._built(seed)
        config = self.training_config_of(network)
        self._require_batches(network, config)
        forward = self._forward(stacked=False) if self.compiled else None
        with layers_seeded(derive(seed, "evaluation", "layers"), self.device):
            for number, views in enumerate(self._views(config, seed)):
                before, of = number * config.trained_epochs, len(self.lessons) * config.trained_epochs
                train_network(
                    network,
                    views,
                    config,
                    steps=self.steps,
                    after_epoch=partial(_told, after_epoch, before, of),
                    unfinished=unfinished,
                    forward=forward,
                )
        return network

    def _built(self, seed: int) -> nn.Module:
        return build_network(self.network, **self._shape, seed=derive(seed, "evaluation", "network")).to(self.device)

    def _forward(self, *, stacked: bool) -> ForwardPass:
        options = {"stacked": stacked, "compile": self.compiled, "notice": self.notice}
        return forward_pass(self.network, **self._shape, device=self.device, **options)

    def _require_batches(self, network: nn.Module, config: TrainingConfig) -> None:
        shown = min(map(len, self.lessons)) if self.stored is None else self.stored.order.shape[1]
        together = min(shown, config.batch if self.stored is None else self.stored.batch)
        if together > 1 or not config.joins_last:
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

    def training_config_of(self, network: nn.Module) -> TrainingConfig:
        """The protocol as this network meets it."""
        about = EvaluationContext(
            dataset=self.real.name,
            network=self.network,
            batch_norm=has_batch_norm(network),
            ipc=self.ipc,
            classes=self.real.classes,
            size=self.real.size,
        )
        config = self.protocol.resolve(about, self.lr)
        if not self.stretched or self.steps is None:
            return config
        epochs = -(-self.steps // self._fewest_steps(config))
        return replace(config, epochs=epochs, trained_epochs=epochs)

    def _fewest_steps(self, config: TrainingConfig) -> int:
        """Steps in an epoch, of the shortest lesson."""
        if self.stored is not None:
            shown, batch = self.stored.order.shape[1], self.stored.batch
        else:
            shown, batch = min(map(len, self.lessons)), config.batch
        steps = -(-shown // batch)
        return steps - 1 if config.joins_last and shown % batch == 1 and steps > 1 else steps

    @property
    def rate(self) -> float:
        """The learning rate that training begins with."""
        return self.training_config_of(self._network).lr if self.lr is None else self.lr

    @property
    def _shape(self) -> dict[str, int]:
        return {"channels": self.real.channels, "size": self.real.size, "classes": self.real.classes}

    @cached_property
    def _network(self) -> nn.Module:
        """One of the networks, to look at, on the CPU."""
        return build_network(self.network, **self._shape, seed=0)

    @cached_property
    def _activations(self) -> int:
        return activation_floats(self._network, self.real.channels, self.real.size)

    @cached_property
    def draws(self) -> bool:
        """Whether layers of the network draw for themselves in training, as dropout does."""
        return draws_at_random(self._network, self.real.channels, self.real.size)

    def _views(self, config: TrainingConfig, seed: int) -> list[Views]:
        """What is seen of each lesson, on streams of randomness that run on from one lesson to the next.

        All is drawn on the CPU, so that a GPU has fewer and larger things to do, and sees what a CPU would.
        """
        if self.stored is not None and isinstance(lesson := self.lessons[0], TensorTrainingSet):
            return [StoredBatches(images=lesson.images, stored=self.stored, config=config)]
        like = torch.empty(1, self.real.channels, 1, 1, device=self.device)
        black = seen_value(self.real.preprocessing.describe(), 0.0, like)
        drawn = {
            "augment": augment_by(config.augmentation, mirror=self.real.mirror, seed=seed, device=_CPU, black=black),
            "mixer": Mixer(config, seed, _CPU),
            "generator": stream(seed, "evaluation", "shuffling"),
            "label": None if self.teachers is None else self.teachers.logits,
            "device": self.device,
        }
        return [AugmentedBatches(lesson=lesson, config=config, **drawn) for lesson in self.lessons]

    @cached_property
    def loader(self) -> ImageLoader:
        return ImageLoader(self.real, self.eval_split, self.device)


def _told(after_epoch: Callable[[int, int], None], before: int, of: int, done: int) -> None:
    after_epoch(before + done, of)
