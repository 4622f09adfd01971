"""The protocols there are, each with its source; a number changes only with a new version.

All are tested once, after the last epoch or after a number of steps that is chosen on validation. Several released
codes are not: SRe2L, RDED, INFER and RaT-BPTT print the best of many tests on the test split.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ddbench.errors import unknown
from ddbench.evaluate.protocols.decoupled import DECOUPLED
from ddbench.evaluate.protocols.protocol import EvaluationContext, Protocol, ProtocolOverrides, TrainingConfig

__all__ = [
    "PROTOCOLS",
    "TEACHING",
    "EvaluationContext",
    "TrainingConfig",
    "Protocol",
    "ProtocolOverrides",
    "protocol",
    "teaching_protocol",
]

_DSA = ProtocolOverrides(epochs=1000, augmentation="dsa")

_TRAJECTORY = (
    Protocol(
        name="dc",
        version=1,
        title="dataset condensation: no augmentation but for MNIST and batch-norm networks",
        source="VICO-UoE/DatasetCondensation utils.py: evaluate_synset, get_daparam (arXiv:2006.05929)",
        setting=ProtocolOverrides(epochs=300, augmentation="none"),
        by_dataset=(("mnist", ProtocolOverrides(epochs=1000, augmentation="dc")),),
        batch_norm=ProtocolOverrides(epochs=1000, augmentation="dc-bn"),
    ),
    Protocol(
        name="dsa",
        version=1,
        title="DSA and DM: differentiable siamese augmentation, fixed learning rate",
        source="VICO-UoE/DatasetCondensation utils.py: evaluate_synset, ParamDiffAug (arXiv:2102.08259)",
        setting=_DSA,
    ),
    Protocol(
        name="mtt",
        version=1,
        title="MTT and its family: as dsa-v1, with the learning rate that the set has learned",
        source="GeorgeCazenavette/mtt-distillation utils.py: evaluate_synset (arXiv:2203.11932)",
        setting=_DSA,
        learned_lr=True,
    ),
    Protocol(
        name="ftd-warm-ema",
        version=1,
        title="FTD's released code: mtt-v1 on the images, then again, with the same network, on their average",
        source="AngusDujw/FTD-distillation distill_FTD.py (arXiv:2211.11004): evaluate_synset, twice",
        setting=_DSA,
        learned_lr=True,
        warm_up=True,
    ),
    Protocol(
        name="tesla",
        version=1,
        title="TESLA: as mtt-v1, cross-entropy with the probabilities that a set has for labels",
        source="justincui03/tesla distill.py, utils.py: evaluate_synset with --teacher_label (arXiv:2211.10586)",
        setting=_DSA,
        learned_lr=True,
    ),
    Protocol(
        name="datm",
        version=1,
        title="DATM: as mtt-v1, in batches of 128, cross-entropy with the softmax of learned logits",
        source="NUS-HPC-AI-Lab/DATM configs (batch_train), utils.py: evaluate_synset (arXiv:2310.05773)",
        setting=_DSA,
        learned_lr=True,
        batch=128,
    ),
    Protocol(
        name="eccv24",
        version=1,
        title="ECCV 2024 challenge, track 1: as dsa-v1, always a ConvNet of three blocks; three networks there",
        source="DataDistillation/ECCV2024-Dataset-Distillation-Challenge, track 1",
        setting=_DSA,
        network="convnet-d3",
    ),
)

_BILEVEL = (
    Protocol(
        name="rat",
        version=1,
        title="RaT-BPTT: Adam, batches by class, flips or rotations; the number of steps is chosen on validation",
        source="fengyzpku/Simple_Dataset_Distillation framework/base.py: test (ICLR 2024); there the best of four "
        "numbers of steps on the test split is printed",
        setting=ProtocolOverrides(epochs=3000, augmentation="flip-rotate"),
        inclusive=False,
        optimizer="adam",
        lr=1e-3,
        weight_decay=0.0,
        schedule="constant",
        batches="by-class",
        horizons=(300, 600, 1000, 3000),
        rule="rat",
    ),
)

_OURS = (
    Protocol(
        name="nas",
        version=1,
        title="architecture search: one training for every network and every kind of data",
        source="ddbench; 200 epochs after Du et al. 2023 (FTD, arXiv:2211.11004), which prints no more",
        setting=ProtocolOverrides(epochs=200, augmentation="dsa"),
        inclusive=False,
        schedule="cosine",
    ),
    Protocol(
        name="real",
        version=1,
        title="whole real data: teachers, and the upper bound of every table",
        source="ddbench; SGD with a cosine, crops and flips, as networks for small images are commonly trained",
        setting=ProtocolOverrides(epochs=200, augmentation="crop-flip"),
        inclusive=False,
        batch=128,
        schedule="cosine",
    ),
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {protocol.key: protocol for protocol in (*_TRAJECTORY, *DECOUPLED, *_BILEVEL, *_OURS)}
)


TEACHING = ("real-v1", "squeeze-v1")
"""By which teachers are trained."""


def protocol(name: str, where: str = "") -> Protocol:
    """Protocol of a name.

    Args:
        name: Name with version, such as ``mtt-v1``.
        where: The place it was read from.

    Returns:
        The protocol.

    Raises:
        UserError: No protocol has this name; the error has the nearest names.
    """
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS, where)
    return PROTOCOLS[name]


def teaching_protocol(name: str, where: str = "") -> Protocol:
    """Protocol of a name, one that trains teachers.

    Args:
        name: Name with version.
        where: The place it was read from.

    Returns:
        The protocol.

    Raises:
        UserError: It trains no teachers; the error has the nearest names of those that do.
    """
    if name not in TEACHING:
        raise unknown("protocol for teachers", name, TEACHING, where)
    return PROTOCOLS[name]
