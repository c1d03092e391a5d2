import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from agnsal import (
    AgnsalError,
    Network,
    ProbabilisticSVC,
    figures,
    shapley,
    simulate_agn,
    suspicious_labels,
    training_influence,
)


@pytest.fixture(scope="module")
def training():
    return simulate_agn(40, 60, 40, seed=1).normalize()


@pytest.fixture(scope="module")
def spectra():
    return simulate_agn(2, 2, 2, seed=2).normalize()


@pytest.fixture(scope="module", params=["linear", "rbf", "poly"])
def machine(request, training):
    return ProbabilisticSVC(kernel=request.param, random_state=0).fit(training)


@pytest.mark.parametrize("output", ["decision", "log_odds", "probability", "pairwise"])
@pytest.mark.parametrize("baseline", [None, "mean"])
def test_terms_sum_to_the_output(machine, spectra, output, baseline):
    influence = training_influence(machine, spectra, output=output, baseline=baseline)
    total = influence.values.sum(axis=1) + influence.intercept
    np.testing.assert_allclose(total, influence.explained, rtol=0, atol=1e-10)
    assert influence.values.shape == (6, machine.n_training_)
    others = np.setdiff1d(np.arange(machine.n_training_), machine.support_)
    assert not influence.values[:, others].any()


def test_a_decision_value_is_the_machine_term_by_term(training, spectra):
    machine = ProbabilisticSVC(random_state=0).fit(training[:100])
    influence = training_influence(machine, spectra, "type 2", "decision")
    distance = ((spectra.flux[:, None] - training.flux[machine.support_]) ** 2).sum(axis=2)
    expected = -machine.pair_coefficients_[:, 0] * np.exp(-machine.kernel_.gamma * distance)
    np.testing.assert_allclose(influence.terms, expected, rtol=1e-9, atol=1e-12)
    # a positive coefficient belongs to the class that the terms speak for
    speaks = np.where(influence.terms[0] > 0, "type 2", "type 1")
    assert (speaks == influence.training_labels).all()
    np.testing.assert_array_equal(influence.training_labels, training.labels[machine.support_])
    np.testing.assert_array_equal(influence.training_ids, training.ids[machine.support_])


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_lines_sum_to_each_term_and_terms_to_shapley_values(training, spectra, kernel):
    machine = ProbabilisticSVC(kernel=kernel, random_state=0).fit(training[:100])
    influence = training_influence(machine, spectra[:1], "type 1", "log_odds")
    table = influence.by_line(k=4)
    best = influence.most(0, 4)
    for name, term in zip(best["training_id"], best["influence"], strict=True):
        rows = table[table["training_id"] == name]
        total = sum(np.nansum(rows[part]) for part in ("core", "wings", "continuum"))
        np.testing.assert_allclose(total, term, rtol=1e-9)
    everything = influence.over_wavelength(0, len(machine.support_))
    whole = shapley(machine, spectra[:1], "type 1", "log_odds", baseline=everything.baseline)
    np.testing.assert_allclose(everything.values.sum(axis=0), whole.values[0], rtol=0, atol=1e-8)


def test_behind_a_scaler_and_by_other_machines(training, spectra):
    X, y = training.flux, training.labels
    line = (X.max(axis=1) > np.median(X.max(axis=1))).astype(float)
    scaled = make_pipeline(StandardScaler(), SVC()).fit(X[:100], y[:100])
    for model, target in (
        (scaled, "type 1"),
        (SVR().fit(X, line), None),
        (KernelRidge(kernel="rbf").fit(X, line), None),
    ):
        influence = training_influence(model, spectra.flux, target)
        np.testing.assert_allclose(influence.residual, 0, atol=1e-10)
    behind = training_influence(scaled, spectra, "type 1", training=training[:100])
    shares = behind.over_wavelength(0, 3)
    at_mean = training_influence(scaled, shares.baseline[None], "type 1")
    difference = shares.explained - [at_mean.values[0, row] for row in behind.most(0, 3)["row"]]
    np.testing.assert_allclose(shares.values.sum(axis=1), difference, rtol=1e-9, atol=1e-12)


