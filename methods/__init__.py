"""Distillation methods, one file each, and the table in which they are found by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddbench.registry import Registry

if TYPE_CHECKING:
    from ddbench.distillation.method import Method

METHODS: Registry[type[Method]] = Registry(
    "method",
    {
        "mtt": "ddbench.methods.mtt:MTT",
        "ftd": "ddbench.methods.ftd:FTD",
        "tesla": "ddbench.methods.tesla:TESLA",
        "datm": "ddbench.methods.datm:DATM",
        "ast": "ddbench.methods.ast:AST",
        "infer": "ddbench.methods.infer.method:INFER",
        "random": "ddbench.methods.coresets.random_images:RandomImages",
        "random-soft": "ddbench.methods.coresets.random_soft:RandomSoft",
        "herding": "ddbench.methods.coresets.herding:Herding",
        "k-center": "ddbench.methods.coresets.k_center:KCenter",
        "mirage": "ddbench.methods.mirage.method:Mirage",
        "random-graphs": "ddbench.methods.graph_coresets.random_graphs:RandomGraphs",
        "herding-graphs": "ddbench.methods.graph_coresets.herding_graphs:HerdingGraphs",
        "full-graphs": "ddbench.methods.graph_coresets.full_graphs:FullGraphs",
    },
    group="ddbench.methods",
)
"""Every method by name. Other packages add theirs through the entry-point group ``ddbench.methods``; a single file does
with ``@METHODS.register("name")`` and the command line's ``--plugin FILE``."""

__all__ = ["METHODS"]
