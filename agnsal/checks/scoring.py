"""How well do maps agree with a known truth, spectrum by spectrum?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError

_NORMAL_95 = 1.959964


def row_correlation(first: ArrayLike, second: ArrayLike, statistic: str = "pearson") -> NDArray[np.float64]:
    """Correlation of two matrices row by row.

    Parameters
    ----------
    first, second : array_like, shape (n, n_features)
        For instance a map and the truth.
    statistic : {"pearson", "spearman"}
        Of the values or of their ranks (ties share their mean rank).

    Returns
    -------
    ndarray, shape (n,)
        NaN where a row is constant.

    Raises
    ------
    AgnsalError
        If the statistic is unknown or the shapes differ.

    Examples
    --------
    >>> row_correlation([[1.0, 2.0, 4.0]], [[1.0, 4.0, 16.0]], "spearman")
    array([1.])
    """
    a, b = (np.asarray(matrix, dtype=np.float64) for matrix in (first, second))
    if a.shape != b.shape or a.ndim != 2:
        raise AgnsalError(f"rows of {a.shape} cannot be compared with rows of {b.shape}.")
    if statistic == "spearman":
        from scipy.stats import rankdata

        a, b = rankdata(a, axis=1), rankdata(b, axis=1)
    elif statistic != "pearson":
        raise AgnsalError(f"statistic must be 'pearson' or 'spearman', got {statistic!r}.")
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    tiny = norm <= 1e-14 * np.maximum(np.abs(a).max(axis=1) * np.abs(b).max(axis=1), np.finfo(float).tiny)
    return np.where(tiny, np.nan, (a * b).sum(axis=1) / np.where(tiny, 1.0, norm))


def summary(values: ArrayLike) -> dict[str, float]:
    """Mean with its 95 % confidence interval, and the spread, of one number a spectrum.

    Parameters
    ----------
    values : array_like, shape (n,)
        NaN are left out.

    Returns
    -------
    dict
        ``n``, ``mean``, ``low`` and ``high`` (of the mean), ``p5``, ``median``, ``p95`` (of the values).

    Examples
    --------
    >>> found = summary([0.0, 1.0, np.nan])
    >>> found["n"], found["mean"]
    (2, 0.5)
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return {"n": 0, **dict.fromkeys(("mean", "low", "high", "p5", "median", "p95"), float("nan"))}
    mean = float(known.mean())
    error = float(known.std(ddof=1) / np.sqrt(known.size)) if known.size > 1 else float("nan")
    p5, median, p95 = (float(value) for value in np.percentile(known, [5, 50, 95]))
    return {
        "n": int(known.size),
        "mean": mean,
        "low": mean - _NORMAL_95 * error,
        "high": mean + _NORMAL_95 * error,
        "p5": p5,
        "median": median,
        "p95": p95,
    }


@dataclass(frozen=True, eq=False)
class BenchmarkScores:
    """Maps of many methods beside a known truth.

    Attributes
    ----------
    maps : dict of str to ndarray, shape (n, n_features)
        The attribution of each method.
    truths : dict of str to ndarray, shape (n, n_features)
        What they are judged against, by name.
    judged : dict of str to tuple of str
        Against which truths each method is judged.
    sign : ndarray, shape (n,)
        Sign of what the model predicts; correlations with a positive or absolute truth are multiplied by it, because
        methods that keep one sign give all of it to the sign of the prediction.
    facts : dict
        What else is worth knowing, for instance how well the model does.
    """

    maps: Mapping[str, NDArray[np.float64]]
    truths: Mapping[str, NDArray[np.float64]]
    judged: Mapping[str, tuple[str, ...]]
    sign: NDArray[np.float64]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def correlation(self, method: str, truth: str = "contribution", statistic: str = "pearson") -> NDArray[np.float64]:
        """Correlation of a method's map with a truth for each spectrum.

        Parameters
        ----------
        method, truth : str
            Names in `maps` and `truths`.
        statistic : {"pearson", "spearman"}
            See `row_correlation`.

        Returns
        -------
        ndarray, shape (n,)
        """
        for name, known in ((method, self.maps), (truth, self.truths)):
            if name not in known:
                raise AgnsalError(f"there is no {name!r} here; there are {', '.join(known)}.")
        found = row_correlation(self.maps[method], self.truths[truth], statistic)
        return found * self.sign if truth.startswith(("absolute", "positive")) else found

    def table(self) -> QTable:
        """Collect the scores: a row for each method, truth and statistic.

        Returns
        -------
        QTable
            ``method``, ``truth``, ``statistic``, ``n``, ``mean``, ``low``, ``high`` (95 % confidence interval of the
            mean), ``p5``, ``median``, ``p95``; `facts` in ``meta``.
        """
        rows: list[dict[str, Any]] = [
            {"method": method, "truth": truth, "statistic": statistic}
            | summary(self.correlation(method, truth, statistic))
            for method in self.maps
            for truth in self.judged[method]
            for statistic in ("pearson", "spearman")
        ]
        table = QTable(rows=rows)
        table.meta.update(self.facts)
        return table
