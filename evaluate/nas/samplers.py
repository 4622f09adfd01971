"""Samplers of a search: Optuna or random choice, with the objective of each network."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any

import torch

from ddbench.data.realset import RealSet
from ddbench.errors import UserError
from ddbench.evaluate.nas.network_scores import NetworkScores
from ddbench.evaluate.nas.space import Choice, Space
from ddbench.networks import parameter_count
from ddbench.randomness import stream

Objective = Callable[[Choice], float | None]
"""The worth of a choice; None where there is no such network for these images."""

PER_TRIAL = 20
"""A sampler that settles proposes what is known already; it is done after so many proposals for each network wanted."""


class Trials:
    """Networks trained on the proxy of a cache, each once; equal proposals cost nothing and do not count.

    worth: mean validation accuracy by network, in the order of training. seconds: of all trainings, then and now.
    """

    def __init__(self, cache: NetworkScores, space: Space, real: RealSet, seeds: int) -> None:
        self.cache, self.space, self.real, self.seeds = cache, space, real, range(seeds)
        self.worth: dict[str, float] = {}
        self.seconds = 0.0

    def __call__(self, choice: Choice) -> float | None:
        network = self.space.name_of(choice)
        if network not in self.worth:
            if not takes(network, self.real):
                return None
            scores = self.cache.scores(network, self.seeds, "validation")
            self.worth[network] = fmean(scores.accuracy)
            self.seconds += scores.seconds
        return self.worth[network]

    def run(self, proposals: Iterator[None], count: int, seconds: float | None, report: Callable[[int], None]) -> None:
        """Try proposals until so many networks or seconds are spent, or nothing new is proposed.

        Args:
            proposals: Yields once a proposal, after it was tried.
            count: Networks to train, at most.
            seconds: Seconds of training, at most, those of earlier calls included; None is no limit.
            report: Called with the number of networks trained.

        Raises:
            UserError: No network takes these images.
        """
        for number, _ in enumerate(proposals, start=1):
            report(len(self.worth))
            enough = len(self.worth) >= min(count, len(self.space)) or number >= PER_TRIAL * count
            if enough or (seconds is not None and self.seconds >= seconds):
                break
        if not self.worth:
            raise UserError(
                f"no network of {self.space.name} that was tried takes {self.real.size}-pixel images",
                fix="choose another space, such as convnet-36",
            )

    def best(self, count: int) -> list[str]:
        """Networks with the highest mean accuracy on validation.

        Args:
            count: Number of networks.

        Returns:
            Their names, best first, of equals the first tried.
        """
        return sorted(self.worth, key=lambda network: -self.worth[network])[:count]


def takes(network: str, real: RealSet) -> bool:
    """Tell whether a network exists for images of a size.

    Args:
        network: Name of the network.
        real: Real set, whose images and classes it is built for.

    Returns:
        False where the images are too small for it.
    """
    try:
        parameter_count(network, real.shape)
    except UserError:
        return False
    return True


def optuna_search(space: Space, seed: int, worth: Objective) -> Iterator[None]:
    """Proposals of Optuna's tree-structured Parzen estimator; the same for a seed, as long as worths are the same.

    Args:
        space: Space that is searched.
        seed: Of the sampler.
        worth: Value of a choice, None where there is no such network.

    Returns:
        An iterator without end, which yields after each proposal was tried.

    Raises:
        UserError: Optuna is not installed.
    """
    optuna = require_optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    axes = {name: optuna.distributions.CategoricalDistribution(list(values)) for name, values in space.axes.items()}
    while True:
        trial = study.ask(axes)
        value = worth(trial.params)
        study.tell(trial, value, state=optuna.trial.TrialState.FAIL if value is None else None)
        yield


def random_search(space: Space, seed: int, worth: Objective) -> Iterator[None]:
    """Random choices, every value of an axis as likely as the others.

    Args:
        space: Space that is searched.
        seed: Of the draws.
        worth: Value of a choice; here its result is not used.

    Returns:
        An iterator without end, which yields after each choice was tried.
    """
    generator = stream(seed, "nas", "random search")
    while True:
        picks = [int(torch.randint(len(values), (), generator=generator)) for values in space.axes.values()]
        worth({name: values[pick] for (name, values), pick in zip(space.axes.items(), picks, strict=True)})
        yield


def require_optuna() -> Any:
    """Import Optuna.

    Returns:
        The module.

    Raises:
        UserError: It is not installed.
    """
    try:
        return importlib.import_module("optuna")
    except ModuleNotFoundError:
        raise UserError("searching needs Optuna, which is not installed", fix="pip install 'optuna>=3.6'") from None
