"""What asks a network takes a sample as well as its flux."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

import agnsal
from agnsal import AgnsalError, FourierBands, Network
from agnsal.attribution.networks.decomposition import (
    contextual_decomposition,
    interaction,
    one_spectrum,
    transformed_decomposition,
)
from agnsal.attribution.networks.group_tables import decomposition_table, interaction_matrix, line_groups
from agnsal.attribution.networks.group_tree import join_groups
from agnsal.attribution.networks.hierarchy import agglomerate
from agnsal.attribution.networks.relevance import layerwise_relevance

SAMPLE = agnsal.simulate_agn(2, 2, 0, seed=0).normalize()
RANDOM = np.random.default_rng(0)
NETWORK = Network.dense(
    [RANDOM.normal(size=(6, 1000)), RANDOM.normal(size=(2, 6))], [np.zeros(6), np.zeros(2)], classes=["a", "b"]
)
GROUPS = line_groups(SAMPLE.grid, ["Hbeta", "[O III] 5007"])
HBETA, OIII = GROUPS["Hbeta"], GROUPS["[O III] 5007"]
UNITS = np.arange(1000) // 100
BANDS = FourierBands(n_bands=3).fit(SAMPLE.flux)

OF_MANY = {
    "forward": NETWORK.forward,
    "predict": NETWORK.predict,
    "gradient": lambda X: NETWORK.gradient(X, "a"),
    "contextual_decomposition": lambda X: contextual_decomposition(NETWORK, X, HBETA)[0],
    "transformed_decomposition": lambda X: transformed_decomposition(NETWORK, X, BANDS)[0],
    "interaction": lambda X: interaction(NETWORK, X, HBETA, OIII),
    "interaction_matrix": lambda X: interaction_matrix(NETWORK, X, GROUPS),
    "decomposition_table": lambda X: decomposition_table(NETWORK, X, GROUPS)["contribution"],
    "layerwise_relevance": lambda X: layerwise_relevance(NETWORK, X),
}
OF_ONE = {
    "agglomerate": lambda x: agglomerate(NETWORK, x, units=UNITS).scores,
    "join_groups": lambda x: join_groups(NETWORK, x, GROUPS).scores,
}


@pytest.mark.parametrize("name", OF_MANY)
def test_a_sample_is_its_flux(name):
    assert_array_equal(OF_MANY[name](SAMPLE), OF_MANY[name](SAMPLE.flux))


@pytest.mark.parametrize("name", OF_ONE)
def test_a_sample_of_one_is_a_spectrum(name):
    assert_array_equal(OF_ONE[name](SAMPLE[2]), OF_ONE[name](SAMPLE.flux[2]))
    with pytest.raises(AgnsalError, match=r"one spectrum .* take sample\[i\]"):
        OF_ONE[name](SAMPLE)


def test_a_table_of_a_sample_names_its_spectra():
    assert decomposition_table(NETWORK, SAMPLE, GROUPS)["object_id"][0] == SAMPLE.ids[0]


@pytest.mark.parametrize("wrong", [SAMPLE.flux * SAMPLE.unit, np.ma.masked_array(SAMPLE.flux), SAMPLE.flux + 0j])
def test_what_would_be_lost_is_refused(wrong):
    for ask in OF_MANY.values():
        with pytest.raises(AgnsalError, match=r"would be lost|complex"):
            ask(wrong)
    with pytest.raises(AgnsalError, match=r"would be lost|complex"):
        one_spectrum(wrong[0])


@pytest.mark.parametrize("method", ["relevance", "contextual_decomposition_map"])
def test_a_network_that_regresses_is_asked_for_its_prediction(method):
    """As by every other method, and under the names that every other method takes."""
    X = np.random.default_rng(0).normal(size=(40, 6))
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=30, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, X[:, 0])
    function = getattr(agnsal, method)
    made = function(model, X[:3], None)
    assert made.output == "prediction" == agnsal.saliency(model, X[:3], None).output
    np.testing.assert_allclose(made.explained, model.predict(X[:3]), atol=1e-12)
    for output in ("decision", "prediction"):
        np.testing.assert_array_equal(function(model, X[:3], None, output).values, made.values)
    np.testing.assert_array_equal(made.again(model, X[:3]).values, made.values)
    with pytest.raises(agnsal.AgnsalError, match="explain the raw output"):
        function(model, X[:3], None, "log_odds")
