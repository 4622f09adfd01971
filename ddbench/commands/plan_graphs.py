"""What a recipe on graphs takes, as plain data and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.commands.graph_pipeline import GraphPipeline


def graph_plan_facts(pipeline: GraphPipeline) -> dict[str, Any]:
    """The plan of a recipe on graphs: ``buffers``, which there are none of, ``sets``, and what is trained."""
    asked, count = pipeline.recipe.evaluation, len(pipeline.jobs) * len(pipeline.networks)
    return {
        "recipe": pipeline.loaded.name,
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
