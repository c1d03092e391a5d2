"""What holds for every method there is: declared once, its options kept, asked again with the same bits."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier

import agnsal
from agnsal import AgnsalError, Attribution, Network, Regions
from agnsal.attribution.methods import every_method, find_method

#: Few steps and draws will do here.
pytestmark = pytest.mark.filterwarnings("ignore:.*miss more than")

METHODS = {method.name: method for method in every_method(network=True)}
D = 1000


@pytest.fixture(scope="module")
def sample():
    return agnsal.simulate_agn(20, 20, 10, seed=2).normalize()


@pytest.fixture(scope="module")
def models(sample):
    machine = agnsal.ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=(6, D)) / 30, rng.normal(size=(3, 6))]
    return {False: machine, True: Network.dense(weights, [rng.normal(size=6), None], classes=np.unique(sample.labels))}


def settings(method, sample):
    """Settings of a method that say something of every option it has."""
    rng = np.random.default_rng(0)
    whole = {"background": sample[3:9], "n_samples": 8, "n_permutations": 6, "n_steps": 5}
    plain = {name: value for name, value in whole.items() if method.takes(name)}
    conditional = {**plain, "conditional": "gaussian", "regions": ["Hbeta", "[O III] 5007"]}
    found = [plain]
    if method.takes("conditional"):  # its background goes with the condition only
        del plain["background"], plain["n_samples"]
        found.append(conditional)
    if method.takes("regions"):
        labels = np.repeat([0, 1, 2, 3], [100, 200, 300, 400])
        for regions in (["Hbeta", "[O III] 5007"], 100 * u.AA, labels, Regions.from_width(90, D, sample.grid), 125):
            found.append({**plain, "regions": regions})
    if method.takes("baseline"):
        for baseline in ("mean", "zero", "continuum", ("class mean", "type 2"), rng.normal(size=D)):
            found.append({**plain, "baseline": baseline})
        found.append({**plain, "baseline": rng.normal(size=(4, D))})
    if method.takes("fill"):
        for fill in ("continuum", "noise", "mean", ("class mean", "type 2"), rng.normal(size=(4, D))):
            found.append({**plain, "fill": fill, "regions": 100})
    if method.takes("noise"):
        found += [{**plain, "noise": noise} for noise in ("flux errors", 0.1, rng.uniform(0, 0.1, (4, D)))]
    if method.takes("random_state"):
        found += [{**plain, "random_state": seed} for seed in (3, np.random.RandomState(3), np.random.default_rng(3))]
    if method.takes("pair_log_odds"):
        found += [{**plain, "method": way, "regions": 200} for way in ("permutations", "coalitions")]
    if method.takes("rule"):
        rules = {
            "integrated_gradients": "left",
            "relevance": "alpha1beta0",
            "contextual_decomposition_map": "symmetric",
        }
        found.append({**plain, "rule": rules[method.name]})
    # the fewer features are taken one by one, the faster
    regions = {"regions": 50} if method.takes("regions") else {}
    return [{**regions, **each} for each in found]


def ask(method, model, spectra, /, **options):
    if method.network:
        options["output"] = "decision"
    return method.function(model, spectra, **options)


def same(one, other):
    for name in ("values", "target", "explained", "inputs", "baseline", "residual"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None), name
        assert a is None or a.tobytes() == b.tobytes(), name
    assert one.unit == other.unit
    assert one.regions == other.regions
    assert set(one.options) == set(other.options)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_again_is_the_same_bit_for_bit(method, sample, models):
    model, spectra = models[method.network], sample[[0, 1, 25, 45]]
    for options in settings(method, sample):
        made = ask(method, model, spectra, **options)
        assert set(made.options) == {"target", *method.options}
        same(made.again(model, spectra), made)
        some = made[1:3]  # of which the sums are taken in another order
        values = some.again(model, spectra[1:3], **fixed(some)).values
        np.testing.assert_allclose(values, some.values, rtol=1e-6, atol=1e-9 * np.abs(some.values).max())
    targets = ["type 1", "type 2", "type 1", "intermediate"]
    for target in ("predicted", "type 2", targets, np.array(targets)):
        made = ask(method, model, spectra, target=target, **settings(method, sample)[0])
        same(made.again(model, spectra), made)
    without = {name: value for name, value in settings(method, sample)[0].items() if name != "background"}
    if method.needs("background"):
        without["background"] = sample.flux[:5]
    if method.takes("baseline"):
        without["baseline"] = "zero"
    made = ask(method, model, spectra.flux, **without)
    same(made.again(model, spectra.flux), made)
    same(made.again(model, spectra), ask(method, model, spectra, **{**without, **seeds(made)}))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_what_is_no_matrix_of_spectra_is_refused_alike(method, sample, models):
    options, flux = settings(method, sample)[0], sample.flux[:2]
    for spectra, message in (
        (flux[:0], "no spectra to explain"),
        (sample[sample.labels == "nobody"], "no spectra to explain"),
        (flux + 1j, "complex"),
        ((flux + 1j).astype(object), "complex"),
        (csr_array(flux), r"a dense one is needed: X.toarray\(\)"),
        (flux[:, :0], "0 bins"),
        (flux[0], r"x\[None, :\]"),
        (np.ma.masked_less(flux, 1), "mask would be lost"),
    ):
        with pytest.raises(AgnsalError, match=message):
            ask(method, models[method.network], spectra, **options)


def test_nothing_to_check_is_said(sample, models):
    made = agnsal.saliency(models[False], sample[:3])
    with pytest.raises(AgnsalError, match="no spectra to explain"):
        agnsal.check(made[:0], models[False], sample[:0])
    with pytest.raises(AgnsalError, match="complex"):
        agnsal.check(made, models[False], sample.flux[:3] + 1j)
    with pytest.raises(AgnsalError, match="no spectra to explain"):
        agnsal.attribution_uncertainty("saliency", models[False], sample[:0], n_draws=2)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_what_was_not_observed_gets_no_credit(method, sample, models):
    mask = np.zeros((3, D), dtype=bool)
    mask[0, 300:500], mask[1, 725:750], mask[2, 10] = True, True, True
    spectra = agnsal.SpectralSample(sample.flux[:3], sample.grid, mask=mask)
    made = ask(method, models[method.network], spectra, **settings(method, sample)[0])
    assert np.isnan(made.observed_values[mask]).all()
    assert np.isnan(made.to_table()["attribution"].value[mask.ravel()]).all()
    assert np.isnan(made.to_table(0)["density"].value[mask[0]]).all()
    table = made.by_line()
    rows = table["line"] == "Hbeta"
    assert np.isnan(table["core"][rows].value).tolist() == [False, True, False]
    assert table["core_bad_fraction"][rows].tolist() == [0, 1, 0]
    sums = sum(np.nan_to_num(table[part].value) for part in ("core", "wings", "continuum"))
    seen = np.where(mask, 0.0, made.values)
    np.testing.assert_allclose(sums.reshape(3, -1).sum(axis=1), seen.sum(axis=1), atol=1e-9 * np.abs(seen).sum())
    np.testing.assert_allclose(seen.sum(axis=1) + made.unobserved, made.values.sum(axis=1), rtol=1e-9, atol=1e-12)
    # other values in bad bins: the same table
    lies = replace(made, values=np.where(mask, 1e6, made.values)).by_line()
    np.testing.assert_array_equal(lies["wings"], table["wings"])
    assert "straight lines" in made.provenance["bad bins"]


def seeds(made):
    return {name: value for name, value in made.options.items() if name == "random_state"}


def fixed(made):
    """A mean over the spectra explained is another one for some of them."""
    of_company = [name for name in ("baseline", "fill") if made.options.get(name) in MEANS]
    return dict.fromkeys(of_company, made.baseline)


class _Means:
    def __contains__(self, value):
        return isinstance(value, str | list) and (value == "mean" or value[0] == "class mean")


MEANS = _Means()


def test_pairs_and_their_log_odds_are_asked_again(sample, models):
    machine, spectra = models[False], sample[:3]
    for target in ("predicted", ("type 1", "type 2"), [("type 1", "type 2")] * 3):
        for output in ({"pair_log_odds": True}, {}):
            made = agnsal.shapley(machine, spectra, target, "pairwise", baseline="mean", **output)
            same(made.again(machine, spectra), made)


@pytest.mark.parametrize("ending", ["npz", "fits", "ecsv"])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_files_keep_all_of_it(method, ending, sample, models, tmp_path):
    model, spectra = models[method.network], sample[[0, 1, 25, 45]]
    chosen = settings(method, sample)
    for options in chosen if ending == "npz" else chosen[:4]:
        made = ask(method, model, spectra, **options)
        made.write(tmp_path / f"a.{ending}")
        back = Attribution.read(tmp_path / f"a.{ending}")
        same(back, made)
        assert back.flux_unit == made.flux_unit
        for name, value in made.options.items():
            kept = back.options[name]
            assert type(kept) is type(value), name
            if isinstance(value, np.ndarray):
                assert kept.dtype == value.dtype
                np.testing.assert_array_equal(kept, value)
            else:
                assert kept == value, name
        same(back.again(model, spectra), made)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_units_follow_from_what_a_method_answers(method, sample, models):
    raw = agnsal.simulate_agn(3, 0, 0, seed=1)
    assert raw.unit != u.dimensionless_unscaled
    made = ask(
        method, models[method.network], raw, target="type 1", **settings(method, raw[[0, 1, 2, 0, 1, 2, 0, 1]])[0]
    )
    power = {"gradient": -1, "variance": -2}.get(method.answers, 0)
    assert made.unit == raw.unit**power
    assert made.flux_unit == raw.unit
    assert made.to_table(0)["flux"].unit == raw.unit
    assert made.answers == method.answers
    assert made.title == method.title


def test_what_does_not_know_how_it_was_made_says_so(sample, models):
    made = agnsal.saliency(models[False], sample[:4])
    foreign = agnsal.from_arrays(made.values, sample[:4], made.target, method="captum Saliency")
    for result in (foreign, replace(made, method="tea leaves"), agnsal.mean_maps(made).mean):
        assert not result.repeatable
        with pytest.raises(AgnsalError, match="do not know how to be made again"):
            result.again(models[False], sample)


def test_foreign_maps_say_what_they_answer(sample, models):
    made = agnsal.saliency(models[False], sample[:4])
    given = {"sample_or_X": sample[:4], "target": made.target}
    ours = agnsal.from_arrays(made.values, method="saliency", **given)
    assert (ours.answers, ours.unit) == ("gradient", made.unit)
    theirs = agnsal.from_arrays(made.values, method="captum Saliency", answers="gradient", **given)
    assert (theirs.answers, theirs.unit) == ("gradient", made.unit)
    windows = agnsal.from_arrays(made.values, method="captum Occlusion", answers="experiments", regions=50, **given)
    assert len(windows.regions) == 20
    with pytest.raises(AgnsalError, match="answers must be one of"):
        agnsal.from_arrays(made.values, method="x", answers="everything", **given)


def test_again_serves_other_spectra_and_other_models(sample, models):
    machine = models[False]
    linear = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    made = agnsal.occlusion(machine, sample[:4], regions=["Hbeta"], fill="mean")
    same(made.again(linear, sample[4:9]), agnsal.occlusion(linear, sample[4:9], regions=["Hbeta"], fill="mean"))
    same(
        made.again(machine, sample[:4], fill="zero"),
        agnsal.occlusion(machine, sample[:4], regions="Hbeta", fill="zero"),
    )
    per_spectrum = agnsal.integrated_gradients(machine, sample[:4], baseline=sample.flux[5:9])
    with pytest.raises(AgnsalError, match="baseline"):
        per_spectrum.again(machine, sample[:3])


def test_errors_are_not_made_again_but_the_map_is(sample, models):
    with_errors = agnsal.attribution_uncertainty("saliency", models[False], sample[:3], n_draws=2, random_state=0)
    assert with_errors.options["target"] == "predicted"
    same(with_errors.again(models[False], sample[:3]), agnsal.saliency(models[False], sample[:3]))
    with pytest.raises(AgnsalError, match="no method 'magic'"):
        agnsal.attribution_uncertainty("magic", models[False], sample[:3])


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if not method.network])
def test_maps_on_the_axis_of_a_transform_are_asked_again(method, sample, models, tmp_path):
    machine, basis = models[False], agnsal.FourierBands(n_bands=6)
    options = {name: value for name, value in settings(METHODS[method], sample)[0].items() if name != "regions"}
    made = agnsal.transformed(machine, sample[:3], basis, method, by="group", **options)
    np.testing.assert_array_equal(made.again(machine, sample[:3]).values, made.values)
    made.write(tmp_path / "a.npz")
    back = Attribution.read(tmp_path / "a.npz")
    with pytest.raises(AgnsalError, match="transform="):
        back.again(machine, sample[:3])
    np.testing.assert_array_equal(back.again(machine, sample[:3], transform=basis).values, made.values)


def test_layers_are_refused_where_a_transform_is_explained(sample, models):
    with pytest.raises(AgnsalError, match="method must be one of 'saliency'"):
        agnsal.transformed(models[True], sample[:2], agnsal.FourierBands(n_bands=6), "relevance")


def test_old_names_of_regions_stay(sample, models):
    forest = RandomForestClassifier(10, random_state=0).fit(sample.flux, sample.labels)
    for function, alias, rest in ((agnsal.occlusion, "window", {}), (agnsal.shapley, "groups", {"n_permutations": 4})):
        options = {"baseline": "mean", "random_state": 0, **rest}
        made = function(forest, sample[:2], **{alias: 200}, **options)
        same(made, function(forest, sample[:2], regions=200, **options))
        with pytest.raises(AgnsalError, match="another name for regions"):
            function(forest, sample[:2], regions=200, **{alias: 200}, **options)


def test_relevance_and_decomposition_equal_the_plain_functions(sample, models):
    network, spectra = models[True], sample[:4]
    labels = network.predict(spectra.flux)
    made = agnsal.relevance(network, spectra, rule="epsilon", epsilon=0.5)
    np.testing.assert_array_equal(made.target, labels)
    plain = agnsal.layerwise_relevance(network, spectra, "epsilon", labels, epsilon=0.5)
    np.testing.assert_array_equal(made.values, plain)
    regions = Regions.from_lines(sample.grid, ["Hbeta", "[O III] 5007"], rest=True)
    made = agnsal.contextual_decomposition_map(network, spectra, "type 1", regions=regions)
    parts, _ = agnsal.contextual_decomposition(network, spectra, regions.masks)
    np.testing.assert_allclose(regions.sums(made.values), parts[:, :, list(network.classes).index("type 1")].T)
    assert made.by_line(["Hbeta"]).meta["method"] == "contextual_decomposition_map"


def test_decomposition_and_relevance_of_a_linear_network_are_input_x_weight():
    rng = np.random.default_rng(0)
    weight, X = rng.normal(size=(1, 12)), rng.normal(size=(5, 12))
    network = Network.dense([weight], [np.zeros(1)])
    for function in (agnsal.relevance, agnsal.contextual_decomposition_map):
        made = function(network, X)
        np.testing.assert_allclose(made.values, X * weight, rtol=1e-12)
        np.testing.assert_allclose(made.values.sum(axis=1), made.explained, rtol=1e-12)


def test_networks_of_other_packages_are_taken(sample):
    perceptron = MLPClassifier((5,), max_iter=2000, alpha=10.0, random_state=0, solver="lbfgs").fit(
        sample.flux, sample.labels
    )
    ours = agnsal.relevance(Network.from_sklearn(perceptron), sample[:3])
    np.testing.assert_array_equal(agnsal.relevance(perceptron, sample[:3]).values, ours.values)
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(D, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)).double()
    made = agnsal.contextual_decomposition_map(module, sample[:3], regions=100)
    same(made, agnsal.contextual_decomposition_map(Network.from_torch(module), sample[:3], regions=100))
    with pytest.raises(AgnsalError, match="output"):
        agnsal.relevance(perceptron, sample[:3], output="probability")
    forest = RandomForestClassifier(3, random_state=0).fit(sample.flux, sample.labels)
    with pytest.raises(AgnsalError, match="MLPClassifier"):
        agnsal.relevance(forest, sample[:3])


def test_every_method_has_a_public_name_and_one_declaration():
    for name, method in METHODS.items():
        assert getattr(agnsal, name) is method.function
        assert find_method(name) is method
    titles = [title for method in METHODS.values() for title in method.judged]
    assert len(set(titles)) == len(titles)


def test_results_are_shown_in_a_terminal_a_notebook_and_as_a_table(sample, models):
    made = agnsal.saliency(models[False], sample[:12])
    made.ids[0] = "<b>bold</b>\n" + "long " * 40
    text = str(made).splitlines()
    assert max(map(len, text)) <= 80
    assert "saliency of the probability" in text[0]
    assert "4 more" in text[-1]
    assert "<b>" not in made._repr_html_()
    frame = made.to_pandas()
    assert len(frame) == 12 * D
    assert frame["attribution"].to_numpy().tobytes() == made.observed_values.tobytes()
    assert made.to_pandas(3)["flux"].tolist() == sample.flux[3].tolist()
    assert made.to_pandas(3).attrs["units"]["wavelength"] == "Angstrom"
    assert str(agnsal.saliency(models[False], sample.flux[:1]))
