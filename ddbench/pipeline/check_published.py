"""Check of a printed accuracy: fresh networks trained on a set, compared with what is printed of such sets."""

from __future__ import annotations

from pathlib import Path

from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.published import is_as_published
from ddbench.evaluate.leaderboard.test_split import image_test_split
from ddbench.evaluate.protocols.builtin import protocol as protocol_named
from ddbench.evaluate.published_claims import ClaimCheck, check_claim, published_result
from ddbench.evaluate.score import score
from ddbench.evaluate.training.worker_count import should_parallelize
from ddbench.networks import canonical_network_name
from ddbench.pipeline.context import RunContext
from ddbench.pipeline.real_set import real_set_of
from ddbench.synthetic.recorded import recorded_recipe
from ddbench.synthetic.synthetic_set import load_synthetic
from ddbench.training.teachers import load_teachers


def check_published(
    path: Path,
    context: RunContext,
    *,
    method: str | None,
    network: str | None,
    protocol: str | None,
    seeds: int,
    teachers: Path | None,
    dataset: str | None,
) -> ClaimCheck:
    """Train fresh networks on the set in a file and compare with what is printed of such sets.

    Args:
        path: File of the synthetic set.
        context: Home, device, progress and executors.
        method: Method under which the result is printed; None is the set's own.
        network: Network that is trained; None is the protocol's, or else the one that the set was distilled with.
        protocol: Name of the evaluation protocol; None is that of the set's recipe.
        seeds: Number of networks, with the seeds 0 to ``seeds - 1``.
        teachers: File of the networks that labeled; None where the set needs none.
        dataset: Name under which the real data is found now; None follows the recipe.

    Returns:
        The printed accuracy beside the measured ones.

    Raises:
        UserError: Nothing is printed, or it is about other test images; and as in ``score``.
    """
    device, syn = context.compute.device, load_synthetic(path)
    recipe = recorded_recipe(syn.provenance.get("recipe"), path, "synthetic set")
    by = protocol_named(protocol or recipe.evaluation.protocol)
    name = canonical_network_name(network or by.network or syn.network)
    claim = published_result(syn, name, method)
    real = real_set_of(
        syn.dataset, recipe, syn.preprocessing["kind"], context, dataset, syn.preprocessing, where=path
    ).to(device)
    if not is_as_published(syn.dataset, image_test_split(real)):
        raise UserError(
            f"what is printed of {syn.dataset} is about other test images than these",
            f"these {image_test_split(real).text()}",
            fix="load the data set as it was published, in its own size",
        )
    scores = score(
        syn,
        real,
        protocol=by,
        network=name,
        seeds=range(seeds),
        compute=context.shared_out(context.compute, worth=should_parallelize(syn, by, [name], seeds)),
        teachers=teachers and load_teachers(teachers),
    )
    return check_claim(claim, scores)
