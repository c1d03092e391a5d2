"""The t-SNE map: seeded, found again after reading, refuses what it cannot place."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from agnsal.embedding import SpectralEmbedding
from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.sample import SpectralSample

N, BINS = 90, 12
GRID = WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, BINS)
KIND = np.arange(N) % 3


def spectra(seed=0, n=N):
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(3, BINS)) * 6
    return random.normal(size=(n, BINS)) + centers[np.arange(n) % 3]


@pytest.fixture(scope="module")
def fitted():
    return SpectralEmbedding(perplexity=10, random_state=3).fit(SpectralSample(spectra(), GRID))


def purity(points, reference, kind):
    """Share of points whose nearest reference point is of their own kind."""
    distance = ((points[:, None] - reference) ** 2).sum(axis=-1)
    distance[distance == 0] = np.inf
    return np.mean(KIND[distance.argmin(axis=1)] == kind)


def test_islands_of_classes_stay_apart(fitted):
    assert fitted.coordinates.shape == (N, 2)
    assert purity(fitted.coordinates, fitted.coordinates, KIND) == 1.0


def test_equal_seeds_give_equal_bits(fitted):
    again = SpectralEmbedding(perplexity=10, random_state=3)
    assert_array_equal(again.fit_transform(spectra()), fitted.coordinates)
    drawn = SpectralEmbedding(perplexity=10, random_state=np.random.RandomState(1)).fit(spectra())
    assert_array_equal(drawn.coordinates, clone(drawn).set_params(random_state=drawn.seed_).fit(spectra()).coordinates)


def test_new_spectra_land_among_their_kind_and_leave_the_map_alone(fitted):
    before = fitted.coordinates.copy()
    new = SpectralSample(spectra(seed=7), GRID)
    placed = fitted.transform(new)
    assert purity(placed, fitted.coordinates, KIND) == 1.0
    assert_array_equal(fitted.coordinates, before)
    assert_array_equal(fitted.transform(new), placed)
    assert_array_equal(fitted.transform(new[4]), placed[4:5])


def test_reading_gives_the_same_bits_and_the_same_places(fitted, tmp_path):
    path = tmp_path / "map.npz"
    fitted.write(path)
    again = SpectralEmbedding.read(path)
    assert_array_equal(again.coordinates, fitted.coordinates)
    new = spectra(seed=7, n=6)
    assert_array_equal(again.transform(new), fitted.transform(new))
    assert again.grid_ == fitted.grid_
    assert again.get_params() == fitted.get_params()
    assert again.kl_divergence_ == fitted.kl_divergence_
    plain = SpectralEmbedding(perplexity=10, random_state=0, standardize=False).fit(spectra())
    plain.write(path)
    assert SpectralEmbedding.read(path).grid_ is None


def test_a_damaged_or_foreign_file_is_refused(fitted, tmp_path):
    path = tmp_path / "map.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(AgnsalError, match=r"map\.npz"):
        SpectralEmbedding.read(path)
    SpectralSample(spectra(), GRID).write(path)
    with pytest.raises(AgnsalError, match="SpectralEmbedding was expected"):
        SpectralEmbedding.read(path)
    from agnsal import store

    store.write_arrays(path, "SpectralEmbedding", {"mean_": np.zeros(3)}, {})
    with pytest.raises(AgnsalError, match="not a whole SpectralEmbedding"):
        SpectralEmbedding.read(path)


def test_standardized_columns_do_not_depend_on_their_units(fitted):
    scaled = SpectralEmbedding(perplexity=10, random_state=3).fit(spectra() * 2.0 ** np.arange(BINS))
    assert_array_equal(scaled.coordinates, fitted.coordinates)
    constant = spectra()
    constant[:, 0] = 5.0
    assert np.isfinite(SpectralEmbedding(perplexity=10, random_state=3).fit(constant).coordinates).all()
    plain = SpectralEmbedding(perplexity=10, random_state=3, standardize=False).fit(constant)
    assert_array_equal(plain.training_, constant)


def broken(change):
    matrix = spectra()
    change(matrix)
    return matrix


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (broken(lambda m: m.__setitem__((4, 2), np.nan)), "NaN.*SpectralSample bridges"),
        (broken(lambda m: m.__setitem__((4, 2), np.inf)), "infinity"),
        (np.ma.masked_array(spectra(), mask=np.zeros((N, BINS))), "masked array"),
        (spectra() * u.Jy, "unit"),
        (spectra()[:20], "20 spectra .* too few for perplexity 10: at least 31 .* at most 6.33"),
        (spectra()[0], "Reshape"),
        (np.ones((N, BINS)), "the same"),
        (spectra()[:, :1], "minimum of 2"),
    ],
)
def test_what_cannot_be_mapped_is_refused(X, message):
    with pytest.raises(AgnsalError, match=message):
        SpectralEmbedding(perplexity=10, random_state=0).fit(X)


def test_other_refusals(fitted):
    with pytest.raises(TypeError, match="Sparse data"):
        fitted.fit(sparse.csr_array(spectra()))
    with pytest.raises(AgnsalError, match="perplexity must be positive"):
        SpectralEmbedding(perplexity=0).fit(spectra())
    with pytest.raises(AgnsalError, match="expecting 12 features"):
        fitted.transform(spectra()[:, :5])
    other = WavelengthGrid.linear(4000 * u.AA, 5001 * u.AA, BINS)
    with pytest.raises(AgnsalError, match="the map was made on"):
        fitted.transform(SpectralSample(spectra(), other))
    for attempt in (
        lambda e: e.coordinates,
        lambda e: e.transform(spectra()),
        lambda e: e.write("map.npz"),
    ):
        with pytest.raises(NotFittedError):
            attempt(SpectralEmbedding())


def test_the_coordinates_are_named():
    assert list(SpectralEmbedding(perplexity=10).fit(spectra()).get_feature_names_out()) == [
        "spectralembedding0",
        "spectralembedding1",
    ]


def test_a_map_draws_itself(fitted):
    ax = fitted.plot(KIND)
    assert ax.get_xlabel() == "t-SNE 1"
    assert len(ax.get_legend().get_texts()) == len(set(KIND))
