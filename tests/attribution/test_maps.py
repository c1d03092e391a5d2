"""Maps of whole populations."""

from dataclasses import replace

import numpy as np
import pytest

from agnsal import AgnsalError, ProbabilisticSVC, cluster_maps, mean_maps, saliency, simulate_agn, suspicious_labels


@pytest.fixture(scope="module")
def trained():
    sample = simulate_agn(60, 90, 40, seed=3).normalize()
    model = ProbabilisticSVC(kernel="linear", C=0.07, class_weight="balanced", random_state=0)
    return model.fit(sample.flux, sample.labels), sample


def test_means_leave_bad_bins_out(trained):
    model, sample = trained
    result = saliency(model, sample)
    maps = mean_maps(result, sample.labels)
    assert maps.groups.tolist() == ["intermediate", "type 1", "type 2"]
    members = sample.labels == "type 1"
    hidden = np.ma.masked_array(result.values[members], sample.mask[members])
    np.testing.assert_allclose(maps.mean.values[1], hidden.mean(axis=0).filled(0), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(maps.scatter[1], hidden.std(axis=0, ddof=1).filled(np.nan), rtol=1e-8)
    np.testing.assert_array_equal(maps.count[1], hidden.count(axis=0))
    table = maps.mean.by_line(["Hbeta"])
    assert table[table["line"] == "Hbeta"]["object_id"].tolist() == maps.groups.tolist()


def test_a_group_of_one_has_no_scatter(trained):
    model, sample = trained
    result = saliency(model, sample[:3])
    maps = mean_maps(result, ["a", "b", "b"])
    assert np.isnan(maps.scatter[0]).all()
    np.testing.assert_array_equal(maps.mean.values[0], np.where(sample.mask[0], 0, result.values[0]))
    with pytest.raises(AgnsalError, match="2 groups given for 3 maps"):
        mean_maps(saliency(model, sample[:3]), ["a", "b"])


def test_kinds_of_maps_are_found_again(trained):
    model, sample = trained
    result = saliency(model, sample[:30])
    shapes = np.random.default_rng(0).normal(size=(3, result.values.shape[1]))
    truth = np.repeat([0, 1, 2], [15, 10, 5])
    planted = replace(result, values=shapes[truth] * np.linspace(0.1, 5, 30)[:, None])
    np.testing.assert_array_equal(cluster_maps(planted, 3, random_state=0), truth)
    with pytest.raises(AgnsalError, match="31 kinds of 30"):
        cluster_maps(result, 31)


def test_planted_label_errors_come_first(trained):
    model, sample = trained
    labels = sample.labels.copy()
    planted = [np.flatnonzero(labels == "type 1")[0], np.flatnonzero(labels == "type 2")[0]]
    labels[planted] = ["type 2", "type 1"]
    table = suspicious_labels(model, sample, labels, n=10)
    assert set(planted) <= set(table["row"][:6].tolist())
    assert (np.diff(table["loss"]) <= 0).all()
    np.testing.assert_allclose(table["probability"], np.exp(-table["loss"]))
    column = {label: i for i, label in enumerate(model.classes_)}
    probability = model.predict_proba(sample.flux[table["row"]])
    expected = [row[column[label]] for row, label in zip(probability, table["label"], strict=True)]
    np.testing.assert_allclose(table["probability"], expected, rtol=1e-6, atol=1e-12)


def test_a_slope_speaks_by_the_continuum_and_a_broad_line_by_itself(trained):
    """Of two spectra like the mean type 2, one much bluer and one with broad Hbeta."""
    model, sample = trained
    type_2 = sample[sample.labels == "type 2"]
    wavelength = sample.wavelength.value
    blue = (wavelength / 5100.0) ** -2.0 - 1.0
    broad = np.exp(-0.5 * ((wavelength / 4862.68 - 1.0) * 299792.458 / 1200.0) ** 2)
    flux = np.concatenate([type_2.flux, type_2.flux.mean(axis=0) + np.stack([blue, broad])])
    rows = [*range(len(type_2)), 0, 0]
    table = suspicious_labels(model, type_2[rows].with_flux(flux), n=len(rows))
    found = {int(row["row"]): (str(row["line"]), str(row["part"])) for row in table}
    assert found[len(type_2)][1] == "continuum"
    assert found[len(type_2) + 1] == ("Hbeta", "wings")


def test_labels_are_needed(trained):
    model, sample = trained
    with pytest.raises(AgnsalError, match="labels"):
        suspicious_labels(model, sample, ["type 1"])
    with pytest.raises(AgnsalError, match="not a class"):
        suspicious_labels(model, sample, np.repeat("type 3", len(sample)))


def test_bad_bins_tell_no_kind_from_another(trained):
    model, sample = trained
    result = saliency(model, sample[:8])
    mask = np.zeros(result.values.shape, dtype=bool)
    mask[:, 300:400] = True
    lies = np.where(mask, 1e6 * np.arange(8)[:, None], result.values)
    one = cluster_maps(replace(result, mask=mask), 2, random_state=0)
    other = cluster_maps(replace(result, mask=mask, values=lies), 2, random_state=0)
    np.testing.assert_array_equal(one, other)