def test_what_is_kept_in_a_file(training, spectra, tmp_path):
    machine = ProbabilisticSVC(random_state=0).fit(training)
    machine.write(tmp_path / "machine.npz")
    again = ProbabilisticSVC.read(tmp_path / "machine.npz")
    one, two = (training_influence(each, spectra) for each in (machine, again))
    assert (one.values == two.values).all()
    assert one.most(0, 3)["training_id"].tolist() == two.most(0, 3)["training_id"].tolist()


def test_the_heaviest_of_the_training_spectra_is_its_own_strongest_supporter(training):
    """No kernel value is larger than that of a spectrum with itself, no coefficient than its own."""
    machine = SVC(C=100.0).fit(training.flux[:100], training.labels[:100])
    row = int(machine.support_[np.abs(machine.dual_coef_[0]).argmax()])
    influence = training_influence(machine, training.flux[[row]], training.labels[row], "decision")
    assert influence.most(0, 1)["row"][0] == row


def test_labels_in_doubt_come_with_what_contradicts_them(training, spectra):
    machine = ProbabilisticSVC(random_state=0).fit(training[:100])
    table = suspicious_labels(machine, spectra[:4], ["type 2", "type 1", "type 2", "type 2"], n=2, n_contradicting=2)
    wrong = table[table["row"] == 0][0]
    names = wrong["contradicted_by"].split(", ")
    assert len(names) == 2
    assert (training.labels[np.isin(training.ids, names)] == "type 1").all()


def test_leaving_out_moves_the_output_the_way_the_terms_say_on_average(training):
    """Terms are not the effect of leaving out (others take over), but their ranks are not opposed to it."""
    X, y = training.flux[:100], training.labels[:100]
    machine = SVC(kernel="linear", C=0.01, tol=1e-6).fit(X, y)
    spectra = simulate_agn(4, 4, 0, seed=5).normalize().flux
    influence = training_influence(machine, spectra, "type 2")
    left_out = machine.support_[::2]
    change = []
    for row in left_out:
        rest = np.delete(np.arange(100), row)
        again = SVC(kernel="linear", C=0.01, tol=1e-6).fit(X[rest], y[rest])
        change.append(machine.decision_function(spectra) - again.decision_function(spectra))
    rho = [spearmanr(a, b).statistic for a, b in zip(influence.values[:, left_out], np.transpose(change), strict=True)]
    assert np.median(rho) > 0.2


def test_the_last_layer_of_a_network(training, spectra):
    X, y = training.flux[:100], training.labels[:100]
    scaler = StandardScaler().fit(X)
    net = MLPClassifier((8,), max_iter=300, random_state=0, alpha=1e-2).fit(scaler.transform(X), y)
    Z, new = scaler.transform(X), scaler.transform(spectra.flux)
    influence = training_influence(net, new, "type 2", training=Z, ridge=1e-8)
    assert not influence.exact
    assert "approximate" in str(influence)
    np.testing.assert_allclose(influence.residual, 0, atol=1e-3 * np.abs(influence.explained).max())
    total = influence.values.sum(axis=1) + influence.intercept + influence.residual
    np.testing.assert_allclose(total, influence.explained, rtol=1e-12)
    with pytest.raises(AgnsalError, match="last layer of a network"):
        influence.by_line()
    with pytest.raises(AgnsalError, match="training="):
        training_influence(Network.from_sklearn(net), new)


