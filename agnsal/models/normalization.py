"""Division of every spectrum by its flux at one wavelength, as a step of a pipeline."""

from __future__ import annotations

from typing import Any, Literal

import astropy.units as u
import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from agnsal.errors import AgnsalError
from agnsal.models.adapters.registry import Step, register_step
from agnsal.models.validation import refuse_units_and_masks
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.normalization import how_to_normalize, median_bins


class FluxNormalizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Divide every spectrum by the median of a window or of all bins: `SpectralSample.normalize` as a transformer.

    Inside a pipeline the gradient is that over the flux as observed, before the division. An array does not say which
    of its bins were observed, so that a window that was not is divided by what was put there; spectra with gaps are
    normalised by `SpectralSample.normalize`, which refuses them.

    Parameters
    ----------
    grid : WavelengthGrid
        The grid of the spectra.
    at : Quantity
        Centre of the window.
    window : Quantity or None
        Its full width; None takes the single nearest bin.
    by : {"window", "median"}
        Whether to divide by the median of that window or of the whole spectrum.

    Attributes
    ----------
    bins_ : ndarray of int
        The bins whose median is taken.

    See Also
    --------
    agnsal.SpectralSample.normalize : Knows which bins were observed, and divides by a continuum too.

    Examples
    --------
    >>> grid = WavelengthGrid.linear(5000 * u.AA, 5200 * u.AA, 5)
    >>> FluxNormalizer(grid, window=None).fit_transform([[1.0, 2.0, 4.0, 2.0, 1.0]])
    array([[0.25, 0.5 , 1.  , 0.5 , 0.25]])
    """

    def __init__(
        self,
        grid: WavelengthGrid,
        at: u.Quantity = 5100 * u.AA,
        window: u.Quantity | None = 50 * u.AA,
        *,
        by: Literal["window", "median"] = "window",
    ) -> None:
        self.grid = grid
        self.at = at
        self.window = window
        self.by = by

    def fit(self, X: Any, y: Any = None) -> FluxNormalizer:  # noqa: ARG002 (scikit-learn's signature)
        """Find the bins of the window.

        Parameters
        ----------
        X : array, shape (n, n_bins)
            Spectra on the grid.
        y : ignored
            For pipelines.

        Returns
        -------
        FluxNormalizer
            Itself.

        Raises
        ------
        AgnsalError
            If the spectra are not on the grid or the window is off it.
        """
        refuse_units_and_masks(X)
        X = validate_data(self, X, dtype=np.float64)
        if X.shape[1] != len(self.grid):
            raise AgnsalError(f"the spectra have {X.shape[1]} bins, the grid {len(self.grid)}.")
        how = how_to_normalize(self.grid, self.by, self.at, self.window)
        if how.by == "continuum":
            raise AgnsalError('a pipeline divides by a "window" or the "median"; for a continuum normalise the sample.')
        self.bins_ = np.flatnonzero(median_bins(self.grid, how))
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Divide.

        Parameters
        ----------
        X : array, shape (n, n_bins)
            Spectra on the grid.

        Returns
        -------
        ndarray, shape (n, n_bins)

        Raises
        ------
        AgnsalError
            If a spectrum has no positive flux in the window.
        """
        check_is_fitted(self)
        refuse_units_and_masks(X)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        level = median_of(X, self.bins_)
        if (level <= 0).any():
            raise AgnsalError(
                f"{int((level <= 0).sum())} spectra have no positive flux to normalise by; "
                "leave them out or normalise elsewhere."
            )
        return X / level


def median_of(X: Any, bins: NDArray[np.intp]) -> Any:
    """Median of some columns, (n, 1), traceable by autograd: the mean of the one or two middle values.

    Parameters
    ----------
    X : ndarray, shape (n, n_features)
        Spectra.
    bins : ndarray of int
        The columns.

    Returns
    -------
    ndarray, shape (n, 1)

    Examples
    --------
    >>> median_of(np.array([[3.0, 1.0, 2.0, 9.0]]), np.arange(4))
    array([[2.5]])
    """
    order = bins[np.argsort(np.asarray(getval(X))[:, bins], axis=1)]
    half = (len(bins) - 1) // 2
    middle = order[:, half : len(bins) - half]
    return anp.mean(X[np.arange(len(order))[:, None], middle], axis=1, keepdims=True)


@register_step(FluxNormalizer)
def flux_normalizer(step: FluxNormalizer) -> Step:
    """Division by the median of the window."""
    return Step(lambda X: X / median_of(X, step.bins_), step.n_features_in_)
