from ddbench_mean_matching import MeanMatching

from ddbench.testing import check_method


def test_the_method_keeps_the_contract():
    check_method(MeanMatching, iterations=2, batch=4)
