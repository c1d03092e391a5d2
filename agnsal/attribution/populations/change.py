"""What made an output change from one spectrum to another: two epochs of one object."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.local.paths import integrated_gradients
from agnsal.errors import AgnsalError, real_numbers
from agnsal.spectra.origin import check_alike
from agnsal.spectra.sample import SpectralSample


def explain_change(
    model: Any,
    first: SpectralSample | ArrayLike,
    second: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "log_odds",
    *,
    n_steps: int = 64,
) -> Attribution:
    """Share out the change of an output between two epochs over wavelength.

    Integrated gradients from the first spectrum to the second: the values sum to the change. The difference of two
    saliency maps would not say what changed: a linear machine has the same map at both epochs.

    Parameters
    ----------
    model : object
        A fitted classifier: anything `as_differentiable` takes.
    first, second : SpectralSample or array_like, shape (n, n_features)
        The earlier and the later epoch of the same objects, in the same order, on the same grid and normalised alike.
    target : str, label or array_like, shape (n,)
        Class whose output changes; ``"predicted"`` is the class predicted for the second epoch.
    output : {"log_odds", "probability", "decision", "pairwise"}
        The log-odds do not saturate.
    n_steps : int
        Points of the Gauss-Legendre rule between the epochs.

    Returns
    -------
    Attribution
        Of the second epoch, with the first as its baseline. Bins bad at either epoch are marked in `mask`; those of
        the first epoch were bridged, so what they contribute is not to be trusted.

    Raises
    ------
    AgnsalError
        If the epochs are not equally many, or not on one grid.

    References
    ----------
    Sundararajan, Taly & Yan 2017, arXiv:1703.01365.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC, explain_change
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))
    >>> change = explain_change(model, [[0.0, -1.0, 0.0]], [[0.0, 1.0, 0.0]], target="up")
    >>> (change.values != 0).tolist()
    [[False, True, False]]
    """
    if isinstance(first, SpectralSample) and isinstance(second, SpectralSample):
        if first.grid != second.grid:
            raise AgnsalError(f"the epochs are on different grids: {first.grid!r} and {second.grid!r}.")
        check_alike(first, second, "the first epoch's")
        start, before = first.flux, first.mask
    elif isinstance(first, SpectralSample) or isinstance(second, SpectralSample):
        raise AgnsalError("give both epochs as samples, or both as arrays.")
    else:
        start, before = np.atleast_1d(real_numbers("first", first)), None
        second = np.atleast_1d(real_numbers("second", second))
    if len(start) != len(second):
        raise AgnsalError(
            f"{len(start)} spectra of the first epoch and {len(second)} of the second; one each is needed."
        )
    result = integrated_gradients(model, second, target, output, baseline=start, n_steps=n_steps)
    mask = result.mask if before is None or result.mask is None else result.mask | before
    return replace(result, method="change by integrated gradients", mask=mask)
