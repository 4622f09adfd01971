"""What a recipe on graphs takes, as plain data and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.commands.graph_pipeline import GraphPipeline


def _data(pipeline: GraphPipeline) -> list[str]:
    """The splits of the graphs, checked, where the set lies on this machine already; nothing is downloaded or run.

    Errors: UserError where the graphs cannot be used, or an ipc is larger than a class.
    """
    from ddbench.commands.data_lines import facts_in_words
    from ddbench.graphs.load import NotHereError

    if pipeline.recipe.dataset.startswith("pyg:"):
        return [f"{pipeline.recipe.dataset} is a function, which is called when the recipe runs"]
    try:
        return list(facts_in_words(pipeline.graphs(download=False)))
    except NotHereError:
        return [f"{pipeline.recipe.dataset} is not on this machine, and is downloaded when the recipe runs"]


def graph_plan_facts(pipeline: GraphPipeline) -> dict[str, Any]:
    """The plan of a recipe on graphs: ``buffers``, which there are none of, ``sets``, and what is trained."""
    asked, count = pipeline.recipe.evaluation, len(pipeline.jobs) * len(pipeline.networks)
    return {
        "recipe": pipeline.loaded.name,
        "data": _data(pipeline),
        "buffers": [],
        "sets": [
            {
                "method": job.label,
                "ipc": job.ipc,
                **({"seed": job.seed} if len(pipeline.recipe.distillation_seeds) > 1 else {}),
                "there": "yes" if pipeline.set_path(job).exists() else "no",
            }
            for job in pipeline.jobs
        ],
        "evaluation": f"evaluation: {count * asked.seeds} fresh networks ({', '.join(pipeline.networks)}) by "
        f"{pipeline.protocol.key}; node count, edge count and label histogram beside them, without any network",
    }
