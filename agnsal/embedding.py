"""Where in the space of spectra is an object? A t-SNE map that takes new spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from agnsal.errors import AgnsalError
from agnsal.models.validation import as_learnt, matrix_of
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.grid import GRID_ARRAYS, WavelengthGrid
from agnsal.spectra.origin import ORIGIN_HEADER, Origin
from agnsal.spectra.sample import SpectralSample
from agnsal.store import Array, Stored

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

#: Up to here every distance is computed: exact, and faster than an approximate index (measured at 3346 x 1000: 4 x).
_MOST_EXACT_NEIGHBORS = 20_000
#: openTSNE places a new spectrum among this many neighbours, whatever the perplexity of the map.
_TRANSFORM_PERPLEXITY = 5


class SpectralEmbedding(Stored, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A two-dimensional t-SNE map of spectra, started from their principal components.

    A scikit-learn transformer. Neighbourhoods mean something on such a map, distances between islands and their sizes
    do not; what is seen on one should hold for other perplexities and seeds too.

    Parameters
    ----------
    perplexity : float
        Number of neighbours each spectrum feels; there must be more than three times as many spectra.
    random_state : int, RandomState, Generator or None
        Equal seeds give an equal map on one machine with an equal number of BLAS threads; another number moves points,
        since t-SNE amplifies rounding.
    n_jobs : int or None
        Threads; `None` is 1, which is often the fastest on small machines. Negative counts back from all cores.
    standardize : bool
        Bring every wavelength bin to mean 0 and variance 1 over the spectra first, as Peruzzi et al. (2021) did.

    Attributes
    ----------
    coordinates : ndarray, shape (n, 2)
        Where the fitted spectra are. (``coordinates_`` is the same.)
    kl_divergence_ : float
        What t-SNE minimises.
    n_features_in_ : int
        Number of wavelength bins.
    grid_ : WavelengthGrid or None
        The grid of the sample it was fitted to.

    References
    ----------
    van der Maaten & Hinton 2008, JMLR 9, 2579; Poličar, Stražar & Zupan 2024, J. Stat. Softw. 109, 3 (openTSNE);
    the initialisation after Kobak & Berens 2019, Nat. Commun. 10, 5416.

    Examples
    --------
    >>> import numpy as np
    >>> spectra = np.random.default_rng(0).normal(size=(60, 5)) + 8 * (np.arange(60) % 2)[:, None]
    >>> embedding = SpectralEmbedding(perplexity=10, random_state=0).fit(spectra)
    >>> embedding.coordinates.shape
    (60, 2)
    >>> embedding.transform(spectra[:3]).shape
    (3, 2)
    """

    def __init__(
        self,
        perplexity: float = 50,
        random_state: Seed = None,
        n_jobs: int | None = None,
        *,
        standardize: bool = True,
    ) -> None:
        self.perplexity = perplexity
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.standardize = standardize

    def fit(self, X: SpectralSample | ArrayLike, y: Any = None) -> SpectralEmbedding:
        """Make the map.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            The spectra; in a sample the bad bins are bridged already.
        y : ignored
            For scikit-learn.

        Returns
        -------
        SpectralEmbedding
            Itself.

        Raises
        ------
        AgnsalError
            If the spectra hold NaN, come masked or with a unit, are too few for the perplexity, or are all the same.
        """
        del y
        import openTSNE

        matrix, grid = self._matrix(X, fitting=True)
        n = len(matrix)
        if not self.perplexity > 0:
            raise AgnsalError(f"perplexity must be positive, got {self.perplexity!r}.")
        if n - 1 < 3 * self.perplexity:
            raise AgnsalError(
                f"{n} spectra (n_samples={n}) are too few for perplexity {self.perplexity:g}: at least "
                f"{int(np.ceil(3 * self.perplexity)) + 1} are needed, or a perplexity of at most {(n - 1) / 3:.3g}."
            )
        if np.ptp(matrix, axis=0).max() == 0:
            raise AgnsalError(f"all {n} spectra are the same; there is nothing to map.")
        self.grid_, self.learnt_from_ = grid, Origin.of(X)
        self.mean_, self.scale_ = np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
        if self.standardize:
            spread = matrix.std(axis=0)
            self.mean_, self.scale_ = matrix.mean(axis=0), np.where(spread > 0, spread, 1.0)
        self.training_ = (matrix - self.mean_) / self.scale_
        self.seed_ = seed_of(self.random_state)
        self._affinities: Any = None
        tsne = openTSNE.TSNE(initialization="pca", random_state=self.seed_, n_jobs=self._n_threads())
        found = tsne.fit(self.training_, affinities=self._neighbourhood())
        positions = np.array(found, dtype=np.float64)
        self.coordinates_ = positions - 0.5 * (positions.max(axis=0) + positions.min(axis=0))
        self.kl_divergence_ = float(found.kl_divergence)
        return self

    def fit_transform(self, X: SpectralSample | ArrayLike, y: Any = None) -> Floats:
        """Make the map and return where the spectra are.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            The spectra.
        y : ignored
            For scikit-learn.

        Returns
        -------
        ndarray, shape (n, 2)
        """
        return self.fit(X, y).coordinates.copy()

    def plot(self, labels: ArrayLike | None = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the map by class; see `agnsal.figures.plot_embedding`.

        Parameters
        ----------
        labels : array_like, shape (n,), optional
            Class of each of the fitted spectra.
        ax : Axes, optional
            Where to draw.
        **options
            Passed on.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_embedding

        check_is_fitted(self)
        return plot_embedding(self, labels, ax=ax, **options)

    def transform(self, X: SpectralSample | ArrayLike) -> Floats:
        """Place further spectra on the map, each by its neighbours among the fitted ones; the map stays as it is.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            On the grid of the fitted spectra and normalised as they were.

        Returns
        -------
        ndarray, shape (n, 2)
            A fitted spectrum comes out near its place on the map, not exactly on it.

        Raises
        ------
        AgnsalError
            If the spectra do not fit those of the map, or are normalised otherwise.
        """
        check_is_fitted(self, "coordinates_")
        import openTSNE

        matrix, grid = self._matrix(X, fitting=False)
        if grid is not None and self.grid_ is not None and grid != self.grid_:
            raise AgnsalError(f"the spectra are on {grid!r}, the map was made on {self.grid_!r}.")
        as_learnt(self, X)
        # openTSNE moves the map it is given, so it gets a copy
        fixed = openTSNE.TSNEEmbedding(
            self.coordinates_,
            self._neighbourhood(),
            random_state=self.seed_,
            n_jobs=self._n_threads(),
        )
        neighbors = int(min(25, len(self.coordinates_) - 1))
        placed = fixed.transform(
            (matrix - self.mean_) / self.scale_, perplexity=min(_TRANSFORM_PERPLEXITY, self.perplexity), k=neighbors
        )
        return np.array(placed, dtype=np.float64)

    @property
    def coordinates(self) -> Floats:
        """Where the fitted spectra are, shape (n, 2)."""
        check_is_fitted(self, "coordinates_")
        return self.coordinates_

    @property
    def _n_features_out(self) -> int:
        return 2

    def _matrix(self, X: Any, *, fitting: bool) -> tuple[Floats, WavelengthGrid | None]:
        """Spectra as finite float64, and their grid where it is known; nothing is dropped in silence."""
        grid = X.grid if isinstance(X, SpectralSample) else None
        return matrix_of(self, X, fitting=fitting, min_features=2 if fitting else 1), grid

    def _n_threads(self) -> int:
        return 1 if self.n_jobs is None else int(self.n_jobs)

    def _neighbourhood(self) -> Any:
        """Neighbours and affinities of the fitted spectra, made again after reading (the seed is kept)."""
        if self._affinities is None:
            from openTSNE.affinity import PerplexityBasedNN

            self._affinities = PerplexityBasedNN(
                self.training_,
                perplexity=self.perplexity,
                method="exact" if len(self.training_) <= _MOST_EXACT_NEIGHBORS else "approx",
                random_state=self.seed_,
                n_jobs=self._n_threads(),
            )
        return self._affinities

    _arrays: ClassVar = {
        "coordinates_": Array("real", "spectrum 2"),
        "training_": Array("real", "spectrum bin"),
        "mean_": Array("real", "bin"),
        "scale_": Array("real", "bin"),
        **GRID_ARRAYS,
    }
    _header: ClassVar = {
        "perplexity": float,
        "standardize": bool,
        "n_jobs": (int, None),
        "seed": int,
        "kl_divergence": float,
        "learnt_from": (ORIGIN_HEADER, None),
    }

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        check_is_fitted(self, "coordinates_")
        edges, origin = ({}, None) if self.learnt_from_ is None else self.learnt_from_.pack()
        arrays = {name: getattr(self, name) for name in ("coordinates_", "training_", "mean_", "scale_")}
        header = {
            "perplexity": float(self.perplexity),
            "standardize": bool(self.standardize),
            "n_jobs": None if self.n_jobs is None else int(self.n_jobs),
            "seed": self.seed_,
            "kl_divergence": self.kl_divergence_,
            "learnt_from": origin,
        }
        return arrays | edges, header

    @classmethod
    def _unpacked(cls, arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> SpectralEmbedding:
        """Ready to `transform`; its `random_state` is the seed that was used."""
        embedding = cls(header["perplexity"], header["seed"], header["n_jobs"], standardize=header["standardize"])
        embedding.learnt_from_ = Origin.unpack(arrays, header["learnt_from"])
        embedding.grid_ = None if embedding.learnt_from_ is None else embedding.learnt_from_.grid
        for name in ("coordinates_", "training_", "mean_", "scale_"):
            setattr(embedding, name, arrays[name])
        n = len(embedding.training_)
        if not 0 < embedding.perplexity <= (n - 1) / 3 or not 0 <= header["seed"] < 2**32:
            raise AgnsalError(f"perplexity {embedding.perplexity} and seed {header['seed']} fit no map of {n} spectra")
        if not (embedding.scale_ > 0).all():
            raise AgnsalError("a scale is not positive")
        embedding.seed_, embedding.kl_divergence_ = header["seed"], header["kl_divergence"]
        embedding.n_features_in_, embedding._affinities = len(embedding.mean_), None
        return embedding
