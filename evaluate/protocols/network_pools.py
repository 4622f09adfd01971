"""Networks that a set is evaluated on beyond the one it was made with, under the names of those who published them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ddbench.evaluate.leaderboard.row import LrPolicy
from ddbench.networks import canonical_network_name

CONVNET = "convnet"
"""In a pool: the ConvNet that the set was distilled with; ``convnet-d3`` where that is no ConvNet."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Networks with one policy for their learning rate: each trains with the protocol's, or each searches its own."""

    name: str
    """Name of the pool."""
    networks: tuple[str, ...]
    """Names of its networks, in order."""
    lr_policy: LrPolicy
    """"protocol" or "search"."""
    title: str
    """Summary for readers."""
    source: str
    """Paper that published the list."""

    def members(self, student: str) -> list[str]:
        """Networks of the pool for sets distilled with a network.

        Args:
            student: Network of the distillation, which stands for the pool's own ConvNet if it is one.

        Returns:
            Canonical names, in the pool's order.
        """
        own = student if student.startswith("convnet") else "convnet-d3"
        return [canonical_network_name(own if name == CONVNET else name) for name in self.networks]


POOLS: Mapping[str, Pool] = MappingProxyType(
    {
        pool.name: pool
        for pool in (
            Pool(
                name="mtt-pool",
                networks=(CONVNET, "alexnet", "vgg11", "resnet18-ap", "resnet18"),
                lr_policy="protocol",
                title="MTT: all with the rate that the set has learned",
                source="GeorgeCazenavette/mtt-distillation utils.py: get_eval_pool, mode M",
            ),
            Pool(
                name="datm-pool",
                networks=(CONVNET, "resnet18", "vgg11", "alexnet"),
                lr_policy="protocol",
                title="DATM and FTD: all with the rate that the set has learned",
                source="NUS-HPC-AI-Lab/DATM utils.py: get_eval_pool, mode M",
            ),
            Pool(
                name="idc-pool",
                networks=(CONVNET, "resnet10-bn", "densenet-cifar"),
                lr_policy="protocol",
                title="IDC on small images: all with the protocol's rate",
                source="arXiv:2205.14959, cross-architecture tables",
            ),
            Pool(
                name="decoupled-pool",
                networks=(
                    "resnet18-bn",
                    "resnet50-bn",
                    "resnet101-bn",
                    "mobilenet-v2",
                    "efficientnet-b0",
                    "shufflenet-v2",
                ),
                lr_policy="protocol",
                title="SRe2L, RDED, INFER and relatives: each with the protocol's rate for it",
                source="arXiv:2306.13092, arXiv:2312.03526, arXiv:2408.06927, cross-architecture tables",
            ),
        )
    }
)


@dataclass(frozen=True)
class NetworkRequest:
    """A network to be evaluated, and the pools it was requested with; the first decides on its learning rate."""

    network: str
    """Canonical name."""
    pools: tuple[Pool, ...] = ()
    """Pools in the order of their mention; none for a network named by itself."""


def expanded(names: Sequence[str], student: str, wheres: Sequence[str] = ()) -> list[NetworkRequest]:
    """Networks that names, of networks or pools, stand for.

    Args:
        names: Names of networks or pools.
        student: Network of the distillation.
        wheres: The place each name was read from; a missing one is unknown.

    Returns:
        Each network once, with its pools, in the order of first mention.

    Raises:
        UserError: An unknown name; the error has the nearest names.
    """
    requests: dict[str, NetworkRequest] = {}
    for number, name in enumerate(names):
        pool = POOLS.get(name)
        source = wheres[number] if number < len(wheres) else ""
        for member in pool.members(student) if pool else [canonical_network_name(name, source)]:
            known = requests.get(member, NetworkRequest(member)).pools
            requests[member] = NetworkRequest(member, (*known, pool) if pool else known)
    return list(requests.values())
