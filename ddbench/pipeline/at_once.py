"""Distillation by methods that make a set at once, from the real data alone: stages of recipes, and the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.distillation.outer_state import require_same
from ddbench.distillation.run import at_once
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.row import RowSelection
from ddbench.evaluate.protocols.network_pools import NetworkRequest
from ddbench.pipeline.jobs import BufferSpec, Job
from ddbench.pipeline.stages import Stage
from ddbench.randomness import derive
from ddbench.runtime.provenance import code_identity, device_name, versions

if TYPE_CHECKING:
    import torch

    from ddbench.distillation.method import Method
    from ddbench.pipeline.domain import Domain
    from ddbench.pipeline.pipeline import Pipeline


class NoExperts:
    """The first stage of a domain whose methods need no experts."""

    def done(self, job: Job) -> bool:
        del job
        return True

    def run(self, job: Job) -> None:
        del job

    def train(self, spec: BufferSpec) -> Any:
        raise NotImplementedError(f"nobody trains {spec.folder}")


class MakeAtOnce:
    """Distillation by methods that make a set at once; their set is the only candidate.

    Args:
        pipeline: The recipe that it is a stage of.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def done(self, job: Job) -> bool:
        return job.set_path.exists()

    def run(self, job: Job) -> Path:
        """Make the set of a job and save it, unless its file is there.

        Args:
            job: The method at an ipc and seed, with the file that its set goes to.

        Returns:
            File of the set.

        Raises:
            UserError: The set that is there was made from other data; and as the method raises.
        """
        domain, real = self.pipeline.domain, self.pipeline.real
        settings = job.method.model_dump(mode="json")
        identity = {"method": job.name, "ipc": job.ipc, "seed": job.seed, **settings}
        identity[f"real {domain.name}"] = real.fingerprint
        if self.done(job):
            require_same(domain.load_set(job.set_path).provenance["identity"], identity, job.folder)
            return job.set_path
        task = domain.task(real, job.name, self._provenance(job))
        try:
            made = at_once(job.method, task, job.ipc, derive(job.seed, "distill"), self.pipeline.compute.device)
        except UserError as error:
            raise error.at(self._location_of(job)) from None
        replace(made, provenance={**made.provenance, "identity": identity}).save(job.set_path)
        return job.set_path

    def _location_of(self, job: Job) -> str:
        asked_for = job.label in self.pipeline.recipe.methods
        beside = f"{job.label}, which stands beside every method"
        return self.pipeline.loaded.where("methods", job.label) if asked_for else beside

    def _provenance(self, job: Job) -> dict[str, Any]:
        return {
            "recipe": self.pipeline.resolved(job),
            "label": job.label,
            "real_fingerprint": self.pipeline.real.fingerprint,
            "code": code_identity(),
            "versions": versions(),
            "device": device_name(self.pipeline.compute.device),
        }


class SetAsItIs:
    """Selection where there is one candidate: it is scored on every network.

    Args:
        pipeline: The recipe that it is a stage of.
        distill: The stage that makes the set.
    """

    def __init__(self, pipeline: Pipeline, distill: Stage) -> None:
        self.pipeline, self.done = pipeline, distill.done

    def run(self, job: Job) -> None:
        del job

    def sets(self, job: Job) -> Iterator[tuple[Any, NetworkRequest, RowSelection]]:
        syn = self.pipeline.domain.load_set(job.set_path)
        facts = {"recipe": self.pipeline.resolved(job), "label": job.label}
        syn = replace(syn, provenance={**syn.provenance, **facts})
        for request in self.pipeline.requests:
            yield syn, request, "validation"


def distill_at_once(
    domain: Domain,
    method: Method,
    name: str,
    real: Any,
    ipc: int | None,
    seed: int,
    device: torch.device,
    options: Mapping[str, Any],
) -> Any:
    """Distill real data by one call, for :meth:`ddbench.pipeline.domain.Domain.distill`.

    Args:
        domain: Domain of the data.
        method: A method that makes its set at once.
        name: Name of the method in the provenance of the set.
        real: Real data of the domain.
        ipc: Items per class; None is an error.
        seed: Seed that the method's random stream is derived from.
        device: Device whose memory is counted.
        options: Options that images alone have, by name; one that is not None is an error.

    Returns:
        The synthetic set, not saved.

    Raises:
        UserError: An option that does not apply, no ipc, or an ipc that the method or the data cannot have.
    """
    if extra := [option for option, value in options.items() if value is not None]:
        raise UserError(
            f"{extra[0]} does not apply to {domain.name}", fix=f"call distill(method, {domain.name}, ipc=...)"
        )
    if ipc is None:
        raise UserError(f"the number of {domain.name} per class is missing", fix="give ipc, such as ipc=10")
    method.validate_ipc(ipc)
    method = method.for_ipc(ipc)
    real.require_ipc(ipc)
    provenance = {"real_fingerprint": real.fingerprint, "code": code_identity(), "versions": versions()}
    return at_once(method, domain.task(real, name, provenance), ipc, derive(seed, "distill"), device)


def plan_at_once(domain: Domain, pipeline: Pipeline) -> dict[str, Any]:
    """Plan a recipe whose methods make their sets at once, for :meth:`ddbench.pipeline.domain.Domain.plan`.

    Args:
        domain: Domain of the recipe.
        pipeline: The recipe.

    Returns:
        Plain data: ``data``, ``buffers``, ``sets``, and a sentence on the ``evaluation``.
    """
    seeds, several = pipeline.recipe.evaluation.seeds, len(pipeline.recipe.distillation_seeds) > 1
    count = len(pipeline.jobs) * len(pipeline.networks) * seeds
    return {
        "recipe": pipeline.loaded.name,
        "data": list(domain.describe_data(pipeline)),
        "buffers": [],
        "sets": [
            {
                "method": job.label,
                "ipc": job.ipc,
                **({"seed": job.seed} if several else {}),
                "there": "yes" if pipeline.stages.distill.done(job) else "no",
            }
            for job in pipeline.jobs
        ],
        "evaluation": f"evaluation: {count} fresh networks ({', '.join(pipeline.networks)}) by {pipeline.protocol.key}",
    }
