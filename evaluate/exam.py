"""One fresh network from its seed to its accuracy: what scoring does many times over, here or in another process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ddbench.data.realset import RealSet, Split
from ddbench.evaluate.fresh import augment_by, has_batch_norm, is_finite, layers_seeded, train_fresh
from ddbench.evaluate.protocols import Protocol
from ddbench.feed import Feed
from ddbench.networks import build_network
from ddbench.randomness import derive, stream
from ddbench.synthetic import SyntheticSet
from ddbench.threads import one_thread
from ddbench.training import consecutive_batches, top1_accuracy

TEST_BATCH = 256


@dataclass(eq=False, kw_only=True)
class Exam:
    """What a network is trained on, how, and the images it is asked about afterwards.

    syn: on the device. real: of it, only preprocessing, name and mirror are used, so that an exam travels light.
    questions: the split that is asked. lr: the rate before the drop.
    """

    syn: SyntheticSet
    real: RealSet
    questions: Split
    protocol: Protocol
    network: str
    lr: float
    device: torch.device

    def light(self) -> Exam:
        """The same exam without the splits of ``real`` that nobody asks about."""
        asked = self.questions
        return replace(self, real=replace(self.real, train=asked, validation=asked, test=asked))

    def take(self, seed: int, after_epoch: Callable[[int, int], None] = lambda done, of: None) -> tuple[float, bool]:
        """The accuracy of the network of this seed, a fraction, and whether its training stayed finite.

        after_epoch: told how many epochs are done, and of how many.
        """
        _, channels, size, _ = self.syn.images.shape
        first = derive(seed, "evaluation", "network")
        network = build_network(self.network, channels=channels, size=size, classes=self.syn.classes, seed=first)
        network = network.to(self.device)
        setting = self.protocol.setting_for(self.real.name, batch_norm=has_batch_norm(network))
        augment = augment_by(setting.augmentation, mirror=self.real.mirror, seed=seed, device=self.device)
        with one_thread(self.device), layers_seeded(derive(seed, "evaluation", "layers"), self.device):
            generator = stream(seed, "evaluation", "shuffling", device=self.device)
            lessons = self.lessons
            for number, images in enumerate(lessons):
                before, of = number * setting.trained_epochs, len(lessons) * setting.trained_epochs
                train_fresh(
                    network,
                    images,
                    self.syn.labels,
                    label_kind=self.syn.label_kind,
                    lr=self.lr,
                    protocol=self.protocol,
                    setting=setting,
                    augment=augment,
                    generator=generator,
                    after_epoch=lambda done, before=before, of=of: after_epoch(before + done, of),
                )
            batches = (self.feed[rows] for rows in consecutive_batches(len(self.feed), TEST_BATCH))
            return top1_accuracy(network.eval(), batches), is_finite(network)

    @property
    def lessons(self) -> list[Tensor]:
        """The images that a network is trained on, one training after the other."""
        warm = self.syn.warm_images if self.protocol.warm_up else None
        return [self.syn.images] if warm is None else [warm, self.syn.images]

    @cached_property
    def feed(self) -> Feed:
        return Feed(self.real, self.questions, self.device)
