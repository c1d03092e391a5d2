"""What every attribution method is asked: which output of which model, for which spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.result import Attribution, versions
from agnsal.errors import AgnsalError
from agnsal.models.differentiable import as_differentiable
from agnsal.spectra.sample import SpectralSample

OUTPUTS = ("probability", "log_odds", "decision", "pairwise")


@dataclass(frozen=True, eq=False)
class Question:
    """One output of a model, asked about for each of some spectra.

    Attributes
    ----------
    model : DifferentiableModel
        What `as_differentiable` made of the classifier.
    X : ndarray, shape (n, n_features)
        The spectra, finite float64.
    sample : SpectralSample or None
        Where they came from, if not from an array.
    target : ndarray, shape (n,)
        A class label for each spectrum.
    output : str
        One of ``"probability"``, ``"log_odds"``, ``"decision"``, ``"pairwise"``.
    """

    model: Any
    X: NDArray[np.float64]
    sample: SpectralSample | None
    target: NDArray
    output: str

    @property
    def columns(self) -> NDArray[np.intp]:
        """Column of the model's outputs each target stands for, shape (n,)."""
        return self.model.target_columns(self.target, self.output)

    def explained(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Value of the output asked about at other inputs, one for each spectrum.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            Inputs that stand in for the spectra.

        Returns
        -------
        ndarray, shape (n,)
        """
        return self.model.outputs(X, self.output)[np.arange(len(X)), self.columns]

    def gradient(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gradient of the output asked about at other inputs, one for each spectrum.

        Parameters
        ----------
        X : ndarray, shape (n, n_features)
            Inputs that stand in for the spectra.

        Returns
        -------
        ndarray, shape (n, n_features)
        """
        return self.model.gradient(X, self.target, self.output)

    def answer(self, values: NDArray[np.float64], *, method: str, per_flux: bool = False, **rest: Any) -> Attribution:
        """Put the result together.

        Parameters
        ----------
        values : ndarray, shape (n, n_features)
            The attribution.
        method : str
            Its name.
        per_flux : bool
            Whether the values are per unit of flux (a gradient) rather than shares of the output.
        **rest
            Further fields of `Attribution`; what it has no field for goes into the provenance.

        Returns
        -------
        Attribution
        """
        sample = self.sample
        options = rest.pop("options", {})
        return Attribution(
            values=values,
            target=self.target,
            method=method,
            output=self.output,
            explained=self.explained(self.X),
            inputs=self.X,
            ids=np.array([f"spectrum {i}" for i in range(len(self.X))]) if sample is None else sample.ids,
            unit=sample.unit**-1 if per_flux and sample is not None else u.dimensionless_unscaled,
            grid=None if sample is None else sample.grid,
            mask=None if sample is None else sample.mask,
            provenance={"model": repr(self.model), "versions": versions(), **options},
            **rest,
        )


def ask(
    model: Any, sample_or_X: SpectralSample | ArrayLike, target: Any = "predicted", output: str = "probability"
) -> Question:
    """Check what a user asks and make a `Question` of it.

    Parameters
    ----------
    model : object
        Anything `as_differentiable` takes.
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra.
    target : str, label or array_like, shape (n,)
        ``"predicted"`` for the class the model predicts, one label for all, or one for each spectrum.
    output : str
        Which output of the model.

    Returns
    -------
    Question

    Raises
    ------
    AgnsalError
        If the spectra do not fit the model, or the target or the output is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, np.where(X[:, 0] > 0, "up", "down"))
    >>> ask(model, X[:2], target="up").target
    array(['up', 'up'], dtype='<U4')
    """
    if output not in OUTPUTS:
        raise AgnsalError(f"output must be one of {', '.join(map(repr, OUTPUTS))}, got {output!r}.")
    model = as_differentiable(model)
    sample = sample_or_X if isinstance(sample_or_X, SpectralSample) else None
    X = _matrix(sample_or_X if sample is None else sample.flux)
    if X.shape[1] != model.n_features:
        raise AgnsalError(
            f"the spectra have {X.shape[1]} bins, the model was trained on {model.n_features}; "
            "put them on the grid the model was trained on."
        )
    if isinstance(target, str) and target == "predicted":
        labels = model.predict(X)
    else:
        labels = np.asarray(target)
        if labels.ndim == 0:
            labels = np.repeat(labels[None], len(X))
    if labels.shape[:1] != (len(X),):
        raise AgnsalError(
            f"{len(labels)} targets given for {len(X)} spectra; give one label, or one for each spectrum."
        )
    question = Question(model, X, sample, labels, output)
    _ = question.columns  # refuses unknown labels here, before any work is done
    return question


def _matrix(X: Any) -> NDArray[np.float64]:
    """A finite float64 matrix, with nothing dropped in silence."""
    if isinstance(X, u.Quantity):
        raise AgnsalError("the spectra came with a unit attached; explain a SpectralSample, or pass .value.")
    if isinstance(X, np.ma.MaskedArray):
        raise AgnsalError("the spectra came as a masked array; explain a SpectralSample, which keeps the mask.")
    try:
        matrix = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AgnsalError(f"the spectra are not an array of numbers: {error}.") from error
    if matrix.ndim != 2:
        raise AgnsalError(f"spectra are expected as (n, n_features), got shape {matrix.shape}; one is x[None, :].")
    if not np.isfinite(matrix).all():
        rows = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        raise AgnsalError(f"spectra {rows[:5].tolist()} hold NaN or infinite flux; a SpectralSample bridges bad bins.")
    return matrix
