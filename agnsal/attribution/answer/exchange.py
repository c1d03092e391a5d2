"""From the packages other people use: shap, captum and whatever gives arrays."""

from __future__ import annotations

from typing import Any, get_args

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution, versions
from agnsal.attribution.question.methods import Answers, find_method, unit_of
from agnsal.errors import AgnsalError, one_of
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


def from_arrays(
    values: Any,
    sample_or_X: SpectralSample | Any,
    target: ArrayLike,
    *,
    method: str,
    output: str = "decision",
    explained: ArrayLike | None = None,
    baseline: ArrayLike | None = None,
    answers: Answers | None = None,
    regions: object = None,
) -> Attribution:
    """Make an `Attribution` of what another package computed, for instance a tensor from captum.

    Parameters
    ----------
    values : array or torch tensor, shape (n, n_features) or (n, 1, n_features)
        The attribution.
    sample_or_X : SpectralSample, array or torch tensor of the same shape as `values`
        The spectra it is of. With a sample the result knows its wavelengths, ids and masks.
    target : label or array_like, shape (n,)
        What is explained.
    method : str
        What it was made with, for instance ``"captum IntegratedGradients"``.
    output : {"decision", "probability", "log_odds", "pairwise"}
        Which output of the model is explained; torch modules usually give decision values (logits).
    explained : array_like, shape (n,), optional
        Value of the output at each spectrum (NaN where it is not given).
    baseline : array_like, optional
        What the spectra were compared with.
    answers : {"gradient", "variance", "shares", "experiments"}, optional
        What the values are: the gradient per unit of flux or its variance, shares of the output, or outcomes of
        experiments with one region each. By default what the method of that name answers, where it is one of agnsal,
        else shares. `check` tries a map as what it is.
    regions : object, optional
        Bins that were taken together, as `Regions.of` takes them.

    Returns
    -------
    Attribution

    Raises
    ------
    AgnsalError
        If shapes do not agree, or regions do not fit.

    Examples
    --------
    >>> result = from_arrays([[0.1, -0.2]], [[1.0, 2.0]], "type 1", method="by hand")
    >>> result
    <Attribution: by hand of the decision, 1 spectra x 2 features>
    """
    sample = sample_or_X if isinstance(sample_or_X, SpectralSample) else None
    inputs = _matrix(sample_or_X) if sample is None else sample.flux
    matrix = _matrix(values)
    if matrix.shape != inputs.shape:
        raise AgnsalError(f"the attribution has shape {matrix.shape}, the spectra {inputs.shape}; they must agree.")
    n = len(matrix)
    targets = np.asarray(target)
    targets = np.repeat(targets[None], n) if targets.ndim == 0 else targets
    known = np.full(n, np.nan) if explained is None else np.asarray(explained, dtype=np.float64)
    if targets.shape != (n,) or known.shape != (n,):
        raise AgnsalError(f"{targets.size} targets and {known.size} explained values given for {n} spectra.")
    start = None if baseline is None else np.asarray(baseline, dtype=np.float64)
    ours = find_method(method)
    if answers is None:
        answers = "shares" if ours is None else ours.answers
    one_of("answers", answers, get_args(Answers))
    grid = None if sample is None else sample.grid
    unit = u.dimensionless_unscaled if sample is None else unit_of(answers, sample.unit)
    return Attribution(
        values=matrix,
        target=targets,
        method=method,
        output=output,
        explained=known,
        inputs=inputs,
        ids=np.array([f"spectrum {i}" for i in range(n)]) if sample is None else sample.ids,
        unit=unit,
        flux_unit=None if sample is None else sample.unit,
        grid=grid,
        regions=None if regions is None else Regions.of(regions, matrix.shape[1], grid),
        mask=None if sample is None else sample.mask,
        baseline=start,
        provenance={"versions": versions(), "made by": "another package", "answers": answers},
    )


def from_shap(
    explanation: Any, target: ArrayLike, *, sample: SpectralSample | None = None, output: str = "decision"
) -> Attribution:
    """Make an `Attribution` of a ``shap.Explanation`` of one output.

    Parameters
    ----------
    explanation : shap.Explanation
        With values of shape (n, n_features); of several outputs take one first: ``explanation[..., k]``.
    target : label or array_like, shape (n,)
        What is explained.
    sample : SpectralSample, optional
        The spectra, for their wavelengths and ids; by default ``explanation.data``.
    output : str
        Which output of the model was explained.

    Returns
    -------
    Attribution
        Its `explained` is the base value and the sum of the values, as shap guarantees.

    Raises
    ------
    AgnsalError
        If the explanation is of several outputs, or does not fit the sample.
    """
    values = np.asarray(explanation.values, dtype=np.float64)
    if values.ndim != 2:
        raise AgnsalError(
            f"an explanation of one output, of shape (n, n_features), is needed, got {values.shape}; "
            "choose an output with explanation[..., k]."
        )
    base = np.broadcast_to(np.asarray(explanation.base_values, dtype=np.float64).squeeze(), (len(values),))
    return from_arrays(
        values,
        explanation.data if sample is None else sample,
        target,
        method="shap",
        answers="shares",
        output=output,
        explained=base + values.sum(axis=1),
    )


def _matrix(values: Any) -> NDArray[np.float64]:
    """A matrix from an array or a torch tensor, with a channel axis of one taken off."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim == 3 and matrix.shape[1] == 1:
        matrix = matrix[:, 0]
    if matrix.ndim != 2:
        raise AgnsalError(f"(n, n_features) was expected, got shape {matrix.shape}.")
    return matrix
