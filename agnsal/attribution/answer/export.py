"""To the packages other people use: shap and Quantus. `Attribution` has both as methods."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.figures.records import AttributionRecord


def to_shap(attribution: AttributionRecord) -> Any:
    """Give an attribution to shap, for its plots.

    Parameters
    ----------
    attribution : Attribution
        Best of a method whose values sum to a difference of outputs.

    Returns
    -------
    shap.Explanation
        Base values are what is explained less the sum of the values; features are named by their wavelengths.

    Raises
    ------
    AgnsalError
        If shap is not installed.
    """
    try:
        import shap
    except ImportError as error:
        raise AgnsalError("shap is not installed; `pip install shap` to make a shap.Explanation.") from error
    if attribution.grid is not None:
        names = [f"{wavelength:.2f}" for wavelength in attribution.grid.centers.value]
    elif attribution.features is not None:
        names = attribution.features.tolist()
    else:
        names = [f"feature {i}" for i in range(attribution.values.shape[1])]
    return shap.Explanation(
        values=attribution.values.copy(),
        base_values=attribution.explained - attribution.values.sum(axis=1),
        data=attribution.inputs.copy(),
        feature_names=names,
    )


def to_quantus(attribution: AttributionRecord, classes: ArrayLike) -> dict[str, NDArray[Any]]:
    """Arrays in the shapes Quantus' metrics take, as keyword arguments.

    Parameters
    ----------
    attribution : Attribution
        Of any method.
    classes : array_like
        The classes of the model in order (``model.classes_``); Quantus wants their numbers.

    Returns
    -------
    dict of str to ndarray
        ``x_batch`` (n, 1, n_features), ``y_batch`` (n,), ``a_batch`` (n, 1, n_features).

    Raises
    ------
    AgnsalError
        If a target is not among the classes.

    Examples
    --------
    >>> from agnsal import from_arrays
    >>> result = from_arrays([[0.1, -0.2]], [[1.0, 2.0]], "b", method="by hand")
    >>> arrays = to_quantus(result, ["a", "b"])
    >>> arrays["y_batch"], arrays["a_batch"].shape
    (array([1]), (1, 1, 2))
    """
    number = {label: i for i, label in enumerate(np.asarray(classes).tolist())}
    missing = sorted({str(label) for label in attribution.target.tolist() if label not in number})
    if missing:
        raise AgnsalError(f"targets {', '.join(missing)} are not among the classes {list(number)}.")
    return {
        "x_batch": attribution.inputs[:, None, :],
        "y_batch": np.array([number[label] for label in attribution.target.tolist()]),
        "a_batch": attribution.values[:, None, :],
    }
