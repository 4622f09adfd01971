"""Architecture search: ranking the networks of a space by what they are trained on, and searching with it."""

from ddbench.evaluate.nas.ground_truth import GroundTruth
from ddbench.evaluate.nas.ground_truth_file import read_truth, write_truth
from ddbench.evaluate.nas.proxies import recipe
from ddbench.evaluate.nas.ranking import Ranking, rank
from ddbench.evaluate.nas.search import Search, search
from ddbench.evaluate.nas.space import SPACES, Space, space
from ddbench.evaluate.nas.train_ground_truth import true_accuracies

__all__ = [
    "SPACES",
    "Ranking",
    "Search",
    "Space",
    "GroundTruth",
    "rank",
    "read_truth",
    "recipe",
    "search",
    "space",
    "true_accuracies",
    "write_truth",
]
