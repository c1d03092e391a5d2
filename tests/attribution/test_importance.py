import numpy as np
import pytest

import agnsal
from agnsal import AgnsalError, ProbabilisticSVC, SpectralBenchmark, line_importance
from agnsal.attribution.populations.posterior import bootstrap_posterior
from agnsal.figures import plot_population_importance

LINES = ["Hbeta", "Hgamma", "Hdelta", "[O III] 5007", "Mg b"]


@pytest.fixture(scope="module")
def case():
    benchmark = SpectralBenchmark(240, random_state=0)
    training, _ = benchmark.training_set()
    machine = ProbabilisticSVC(kernel="linear", C=0.01, random_state=0)
    return machine, machine.fit(training.flux, training.labels), training


def test_the_causal_line_comes_first_in_every_ranking(case):
    machine, model, training = case
    posterior = bootstrap_posterior(
        machine, training.flux, training.labels, "strong", output="decision", n_refits=12, random_state=0
    )
    table = line_importance(model, training, "strong", lines=LINES, posterior=posterior)
    for column in ("effect", "permutation", "attribution"):
        assert np.abs(table[column]).argmax() == 0, column
    assert table["effect"][0] > 5 * table["effect_error"][0]
    assert table["rate"].sum() == pytest.approx(1)
    ax = plot_population_importance(table)
    assert ax.get_yticklabels()[0].get_text() == "Hβ"


def test_without_posterior_there_is_no_rate(case):
    _, model, training = case
    table = line_importance(model, training, "strong", lines=LINES[:2], n_permutations=1, random_state=0)
    assert np.isnan(table["rate"]).all()
    assert np.isnan(table["effect_error"]).all()
    again = line_importance(model, training, "strong", lines=LINES[:2], n_permutations=1, random_state=0)
    np.testing.assert_array_equal(table["permutation"], again["permutation"])


def test_what_belongs_to_other_spectra_is_refused(case):
    _, model, training = case
    with pytest.raises(AgnsalError, match="attribution has shape"):
        line_importance(model, training, "strong", attribution=agnsal.saliency(model, training[:3]))
    posterior = bootstrap_posterior(model, training.flux[:60], training.labels[:60], n_refits=2)
    with pytest.raises(AgnsalError, match="posterior is of 60"):
        line_importance(model, training, "strong", posterior=posterior)
    with pytest.raises(AgnsalError, match="columns"):
        plot_population_importance(agnsal.line_table())
