"""Domains: what each kind of data, such as images and graphs, brings to the one pipeline.

A third kind is a class derived from :class:`Domain`, registered in ``ddbench.pipeline.domains.DOMAINS`` by a plugin, or
by the entry-point group ``ddbench.domains``. Its data sets are entries of ``ddbench.data.sources.SOURCES``, which name
it, as its methods and its real data do (``DOMAIN``).
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ddbench.errors import UserError

if TYPE_CHECKING:
    from ddbench.distillation.method import Method
    from ddbench.evaluate.leaderboard.row import Row
    from ddbench.evaluate.protocols.network_pools import NetworkRequest
    from ddbench.pipeline.context import RunContext
    from ddbench.pipeline.evaluator import Evaluator
    from ddbench.pipeline.expand_recipe import JobSpec
    from ddbench.pipeline.jobs import Job
    from ddbench.pipeline.pipeline import Pipeline
    from ddbench.pipeline.set_evaluation import SetEvaluation, SetOptions
    from ddbench.pipeline.stages import Stages
    from ddbench.recipe.recipe import LoadedRecipe
    from ddbench.runtime.compute import Compute
    from ddbench.synthetic.recorded import RecordedRecipe


class RealData(Protocol):
    """Real data of a domain, as the pipeline sees it."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    def require_ipc(self, ipc: int, where: str = "") -> None:
        """Require ``ipc`` training items in every class; UserError, which says ``where``, for fewer."""
        ...

    def in_words(self) -> tuple[str, ...]:
        """Describe the splits in a sentence, and what else a user must know in further ones."""
        ...


class Comparison(Protocol):
    """A row compared with what was measured anew."""

    @property
    def passed(self) -> bool: ...
    def as_dict(self) -> dict[str, Any]: ...
    def text(self) -> str: ...


