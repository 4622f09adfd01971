"""Distillation methods by name (``METHODS``) and by class (``ddbench.methods.MTT``), each imported when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ddbench.registry import Registry

if TYPE_CHECKING:
    from ddbench.distillation.base_method import Method
    from ddbench.methods.ast import AST
    from ddbench.methods.att import ATT
    from ddbench.methods.coresets.herding import Herding
    from ddbench.methods.coresets.k_center import KCenter
    from ddbench.methods.coresets.random_images import RandomImages
    from ddbench.methods.coresets.random_soft import RandomSoft
    from ddbench.methods.datm import DATM
    from ddbench.methods.dc import DC
    from ddbench.methods.dm import DM
    from ddbench.methods.dsa import DSA
    from ddbench.methods.ftd import FTD
    from ddbench.methods.graph_coresets.full_graphs import FullGraphs
    from ddbench.methods.graph_coresets.herding_graphs import HerdingGraphs
    from ddbench.methods.graph_coresets.random_graphs import RandomGraphs
    from ddbench.methods.infer.method import INFER
    from ddbench.methods.mirage.method import Mirage
    from ddbench.methods.mtt import MTT
    from ddbench.methods.pad import PAD
    from ddbench.methods.rat_bptt import RaTBPTT
    from ddbench.methods.rded.method import RDED
    from ddbench.methods.sre2l.method import SRe2L
    from ddbench.methods.tesla import TESLA

_BUILTIN = {
    "mtt": "ddbench.methods.mtt:MTT",
    "ftd": "ddbench.methods.ftd:FTD",
    "tesla": "ddbench.methods.tesla:TESLA",
    "datm": "ddbench.methods.datm:DATM",
    "ast": "ddbench.methods.ast:AST",
    "att": "ddbench.methods.att:ATT",
    "pad": "ddbench.methods.pad:PAD",
    "dc": "ddbench.methods.dc:DC",
    "dsa": "ddbench.methods.dsa:DSA",
    "dm": "ddbench.methods.dm:DM",
    "rat-bptt": "ddbench.methods.rat_bptt:RaTBPTT",
    "infer": "ddbench.methods.infer.method:INFER",
    "rded": "ddbench.methods.rded.method:RDED",
    "sre2l": "ddbench.methods.sre2l.method:SRe2L",
    "random": "ddbench.methods.coresets.random_images:RandomImages",
    "random-soft": "ddbench.methods.coresets.random_soft:RandomSoft",
    "herding": "ddbench.methods.coresets.herding:Herding",
    "k-center": "ddbench.methods.coresets.k_center:KCenter",
    "mirage": "ddbench.methods.mirage.method:Mirage",
    "random-graphs": "ddbench.methods.graph_coresets.random_graphs:RandomGraphs",
    "herding-graphs": "ddbench.methods.graph_coresets.herding_graphs:HerdingGraphs",
    "full-graphs": "ddbench.methods.graph_coresets.full_graphs:FullGraphs",
}

METHODS: Registry[type[Method]] = Registry(
    "method",
    _BUILTIN,
    group="ddbench.methods",
)
"""Every method by name. Other packages add theirs through the entry-point group ``ddbench.methods``; a single file does
with ``@METHODS.register("name")`` and the command line's ``--plugin FILE``."""

_CLASSES = {target.partition(":")[2]: target.partition(":")[0] for target in _BUILTIN.values()}
"""Modules by the name of the method class that they define."""

__all__ = [
    "AST",
    "ATT",
    "DATM",
    "DC",
    "DM",
    "DSA",
    "FTD",
    "INFER",
    "METHODS",
    "MTT",
    "PAD",
    "RDED",
    "TESLA",
    "FullGraphs",
    "Herding",
    "HerdingGraphs",
    "KCenter",
    "Mirage",
    "RandomGraphs",
    "RandomImages",
    "RaTBPTT",
    "RandomSoft",
    "SRe2L",
]


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_CLASSES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