def test_refusals(training, spectra):
    machine = ProbabilisticSVC(kernel="poly", random_state=0).fit(training[:100])
    with pytest.raises(AgnsalError, match="poly kernel"):
        training_influence(machine, spectra).by_line()
    with pytest.raises(AgnsalError, match="does not keep its training spectra"):
        training_influence(RidgeClassifier().fit(training.flux, training.labels), spectra.flux)
    with pytest.raises(AgnsalError, match="not what the model was fitted to"):
        training_influence(machine, spectra, training=training[np.arange(100)[::-1]])
    landmarks = ProbabilisticSVC(n_landmarks=20, random_state=0).fit(training)
    with pytest.raises(AgnsalError, match="without landmarks"):
        training_influence(landmarks, spectra)
    votes = SVC().fit(training.flux, training.labels)
    with pytest.raises(AgnsalError, match='ask for output="pairwise"'):
        training_influence(votes, spectra.flux)
    assert np.abs(training_influence(votes, spectra.flux, output="pairwise").residual).max() < 1e-10


def test_figure(training, spectra):
    machine = ProbabilisticSVC(random_state=0).fit(training)
    influence = training_influence(machine, spectra, "type 1", "log_odds")
    ax = influence.plot(0, k=2)
    assert len([line for line in ax.lines if len(line.get_xdata()) == 1000]) == 5
    assert any("type 1: +" in text.get_text() for text in ax.texts)
    scaled = make_pipeline(StandardScaler(), SVC()).fit(training.flux[:100], training.labels[:100])
    with pytest.raises(AgnsalError, match="training=sample"):
        figures.plot_training_influence(training_influence(scaled, spectra.flux, "type 1"))


@pytest.mark.parametrize(("kernel", "C"), [("linear", 1.0), ("rbf", 1.0), ("rbf", 100.0)])
def test_leaving_one_out_is_exact_while_no_vector_comes_or_goes(training, spectra, kernel, C):
    """Refits whose free and bounded vectors are those of before agree; over all of them the ranks do."""
    two = training[:100]
    machine = SVC(kernel=kernel, C=C, tol=1e-8).fit(two.flux, two.labels)
    said = training_influence(machine, spectra.flux, "type 2", "decision").leave_one_out()
    assert said.shape == (6, 100)
    assert not said[:, np.setdiff1d(np.arange(100), machine.support_)].any()

    def vectors(fitted, rows):
        at_bound = np.abs(fitted.dual_coef_[0]) > C * (1 - 1e-6)
        return set(zip(rows[fitted.support_].tolist(), at_bound.tolist(), strict=True))

    before, changes, same = vectors(machine, np.arange(100)), [], 0
    for row in machine.support_:
        rest = np.delete(np.arange(100), row)
        again = SVC(kernel=kernel, C=C, gamma=machine._gamma, tol=1e-8).fit(two.flux[rest], two.labels[rest])
        change = again.decision_function(spectra.flux) - machine.decision_function(spectra.flux)
        changes.append(change)
        if vectors(again, rest) == {vector for vector in before if vector[0] != row}:
            np.testing.assert_allclose(said[:, row], change, atol=1e-4)
            same += 1
    assert same >= 1
    ranks = [spearmanr(*pair).statistic for pair in zip(said[:, machine.support_], np.transpose(changes), strict=True)]
    assert np.median(ranks) > 0.7


def test_leaving_one_out_of_three_classes(training, spectra):
    """Of a spectrum that speaks for a class, the class loses; a vector of no pair of the target hardly matters."""
    model = ProbabilisticSVC(random_state=0).fit(training)
    change = training_influence(model, spectra, "type 1", "log_odds").leave_one_out()
    pairs = training_influence(model, spectra, ("type 1", "type 2"), "pairwise").leave_one_out()
    assert change.shape == (6, len(training))
    others = training.labels == "intermediate"
    assert not pairs[:, others].any()
    assert change[:, others].any()
    with pytest.raises(AgnsalError, match="with a bound C"):
        training_influence(ProbabilisticSVC(nu=0.2, random_state=0).fit(training), spectra).leave_one_out()
    ridge = KernelRidge(kernel="rbf", gamma=0.01).fit(training.flux, training.labels == "type 1")
    with pytest.raises(AgnsalError, match="fit other models again"):
        training_influence(ridge, spectra.flux, output="prediction").leave_one_out()
