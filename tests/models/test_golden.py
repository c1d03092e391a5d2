"""libsvm's probabilities, as scikit-learn 1.9 gave them, from its fitted numbers alone."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from agnsal import ProbabilisticSVC
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.machine.training import pair_coefficients

FILE = Path(__file__).with_name("golden") / "legacy_machines.npz"
NAMES = sorted({name.split("/")[0] for name in np.load(FILE).files if "/" in name})


@pytest.mark.parametrize("name", NAMES)
def test_fitted_numbers_give_the_probabilities_of_their_time(name):
    with np.load(FILE) as archive:
        case = {key.split("/")[1]: archive[key] for key in archive.files if key.startswith(f"{name}/")}
    gamma, coef0, degree = case["parameters"]
    machine = ProbabilisticSVC(coupling="libsvm", predict_by="votes")
    machine.pair_functions_ = KernelExpansion(
        Kernel(str(case["kernel"]), gamma=gamma, coef0=coef0, degree=degree),
        case["support_vectors"],
        pair_coefficients(case["dual"], case["n_support"]),
        case["intercepts"],
    )
    machine.sigmoid_a_, machine.sigmoid_b_ = case["a"], case["b"]
    machine.classes_, machine.n_features_in_ = np.arange(len(case["n_support"])), case["X"].shape[1]
    assert_allclose(machine.predict_proba(case["X"]), case["probability"], atol=1e-9)
    assert_array_equal(machine.predict(case["X"]), case["votes"])
    exact = machine.set_params(coupling="exact").predict_proba(case["X"])
    assert_allclose(exact, case["probability"], atol=6e-3)
