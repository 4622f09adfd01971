"""A third domain, as a plugin would bring it: tables of numbers (scikit-learn's wine), scored by a linear probe."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import torch
from matplotlib import image
from sklearn.datasets import load_wine

from ddbench import artifact
from ddbench.data.sources import SOURCES, DatasetSource
from ddbench.distillation.method import Method
from ddbench.errors import UserError
from ddbench.evaluate.leaderboard.make_row import plain_row
from ddbench.evaluate.scores import Scores
from ddbench.evaluate.verify import compare_accuracies, is_exact, require_same_origin
from ddbench.methods import METHODS
from ddbench.pipeline.domain import Domain
from ddbench.pipeline.domains import DOMAINS
from ddbench.pipeline.evaluator import Evaluator
from ddbench.randomness import stream
from ddbench.runtime.provenance import versions

PROTOCOL, STEPS, FACTS = SimpleNamespace(key="probe-v1"), 100, ("method", "ipc", "dataset", "provenance")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows (n, 13) and their classes (n,), divided."""

    name: str
    train: tuple[torch.Tensor, torch.Tensor]
    test: tuple[torch.Tensor, torch.Tensor]
    DOMAIN = "tables"

    @property
    def fingerprint(self):
        return artifact.tensors_sha256({"train": self.train[0], "test": self.test[0]})[:16]

    def require_ipc(self, ipc, where=""):
        if ipc > int(torch.bincount(self.train[1]).min()):
            raise UserError(f"ipc {ipc} is larger than a class", fix="choose a smaller one")

    def in_words(self):
        return (f"train {len(self.train[1])} rows, test {len(self.test[1])} rows",)


@dataclass(frozen=True, eq=False, kw_only=True)
class TableSet:
    """A few rows with labels."""

    rows: torch.Tensor
    labels: torch.Tensor
    method: str
    ipc: int
    dataset: str
    provenance: dict = field(default_factory=dict)

    def tensors(self):
        return {"rows": self.rows, "labels": self.labels}

    @property
    def bytes(self):
        return {name: tensor.nbytes for name, tensor in self.tensors().items()}

    def save(self, path):
        return artifact.save(path, "table set", self.tensors(), {name: getattr(self, name) for name in FACTS})


class ClassMeans(Method):
    """The mean of so many drawn rows of a class, ``ipc`` times."""

    DOMAIN = "tables"
    drawn: int = 5

    def distill(self, task, ipc, at):
        (rows, labels), generator = task.real.train, at.stream("rows")
        classes = torch.arange(3).repeat_interleave(ipc)
        drawn = [rows[labels == c][torch.randperm(int((labels == c).sum()), generator=generator)] for c in classes]
        means = torch.stack([some[: self.drawn].mean(0) for some in drawn])
        return TableSet(rows=means, labels=classes, ipc=ipc, dataset="wine", **task.made)


class TableEvaluator(Evaluator):
    """Trains linear probes."""

    def evaluate(self, syn, request, selection, note=""):
        scores = self.score(syn, request.network)
        return plain_row(syn, self.real, scores, "tables", selection=selection, device=self.compute.device, note=note)

    def score(self, syn, network):
        accuracy = tuple(self._probe(syn, seed) for seed in self.seeds)
        facts = {"network": network, "protocol": self.protocol.key, "split": "test", "seconds": 0.0, "peak_bytes": 0}
        return Scores(accuracy=accuracy, seeds=tuple(self.seeds), **facts)

    def _probe(self, syn, seed):
        weight = torch.randn(13, 3, generator=stream(seed, "probe")).mul(0.01).requires_grad_()
        optimizer = torch.optim.SGD([weight], lr=0.1)
        for _ in range(STEPS):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(syn.rows @ weight, syn.labels).backward()
            optimizer.step()
        return ((self.real.test[0] @ weight).argmax(1) == self.real.test[1]).double().mean().item()


class Tables(Domain):
    """Tables of numbers."""

    name = "tables"
    set_kind = "table set"
    method_kinds = (ClassMeans,)

    def network(self, name, where=""):
        return name

    def protocol(self, name, where=""):
        return PROTOCOL

    def load(self, name, *, validation, seed, context, where=""):
        rows, labels = (torch.from_numpy(part) for part in load_wine(return_X_y=True))
        rows = ((rows - rows.mean(0)) / rows.std(0)).float()
        order = torch.randperm(len(rows), generator=stream(seed, "split")).split([118, 60])
        return Table(name, *((rows[part], labels[part]) for part in order))

    def load_set(self, file):
        tensors, facts = artifact.load(file, self.set_kind)
        return TableSet(**tensors, **{name: facts[name] for name in FACTS})

    def task(self, real, method, provenance):
        return SimpleNamespace(real=real, made={"method": method, "provenance": dict(provenance)})

    def evaluator(self, **common):
        return TableEvaluator(**common)

    def verify(self, row, syn, real, *, context, teachers):
        common = {"compute": context.compute, "results": context.results, "seeds": row.seeds}
        evaluator = self.evaluator(real=real, protocol=PROTOCOL, **common)
        require_same_origin(row, evaluator.sha256(syn), real.fingerprint)
        scores = evaluator.score(syn, row.network)
        return compare_accuracies(row, scores.accuracy, is_exact(row, context.compute.device, versions()))

    def draw(self, syn, target, home):
        image.imsave(target, syn.rows.numpy())


def register():
    """Bring the domain, its method and its data set, as a plugin does when it is imported."""
    DOMAINS.register("tables")(Tables)
    METHODS.register("class-means")(ClassMeans)
    SOURCES["wine"] = DatasetSource("", "178", 3, "13 numbers", "scikit-learn (embedded)", domain="tables")
