"""What is done with maps is at hand on the result, and is the plain function."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import agnsal

SAMPLE = agnsal.simulate_agn(20, 20, 0, seed=0).normalize()
MODEL = agnsal.ProbabilisticSVC(random_state=0).fit(SAMPLE.flux, SAMPLE.labels)
MAPS = agnsal.saliency(MODEL, SAMPLE)


def test_means_of_groups():
    ours, plain = MAPS.mean_maps(SAMPLE.labels), agnsal.mean_maps(MAPS, SAMPLE.labels)
    assert isinstance(ours.mean, agnsal.Attribution)
    assert_array_equal(ours.mean.values, plain.mean.values)
    assert_array_equal(ours.scatter, plain.scatter)


def test_kinds():
    assert_array_equal(MAPS.cluster_maps(2, random_state=0), agnsal.cluster_maps(MAPS, 2, random_state=0))


def test_stability_of_refits():
    drawn = agnsal.attribution_uncertainty(
        agnsal.saliency, MODEL, SAMPLE[:2], n_draws=0, n_refits=3, training=SAMPLE, random_state=0
    )
    assert_array_equal(drawn.map_stability(), agnsal.map_stability(drawn))
    with pytest.raises(agnsal.AgnsalError, match="attribution_uncertainty"):
        MAPS.map_stability()


def test_arrays_for_other_packages():
    for name, array in MAPS.to_quantus(MODEL.classes_).items():
        assert_array_equal(array, agnsal.to_quantus(MAPS, MODEL.classes_)[name])
    pytest.importorskip("shap")
    np.testing.assert_array_equal(MAPS.to_shap().values, MAPS.values)