class Domain(abc.ABC):
    """A kind of data, without state.

    Abstract hooks are what every domain has of its own. The others serve domains whose methods make a set at once, from
    the real data alone, and whose sets are scored as they are.

    An argument means the same in all hooks: ``loaded`` is a recipe as it was read, ``pipeline`` that with its jobs
    and stages, ``job`` one synthetic set of it, ``real`` real data of the domain, ``syn`` a synthetic set as
    ``load_set`` returns it, ``context`` home and device, and ``where`` the location of a name, for errors.
    """

    name: ClassVar[str]
    """What its data sets hold, in the plural: ``images``."""
    set_kind: ClassVar[str]
    """Kind under which files of its synthetic sets are written (``ddbench.artifact.save``)."""
    set_type: ClassVar[type] = object
    """Class of its synthetic sets."""
    method_kinds: ClassVar[tuple[type[Method], ...]]
    """Base classes of its methods."""
    usual_network: ClassVar[str] = ""
    """Network that scores a set whose recipe names none."""
    parallel: ClassVar[bool] = False
    """Whether executors and the ranks of torchrun can share its work."""

    @abc.abstractmethod
    def network(self, name: str, where: str = "") -> str:
        """Canonical name of a network; UserError for one that is unknown."""

    @abc.abstractmethod
    def protocol(self, name: str | None, where: str = "") -> Any:
        """Protocol of a name, the usual one for None; it has a ``key``. UserError for a name that is unknown."""

    @abc.abstractmethod
    def load(self, name: str, *, validation: float, seed: int, context: RunContext, where: str = "") -> Any:
        """Load real data by name; ``validation`` is the share cut off from training. See :class:`RealData`."""

    @abc.abstractmethod
    def load_set(self, file: Path) -> Any:
        """Load the synthetic set of a file: with method, dataset, ipc, provenance, ``tensors()`` and ``save(path)``."""

    @abc.abstractmethod
    def evaluator(self, **common: Any) -> Evaluator:
        """Evaluator of sets, from the fields that all evaluators have."""

    @abc.abstractmethod
    def verify(self, row: Row, syn: Any, real: Any, *, context: RunContext, teachers: Any) -> Comparison:
        """Score a set, None for a row without one, as its row says, and compare."""

    @abc.abstractmethod
    def draw(self, syn: Any, target: Path, home: Path) -> None:
        """Draw a set as a PNG; ``home`` holds what its preprocessing needs."""

    def network_rows(self) -> list[dict[str, Any]]:
        """Describe the networks for ``ddbench networks``: "name", "parameters" (None for unknown), "note"."""
        return [{"name": name, "parameters": None, "note": self.name} for name in [self.usual_network] if name]

    def protocol_rows(self) -> list[dict[str, Any]]:
        """Describe the protocols for ``ddbench protocols``, as the domain of images does."""
        return []

    def task(self, real: Any, method: str, provenance: Mapping[str, Any]) -> Any:
        """Make the task of a method that makes its set at once; ``provenance`` goes into the set."""
        raise NotImplementedError(f"{self.name} have no methods that make a set at once")

    def thumbnail(self, syn: Any, home: Path, limit: int) -> bytes | None:
        """Small picture of at most ``limit`` bytes for the leaderboard page; None for a domain without any."""
        del syn, home, limit

    def describe(self, syn: Any) -> dict[str, Any]:
        """Describe a set for ``ddbench info``, beyond what its file says."""
        del syn
        return {}

    def distill(
        self, method: Method, name: str, real: Any, ipc: int | None, *, seed: int, compute: Compute, **options: Any
    ) -> Any:
        """Distill real data from Python; ``options`` are those that images alone have, None where not given."""
        from ddbench.pipeline.at_once import distill_at_once

        return distill_at_once(self, method, name, real, ipc, seed, compute.device, options)

    def file_sha256(self, document: Mapping[str, Any]) -> str | None:
        """Hash that stands for a set in rows, from the description of its file."""
        return document.get("sha256")

    def has_set(self, row: Row) -> bool:
        """Tell whether a row is of a synthetic set."""
        del row
        return True

    def real_of_recipe(self, loaded: LoadedRecipe, context: RunContext, **view: Any) -> Any:
        """Load the data of a recipe; ``view`` are arguments of ``load`` that differ from the recipe."""
        recipe, location = loaded.recipe, loaded.where("dataset")
        arguments = {"validation": recipe.validation, "seed": recipe.seed, "context": context, "where": location}
        return self.load(recipe.dataset, **arguments, **view)

    def real_of_set(
        self, short: str, recipe: RecordedRecipe, syn: Any, context: RunContext, given: str | None, where: Path | str
    ) -> Any:
        """Load the real data that a set or row was made from.

        Args:
            short: Its name in rows.
            recipe: Recipe inside the file.
            syn: The set; None for a row without one.
            context: Home and data root.
            given: Name as the user gives it; a name that would run code is taken from the user alone.
            where: The file, for errors.

        Returns:
            The real data, split as the recipe says.

        Raises:
            UserError: Nothing says which data it is, or the file's name is none that may be followed.
        """
        from ddbench.synthetic.recorded import recorded_dataset

        del syn
        if given is None and recipe.dataset is None:
            raise UserError(
                f"nothing says where the {self.name} of {short} are", fix="give their name with --dataset NAME"
            )
        name = given or recorded_dataset(recipe.dataset or "", where)
        return self.load(name, validation=recipe.validation, seed=recipe.seed, context=context)

    def check_recipe(self, loaded: LoadedRecipe) -> None:
        """Check a recipe before anything of it is looked up; UserError for a key that is about images alone."""
        from ddbench.pipeline.image_keys import refuse_image_keys

        refuse_image_keys(loaded, self.name)

    def check_jobs(self, pipeline: Pipeline) -> None:
        """Check a recipe whose jobs are known, before any data is loaded; UserError where they do not fit."""
        del pipeline

    def prepare(self, pipeline: Pipeline, real: Any) -> Any:
        """Check the real data against the recipe, and return it where it is used, as on a GPU."""
        del pipeline
        return real

    def requests(self, loaded: LoadedRecipe, network: str, protocol: Any) -> list[NetworkRequest]:
        """List the networks that a recipe's sets are scored on, ``network`` where it names none."""
        from ddbench.evaluate.protocols.network_pools import NetworkRequest

        del protocol
        named = loaded.recipe.evaluation.networks
        places = [loaded.where("evaluation", "networks", number) for number in range(len(named))]
        names = [self.network(name, place) for name, place in zip(named, places, strict=True)]
        return [NetworkRequest(name) for name in names or [network]]

    def student(self, network: str) -> str:
        """Network that sets follow from: none, where methods make a set without one."""
        del network
        return ""

    def baselines(self, loaded: LoadedRecipe, specs: Sequence[JobSpec]) -> Iterable[JobSpec]:
        """Make the jobs that stand beside those that a recipe asks for."""
        del loaded, specs
        return ()

    def resolved(self, pipeline: Pipeline, job: Job) -> dict[str, Any]:
        """Resolve the recipe of one job as its set and rows carry it."""
        from ddbench.pipeline.image_keys import IMAGE_KEYS
        from ddbench.pipeline.jobs import resolved

        whole = resolved(pipeline.loaded, job, pipeline.networks)
        whole["evaluation"] = pipeline.evaluation_facts
        return {key: value for key, value in whole.items() if key not in (*IMAGE_KEYS, "network")}

    def distill_ahead(self, pipeline: Pipeline) -> None:
        """Distill what is missing in several processes, where a domain can, before each job has its turn."""
        del pipeline

    def stages(self, pipeline: Pipeline) -> Stages:
        """Make the stages of a recipe."""
        from ddbench.pipeline.at_once import MakeAtOnce, NoExperts, SetAsItIs
        from ddbench.pipeline.stages import Evaluate, Stages

        distill = MakeAtOnce(pipeline)
        select = SetAsItIs(pipeline, distill)
        evaluate = Evaluate(pipeline, select, lambda job: self.evaluator(**pipeline.evaluator_fields(job)))
        return Stages(NoExperts(), distill, select, evaluate)

    def references(self, pipeline: Pipeline) -> Iterator[tuple[Row, Path]]:
        """Make the rows that need no set, and yield them with their files."""
        del pipeline
        return iter(())

    def score(
        self,
        syn: Any,
        real: Any,
        *,
        protocol: str | None,
        network: str | None,
        seeds: Sequence[int],
        compute: Compute,
        **options: Any,
    ) -> Any:
        """Score a set from Python; ``options`` are those that images alone have, None where not given."""
        raise NotImplementedError(f"{self.name} are scored by recipes alone")

    def set_evaluation(
        self, syn: Any, recipe: RecordedRecipe, options: SetOptions, context: RunContext, file: Path
    ) -> SetEvaluation:
        """Make ready to score the set of a file.

        Args:
            syn: The set.
            recipe: Recipe inside its file, which says what the options do not.
            options: Options of the command.
            context: Home, device, progress.
            file: The file, for errors.

        Returns:
            The set, its evaluator and the networks.

        Raises:
            UserError: An option, a name or the data is wrong.
        """
        from ddbench.pipeline.set_evaluation import evaluation_as_recorded

        return evaluation_as_recorded(self, syn, recipe, options, context, file)

    def plan(self, pipeline: Pipeline, *, timed: bool = False) -> dict[str, Any]:
        """Plan a recipe as plain data: ``data``, ``buffers``, ``sets``, and a sentence on the ``evaluation``."""
        from ddbench.pipeline.at_once import plan_at_once

        del timed
        return plan_at_once(self, pipeline)

    def describe_data(self, pipeline: Pipeline) -> Sequence[str]:
        """Describe the data of a recipe for its plan."""
        return pipeline.real.in_words()

    def check_memory(self, pipeline: Pipeline, *, experts_alone: bool = False, scored: bool = True) -> None:
        """Check that what is still to be made fits in memory; UserError where it does not."""
        del pipeline, experts_alone, scored
