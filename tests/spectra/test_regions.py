"""Bins taken together: sums and shares are inverse, overlaps and gaps are kept, and nothing fits by accident."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import agnsal
from agnsal import PERUZZI2021_GRID as GRID
from agnsal import AgnsalError, Regions, WavelengthGrid, line_masks
from agnsal.store import read_arrays, write_arrays

LABELS = arrays(np.int64, st.integers(1, 30), elements=st.integers(-1, 5))
MASKS = arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 30)))


@given(LABELS)
def test_sums_of_shares_are_the_totals(labels):
    regions = Regions.of(labels, labels.size)
    assert regions.is_partition
    totals = np.random.default_rng(0).normal(size=(3, len(regions)))
    np.testing.assert_allclose(regions.sums(regions.spread(totals)), totals, rtol=1e-12)
    np.testing.assert_allclose(regions.spread(totals).sum(axis=1), totals.sum(axis=1), rtol=1e-9, atol=1e-12)


@given(LABELS)
def test_partition_of_unity(labels):
    regions = Regions.from_labels(labels, outside=-1)
    np.testing.assert_array_equal(regions.masks.sum(axis=0), labels >= 0)
    whole = regions.with_rest()
    np.testing.assert_array_equal(whole.sums(np.ones((1, labels.size))), [whole.sizes])
    np.testing.assert_array_equal(whole.masks.sum(axis=0), 1)
    np.testing.assert_array_equal(regions.with_gaps().masks.sum(axis=0), 1)


@given(LABELS)
def test_labels_to_masks_and_back(labels):
    regions = Regions.from_labels(labels, outside=-1)
    if len(regions):
        again = Regions.from_masks(regions)
        assert again == regions
        np.testing.assert_array_equal(Regions.from_labels(again.labels, outside=-1).masks, regions.masks)
    np.testing.assert_array_equal(regions.labels < 0, labels < 0)


def test_as_many_regions_as_bins_need_not_be_the_bins():
    regions = Regions.from_masks([[True, True], [False, False]])
    assert not regions.is_single
    np.testing.assert_array_equal(regions.sums([[1.0, 2.0]]), [[3.0, 0.0]])


@given(MASKS)
def test_what_is_true_is_counted(masks):
    regions = Regions.from_masks(masks)
    bad = np.random.default_rng(0).random((2, 3, masks.shape[1])) < 0.5
    np.testing.assert_array_equal(regions.sums(bad), bad.astype(float) @ masks.T)
    np.testing.assert_array_equal(Regions.of(None, masks.shape[1]).sums(bad), bad)


@given(MASKS)
def test_masks_to_regions_and_back(masks):
    regions = Regions.from_masks(masks)
    np.testing.assert_array_equal(regions.masks, masks)
    np.testing.assert_array_equal(np.stack(list(regions.values())), masks)
    np.testing.assert_array_equal(regions.sizes, masks.sum(axis=1))
    assert regions.overlap == (masks.sum(axis=0).max() > 1)
    values = np.random.default_rng(0).normal(size=(2, masks.shape[1]))
    np.testing.assert_allclose(regions.sums(values), values @ masks.T, atol=1e-12)
    stored, header = regions.pack()
    assert Regions.unpack(stored, header) == regions


def test_regions_in_a_file(tmp_path):
    regions = Regions.from_lines(GRID, overlap=True, rest=True)
    arrays, header = regions.pack()
    write_arrays(tmp_path / "a.npz", "Regions", arrays, {"regions": header})
    arrays, header = read_arrays(tmp_path / "a.npz", "Regions")
    assert Regions.unpack(arrays, header["regions"], GRID) == regions
    assert Regions.unpack(arrays, header["regions"]) != regions


def test_bins_that_are_not_asked_for_do_not_count():
    values = np.array([[1.0, np.nan, 3.0]])
    regions = Regions.from_masks({"good": [0, 2]}, 3)
    assert regions.sums(values).tolist() == [[4.0]]
    assert regions.means(values[0]).tolist() == [2.0]


@pytest.mark.parametrize("part", ["core", "wings", "continuum"])
def test_lines_as_the_masks_say(part):
    masks = line_masks(GRID)
    regions = Regions.from_lines(GRID, part=part, overlap=True)
    assert list(regions) == list(masks)
    for name, mask in regions.items():
        np.testing.assert_array_equal(mask, masks[name][part])


def test_the_first_line_named_has_what_both_want():
    both = Regions.from_lines(GRID, ["Mg b", "Fe II 5250"])
    assert not both.overlap
    assert both.sizes.sum() == Regions.from_lines(GRID, ["Fe II 5250"]).sizes[0]
    kept = Regions.from_lines(GRID, ["Mg b", "Fe II 5250"], overlap=True)
    assert kept.overlap
    assert kept.sizes[1] == both.sizes.sum()
    with pytest.raises(AgnsalError, match=r"all bins of Mg b belong .* name it first"):
        Regions.from_lines(GRID, ["Fe II 5250", "Mg b"])
    with pytest.raises(AgnsalError, match="'Mg b' and 'Fe II 5250' share bins"):
        Regions.of(kept, 1000, GRID)
    assert Regions.of(kept, 1000, GRID, partition=False) is kept
    with pytest.raises(AgnsalError, match="share bins"):
        kept.spread(np.ones((1, 2)))


def test_what_may_be_said():
    assert Regions.of(None, 4).is_single
    assert Regions.of(3, 7).sizes.tolist() == [3, 3, 1]
    assert Regions.of("hβ", 1000, GRID).names == ("Hbeta", "rest")
    assert Regions.of(["Hbeta"], 1000, GRID, partition=False).names == ("Hbeta",)
    assert Regions.of(50 * u.AA, 1000, GRID).grid == GRID
    assert Regions.of([[0, 1], [1, 2]], 4, partition=False).sizes.tolist() == [2, 2]
    assert Regions.of([0, 0, -1], 3, partition=False).labels.tolist() == [0, 0, -1]
    assert Regions.of(np.array([True, False]), 2).names == ("False", "True")
    regions = Regions.from_masks({"blue": [True, False, False]})
    assert Regions.of(regions, 3).names == ("blue", "rest")
    assert "blue" in regions
    assert regions["blue"].tolist() == [True, False, False]
    assert regions.get("red") is None
    assert Regions.of({"blue": [0]}, 3, partition=False) == regions


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (["Hbetta"], "no line named"),
        ([], "no named line"),
        ([1, 2, 3], "one label for each of the 1000"),
        (np.linspace(0, 1, 1000), "whole numbers or names"),
        (0, "at least one"),
        (-5 * u.AA, "must be positive"),
        (5 * u.s, "window"),
        ({"blue": np.ones(999, dtype=bool)}, "'blue' must be a mask of 1000"),
        ({"blue": [3, 1000]}, "numbers from 0 to 999"),
        ({}, "no mask was given"),
        (3.5, "one label for each"),
        (Regions.from_width(10, 999), "999 bins, the spectra have 1000"),
        (Regions.from_width(10, grid=WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 1000)), "another grid"),
    ],
)
def test_refusals(said, message):
    with pytest.raises(AgnsalError, match=message):
        Regions.of(said, 1000, GRID)


def test_more_refusals():
    for said in ("Hbeta", 5 * u.AA):
        with pytest.raises(AgnsalError, match="need wavelengths"):
            Regions.of(said, 1000)
    regions = Regions.from_width(2, 4)
    with pytest.raises(AgnsalError, match="no region 'Hbeta'; there are 0, 1"):
        regions["Hbeta"]
    with pytest.raises(AgnsalError, match="the values have shape"):
        regions.sums(np.ones((2, 3)))
    with pytest.raises(AgnsalError, match="2 regions"):
        regions.spread(np.ones((2, 3)))
    with pytest.raises(AgnsalError, match="named 'rest'"):
        Regions(("rest", "rest"), regions.members)
    with pytest.raises(AgnsalError, match="the grid has 1000"):
        Regions(regions.names, regions.members, GRID)
    with pytest.raises(AgnsalError, match="has no bins in its wings"):
        Regions.from_lines(GRID, ["G band"], part="wings")
    with pytest.raises(AgnsalError, match="part must be one of"):
        Regions.from_lines(GRID, ["Hbeta"], part="base")


def test_table_and_text():
    regions = Regions.from_lines(GRID, ["Hbeta", "G band"], part="wings", overlap=True)
    table = regions.to_table()
    assert table["n_bins"].tolist() == regions.sizes.tolist()
    edges = GRID.edges.value[[regions["Hbeta"].argmax(), 1000 - regions["Hbeta"][::-1].argmax()]]
    assert [table["start"][0].value, table["stop"][0].value] == edges.tolist()
    assert np.isnan(table["start"][1])
    assert Regions.single(3).to_table().colnames == ["region", "n_bins"]
    for many in (Regions.single(10_000), Regions.from_lines(GRID), Regions.from_width(1.5 * u.AA, grid=GRID)):
        assert len(repr(many)) <= 80
    assert len(repr(Regions.from_masks({"a" * 200: [True]}))) <= 80


def test_names_of_narrow_windows_differ():
    fine = WavelengthGrid.linear(5000 * u.AA, 5001 * u.AA, 50)
    assert len(set(Regions.from_width(0.02 * u.AA, grid=fine).names)) == len(Regions.from_width(0.02 * u.AA, grid=fine))
    assert len(Regions.from_number(25, fine)) == 25


def test_networks_and_training_take_regions():
    """The same numbers whether regions come as themselves, as masks by name, or under their former word."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(40, 6)), np.arange(40) % 2
    regions = Regions.from_width(2, 6)
    masks = dict(regions)
    network = agnsal.Network.dense([random.normal(size=(4, 6)), random.normal(size=(2, 4))], [np.ones(4), np.zeros(2)])
    tables = [agnsal.decomposition_table(network, X, said) for said in (regions, masks, 2)]
    tables.append(agnsal.decomposition_table(network, X, groups=masks))
    for table in tables[1:]:
        np.testing.assert_array_equal(table["contribution"], tables[0]["contribution"])
    parts = agnsal.contextual_decomposition(network, X, regions)[0]
    np.testing.assert_array_equal(parts, agnsal.contextual_decomposition(network, X, regions.masks)[0])
    by_number, by_name = (agnsal.agglomerate(network, X[0], 0, said) for said in (2, regions))
    np.testing.assert_array_equal(by_number.masks, by_name.masks)
    with pytest.raises(AgnsalError, match="groups is another name for regions"):
        agnsal.interaction_matrix(network, X, regions, groups=regions)
    with pytest.raises(AgnsalError, match="4 bins, the spectra have 6"):
        agnsal.contextual_decomposition(network, X, Regions.from_width(2, 4))
    forbidden = regions.select(["1"])
    models = [
        agnsal.ExplanationRegularizedMLP((3,), penalty="occlusion", max_epochs=2, random_state=0).fit(X, y, said)
        for said in (forbidden, forbidden["1"])
    ]
    np.testing.assert_array_equal(*(model.decision_function(X) for model in models))
    both = [agnsal.reliance({"one": models[0]}, X, y, said, random_state=0) for said in (forbidden, forbidden["1"])]
    assert both[0]["flipped"][0] == both[1]["flipped"][0]


def test_regions_of_ones_own_are_removed_like_windows():
    sample = agnsal.simulate_agn(2, 0, 0, seed=0).normalize()
    window = Regions.from_masks({"G band": Regions.from_lines(GRID, "G band")["G band"]}, grid=GRID)
    np.testing.assert_array_equal(agnsal.remove_lines(sample, window).flux, agnsal.remove_lines(sample, "G band").flux)
    mine = Regions.from_masks({"mine": window["G band"]})
    np.testing.assert_array_equal(agnsal.remove_lines(sample, mine).flux, agnsal.remove_lines(sample, window).flux)
    hbeta = Regions.from_lines(GRID, "Hbeta")
    np.testing.assert_array_equal(agnsal.continuum(sample, hbeta), agnsal.continuum(sample, ["Hbeta"]))
