"""Importance over a whole population: effect sizes, and how central each of them is (RATE)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.populations.projection import feature_matrix, population_outputs, projector
from agnsal.errors import AgnsalError, AgnsalWarning, one_of, real_numbers, same_option
from agnsal.models.validation import as_learnt, flux_of
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

#: Eigenvalues of the correlation matrix of the effects below this, relative to the largest, count as zero.
_SINGULAR = 1e-12
#: Elements of a projector below this are rounding.
_ROUNDING = 1e-9


def effect_sizes(
    model: Any,
    X: SpectralSample | ArrayLike,
    projection: Literal["covariance", "pseudoinverse", "ridge"] = "covariance",
    *,
    features: ArrayLike | None = None,
    target: Any = None,
    output: str = "decision",
    center: bool = True,
) -> NDArray[np.float64]:
    """Effect size analogue: what a linear summary of a model's predictions over a sample says of each feature.

    The predictions f are projected on the features. ``"covariance"``, ``cov(x_j, f)``, needs no inverse and keeps its
    sign where features are collinear; a feature merely correlated with one the model uses gets credit as well.
    ``"pseudoinverse"`` gives the coefficients of a linear model back; ``"ridge"`` shrinks them, with the penalty that
    leave-one-out cross-validation chooses from 1e-5 to 1e5.

    Parameters
    ----------
    model : object
        Anything `as_differentiable` takes, any other fitted scikit-learn estimator, a function from X to predictions,
        or the predictions themselves, shape (n,) or (n, n_outputs).
    X : SpectralSample or array_like, shape (n, n_features)
        The population, as the model is given it.
    projection : {"covariance", "pseudoinverse", "ridge"}
        How predictions are projected on the features.
    features : array_like, shape (n, p), optional
        Project on these instead of X, for instance on line fluxes (`agnsal.spectra.features`). Standardise them
        if their effects are to be compared.
    target : label, optional
        Only this output.
    output : {"decision", "log_odds", "probability"}
        Which predictions.
    center : bool
        Subtract the mean of features and predictions. The published code does not for the pseudoinverse.

    Returns
    -------
    ndarray, shape (p,), or (n_classes, p)
        One row an output; of two classes only the effect on the second (the first is its negative).

    Raises
    ------
    AgnsalError
        If the projection or target is unknown, or the shapes do not agree.

    References
    ----------
    Crawford, Flaxman, Runcie & West 2019, Ann. Appl. Stat. 13, 958; Ish-Horowicz et al. 2019, arXiv:1901.09839.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> effect_sizes(X @ [1.0, 0.0, -2.0], X, "pseudoinverse").round(6) + 0.0
    array([ 1.,  0., -2.])
    """
    matrix = flux_of(as_learnt(model, X))
    predictions = population_outputs(model, matrix, target, output)
    Z = feature_matrix(matrix if features is None else features, len(predictions))
    columns = predictions.T if predictions.ndim == 2 else predictions[None]
    effects = np.stack([_projected(Z, column, projection, center) for column in columns])
    return effects if predictions.ndim == 2 else effects[0]


def _projected(Z: NDArray[Any], f: NDArray[Any], projection: str, center: bool) -> NDArray[np.float64]:
    return projector(Z, projection, center=center, predictions=f) @ (f - f.mean() if center else f)


@dataclass(frozen=True, eq=False)
class RateResult:
    """Relative centrality of effects; with regions, of the regions.

    Attributes
    ----------
    kld : ndarray, shape (p,)
        Kullback-Leibler divergence of the other effects' distribution when this effect is set to zero; below full
        rank, how fast it diverges (see `rate`).
    rate : ndarray, shape (p,)
        `kld`, for regions per member, normalised to sum to one. NaN where all `kld` are zero.
    delta : float
        Divergence of `rate` from uniform, sum of rate log(p rate).
    ess : float
        Effective share of features that matter alike, ``100 / (1 + delta)`` per cent.
    names : tuple
        Names of the features or regions left after nullification.
    form : str
        ``"quadratic"`` or ``"exact"``.
    rank, n_features : int
        Rank of the covariance, and the number of effects; if smaller, `rate` is a degenerate limit.
    condition : float
        Condition number of the correlation matrix of the effects.
    """

    kld: NDArray[np.float64]
    rate: NDArray[np.float64]
    delta: float
    ess: float
    names: tuple[Any, ...]
    form: str
    rank: int
    n_features: int
    condition: float

    @property
    def central(self) -> NDArray[np.bool_]:
        """Which features have more than an equal share, ``rate > 1 / p``."""
        return self.rate > 1 / len(self.rate)

    def to_table(self) -> QTable:
        """One row a feature: ``name``, ``kld``, ``rate``, ``central``, in order of importance.

        Returns
        -------
        QTable
        """
        order = np.argsort(-self.kld, kind="stable")
        table = QTable()
        table["name"] = np.array([str(name) for name in self.names])[order]
        table["kld"], table["rate"], table["central"] = self.kld[order], self.rate[order], self.central[order]
        table.meta.update(form=self.form, delta=self.delta, ess=self.ess, rank=self.rank, condition=self.condition)
        return table


def rate(
    mean: ArrayLike,
    covariance: ArrayLike,
    regions: Mapping[str, ArrayLike] | ArrayLike | None = None,
    form: Literal["quadratic", "exact"] = "quadratic",
    nullify: int | Sequence[int] | None = None,
    *,
    groups: Mapping[str, ArrayLike] | ArrayLike | None = None,
) -> RateResult:
    """Relative centrality of effect sizes with a Gaussian posterior (RATE).

    How much does the joint distribution of all other effects change when the effect of j is set to zero? With the
    precision Lambda and ``A = Lambda_GG - V_GG^-1`` for a feature or region G: ``KLD = mu_G' A mu_G / 2`` (quadratic),
    or ``(mu_G' A mu_G + tr(V_GG A) - ln det(I + V_GG A)) / 2`` (exact).

    Several published codes compute other things under the same name; this is the formula of the papers. Two nearly
    equal features share nearly all of it between them, so bin spectra or sum over lines first, to at most some 30
    features. It does not beat the plain effect size in finding what matters; it says what else hangs on it.

    Parameters
    ----------
    mean : array_like, shape (p,)
        Posterior mean of the effects.
    covariance : array_like, shape (p, p)
        Posterior covariance.
    regions : Regions, mapping or sequence, optional
        Features taken together, as `Regions.of` reads them: for instance the numbers or the mask of each region's
        features, by name. They may share features; the result then has one entry a region.
    form : {"quadratic", "exact"}
        The quadratic form is the papers' and most codes' default.
    nullify : int or sequence of int, optional
        Features set to zero beside each of the others: what is central once these are known (second order). They are
        left out of the result and out of the regions.
    groups : optional
        Another name for `regions`.

    Returns
    -------
    RateResult

    Raises
    ------
    AgnsalError
        If shapes do not agree, the covariance is not symmetric and positive, or a region is not made of features.

    Warns
    -----
    AgnsalWarning
        If the rank of the covariance is below p, which it always is for the bins of a spectrum under a posterior of
        fewer weights. The result is then the limit of a variance ``t`` added to every standardised effect that goes to
        0. The divergences grow as ``1 / t``; `kld` is what they are times ``t``, and `rate` their shares:
        ``mu_G' A mu_G / 2``, with A the projector on the null space of the covariance less that of V_GG (the exact
        form adds half the trace of ``V_GG A``). Effects outside the null space have none.

    References
    ----------
    Crawford et al. 2019, Ann. Appl. Stat. 13, 958; Ish-Horowicz et al. 2019, arXiv:1901.09839.

    Examples
    --------
    >>> result = rate([1.0, 1.0, 1.0], [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> result.rate.round(3)
    array([0.5, 0.5, 0. ])
    """
    one_of("form", form, ("quadratic", "exact"))
    regions = same_option("regions", regions, "groups", groups)
    mu, V = _moments(mean, covariance)
    p = mu.size
    scale = np.sqrt(np.diag(V))
    mu, V = mu / scale, V / np.outer(scale, scale)
    eigenvalues = np.linalg.eigvalsh(V)
    rank = int((eigenvalues > _SINGULAR * eigenvalues[-1]).sum())
    if rank < p:
        warnings.warn(
            f"the posterior of {p} effects has rank {rank}: RATE is a degenerate limit in which only |effect| and the "
            f"null space count. Use at most {rank} lines or broad bins.",
            AgnsalWarning,
            stacklevel=2,
        )
    precision = np.linalg.inv(V) if rank == p else _null_projector(V)
    null = [] if nullify is None else np.flatnonzero(Regions.from_masks({"nullify": nullify}, p)["nullify"]).tolist()
    names, members = _units(regions, null, p)
    divergence = _divergence if rank == p else _diverging
    kld = np.array([divergence(mu, V, precision, [*group, *null], form) for group in members])
    share = kld / np.array([len(group) for group in members])
    total = share.sum()
    relative = share / total if total > 0 else np.full(share.shape, np.nan)
    positive = np.where(relative > 0, relative, 1.0)
    delta = float((relative * np.log(len(relative) * positive)).sum())
    condition = float(np.inf if rank < p else eigenvalues[-1] / eigenvalues[0])
    return RateResult(kld, relative, delta, 100 / (1 + delta), names, form, rank, p, condition)


def _divergence(mu: NDArray[Any], V: NDArray[Any], precision: NDArray[Any], group: list[int], form: str) -> float:
    """KLD of one group; zero where the group is independent of all else to rounding."""
    block = np.ix_(group, group)
    A = precision[block] - np.linalg.inv(V[block])
    if np.abs(A).max() <= 8 * np.finfo(float).eps * np.abs(precision[block]).max():
        return 0.0
    quadratic = mu[group] @ A @ mu[group]
    if form == "quadratic":
        return max(0.5 * quadratic, 0.0)
    spread = V[block] @ A
    return max(0.5 * (quadratic + np.trace(spread) - np.linalg.slogdet(np.eye(len(group)) + spread)[1]), 0.0)


def _null_projector(V: NDArray[Any]) -> NDArray[np.float64]:
    """Projector on the directions in which a covariance has no variance: its inverse times that variance."""
    values, vectors = np.linalg.eigh(V)
    null = vectors[:, values <= _SINGULAR * max(values[-1], 0.0)]
    return null @ null.T


def _diverging(mu: NDArray[Any], V: NDArray[Any], projector: NDArray[Any], group: list[int], form: str) -> float:
    """The KLD of one group times a variance that vanishes."""
    block = np.ix_(group, group)
    A = projector[block] - _null_projector(V[block])
    if np.abs(A).max() <= _ROUNDING:
        return 0.0
    quadratic = mu[group] @ A @ mu[group]
    return max(0.5 * float(quadratic if form == "quadratic" else quadratic + np.trace(V[block] @ A)), 0.0)


def _moments(mean: ArrayLike, covariance: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mu, V = real_numbers("mean", mean), real_numbers("covariance", covariance)
    if mu.ndim != 1 or V.shape != (mu.size, mu.size):
        raise AgnsalError(f"mean must be (p,) and covariance (p, p), got {mu.shape} and {V.shape}.")
    if not (np.isfinite(mu).all() and np.isfinite(V).all()):
        raise AgnsalError("mean or covariance holds NaN or infinite values.")
    if np.abs(V - V.T).max(initial=0.0) > 1e-8 * np.abs(V).max(initial=0.0) or (np.diag(V) <= 0).any():
        raise AgnsalError("covariance must be symmetric with positive variances; leave constant features out.")
    return mu, 0.5 * (V + V.T)


def _units(regions: Any, null: list[int], p: int) -> tuple[tuple[Any, ...], list[list[int]]]:
    """Names and members of the features or regions, less what is nullified."""
    if regions is None:
        named: dict[Any, list[int]] = {j: [j] for j in range(p)}
    else:
        named = {name: np.flatnonzero(mask).tolist() for name, mask in Regions.of(regions, p, partition=False).items()}
    empty = [name for name, members in named.items() if not members]
    if empty:
        raise AgnsalError(f"region {empty[0]!r} has no features; leave it out.")
    left = {name: [j for j in members if j not in null] for name, members in named.items()}
    left = {name: members for name, members in left.items() if members}
    if not left:
        raise AgnsalError("no feature is left to compare once the nullified ones are out.")
    return tuple(left), list(left.values())
