"""Initial pixels that represent their class: AST's."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ddbench.distillation.task import OuterStep, Task
from ddbench.errors import UserError
from ddbench.methods.parts.expert_ensemble import ExpertEnsemble
from ddbench.methods.parts.initialization import InitialImages, Initialization
from ddbench.randomness import derive
from ddbench.recipe.settings import Count


class KMeansInit(Initialization):
    """The real images nearest to the centers of k-means clusters of a class, by the logits of one expert, drawn.

    Source: Shen et al. 2023 (AST, arXiv:2310.10541), released ``distill.py``, ``pix_init avg``. Differs: the expert
    is at ``label_expert_epoch``, there the last; as many clusters as images by default; and an image is taken once.
    """

    kind: Literal["representative"] = "representative"
    asks_experts: ClassVar[bool] = True
    clusters: Count | None = None
    """k; None: one an image. Otherwise floor(ipc / k) images of each; the released code has 10."""

    def validate_ipc(self, ipc: int) -> None:
        if self.clusters and ipc % self.clusters:
            raise UserError(
                f"{self.clusters} clusters do not share out {ipc} images per class evenly",
                fix=f"init: {{kind: representative}}, which takes a cluster an image, or an ipc that "
                f"{self.clusters} divides",
            )

    def start(self, task: Task, ipc: int, step: OuterStep, label_expert_epoch: int) -> InitialImages:
        real, clusters = task.real, self.clusters or ipc
        real.require_ipc(ipc)
        self.validate_ipc(ipc)
        ensemble = ExpertEnsemble(task, label_expert_epoch)
        expert = int(torch.randint(len(ensemble), (), generator=step.stream("expert of the pixels")))
        seed = derive(step.seed, "k-means") % 2**32
        rows = []
        for label in range(real.classes):
            of_class = real.train.rows_of_class(label).cpu()
            logits = torch.cat([judged for _, judged in ensemble.logits_of_rows(expert, of_class)])
            rows.append(of_class[nearest_to_centers(logits, clusters, ipc // clusters, seed)])
        return InitialImages(real.inputs(real.train, torch.cat(rows)))


def nearest_to_centers(points: Tensor, clusters: int, each: int, seed: int) -> Tensor:
    """Choose the points nearest to every center of k-means, none twice.

    Centers choose in the order of k-means, from what is left.

    Args:
        points: (n, F).
        clusters: Number of centers.
        each: Points of a center.
        seed: Seed of k-means, 32 bits.

    Returns:
        Positions, (clusters * each,), int64.
    """
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters=clusters, init="k-means++", n_init="auto", random_state=seed).fit(
        points.double().numpy()
    )
    distances = torch.cdist(torch.from_numpy(np.asarray(fitted.cluster_centers_)), points.double())
    chosen: list[int] = []
    for to_center in distances:
        to_center[chosen] = torch.inf
        chosen += to_center.argsort(stable=True)[:each].tolist()
    return torch.tensor(chosen)
