import tracemalloc

import numpy as np
import pytest

from agnsal import ProbabilisticSVC, as_differentiable

# the labels are noise on purpose
pytestmark = pytest.mark.filterwarnings("ignore:nothing shows that the machine separates:agnsal.AgnsalWarning")


@pytest.fixture(scope="module")
def model():
    random = np.random.default_rng(0)
    X, y = random.normal(size=(400, 500)), np.repeat([0, 1, 2], [133, 133, 134])
    return as_differentiable(ProbabilisticSVC(random_state=0).fit(X, y))


def peak(work):
    tracemalloc.start()
    try:
        result = work()
        return (tracemalloc.get_traced_memory()[1] - result.nbytes) / 2**20
    finally:
        tracemalloc.stop()


def test_peak_does_not_grow_with_the_number_of_spectra(model):
    X = np.random.default_rng(1).normal(size=(3000, 500))
    few, many = (peak(lambda n=n: model.gradient(X[:n], 0)) for n in (600, 3000))
    assert many < 1.2 * few + 0.5
    few, many = (peak(lambda n=n: model.outputs(X[:n])) for n in (600, 3000))
    assert many < 1.2 * few + 0.5


def test_max_memory_bounds_the_batches(model):
    X = np.random.default_rng(1).normal(size=(600, 500))
    model.gradient(X[:2], 0)
    for bound in (1.0, 4.0):
        assert peak(lambda b=bound: model.gradient(X, 0, max_memory=b)) < 1.5 * bound + 0.5
