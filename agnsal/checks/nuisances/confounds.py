"""Does the explanation sit on what the class should not depend on: redshift, noise, coverage, sky lines, edges?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.checks.nuisances.coverage import mask_scores
from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError, instance_of
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.sample import SpectralSample
from agnsal.spectra.simulation.instrument import SKY_LINES

#: A nuisance that tells a class from the rest better than this (lower end of the interval) is a confound.
TELLS_CLASS = 0.75
#: A map follows a nuisance if shuffling it within the classes explains as much less often than this.
SIGNIFICANCE = 0.01
_SKY_HALF_WIDTH = 12.0
_BANDS = 20
_NEGLIGIBLE = 0.02
#: Until the mean of a class is known where its members were observed in different bands.
_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class ConfoundReport(Displayed):
    """What the classes and the maps have to do with nuisances.

    Attributes
    ----------
    table : QTable
        A row a nuisance: ``nuisance``; ``auc`` with ``auc_low`` and ``auc_high``, how well it tells a class from the
        rest by itself (0.5: not at all), and ``of_class``, which one; ``explained``, share of the variation of the
        maps within the classes that goes with it, and ``p_value``; ``matched``, number of pairs of that class
        with others of equal nuisance, and ``matched_share``, how much of the class they are; ``accuracy`` over the
        sample and ``matched_accuracy`` over the pairs, where predictions were given; ``verdict`` and ``words``.
    sky : dict of str to float
        ``excess``, attribution on observed sky lines over what lies there otherwise, with ``low`` and ``high``.
        Empty where redshifts are not known.
    edges : float
        Share of |attribution| in the outermost hundredth of the bins on either side, over the share of bins.
    """

    table: QTable
    sky: Mapping[str, float] = field(default_factory=dict)
    edges: float = float("nan")

    @property
    def confounds(self) -> list[str]:
        """Nuisances that tell the class by themselves."""
        return [str(row["nuisance"]) for row in self.table if row["verdict"] == "confounded"]

    def _display(self) -> Table:
        rows = [(row["nuisance"], row["verdict"], row["words"]) for row in self.table]
        if self.sky:
            found = f"{self.sky['excess']:.2f} times the attribution found there otherwise"
            rows.append(("observed sky lines", "", f"{found} ({self.sky['low']:.2f} to {self.sky['high']:.2f})"))
        if np.isfinite(self.edges):
            rows.append(("edges of the grid", "", f"{self.edges:.2f} times their share of the bins"))
        return Table(f"confounds: {', '.join(self.confounds) or 'none found'}", rows)


def check_confounds(
    sample: SpectralSample,
    attribution: Attribution | None = None,
    *,
    nuisances: Mapping[str, ArrayLike] | None = None,
    labels: ArrayLike | None = None,
    predicted: ArrayLike | None = None,
    n_shuffles: int = 200,
    random_state: Seed = None,
) -> ConfoundReport:
    """Look for nuisances that tell the class, and for maps that follow nuisances.

    A nuisance that tells the class by itself makes every explanation ambiguous: whatever a map shows, the model may
    have learnt the nuisance through it. The cure is a sample matched in the nuisance (`matched_pairs`). A map that
    follows a nuisance within a class looks at something the class should not depend on.

    Parameters
    ----------
    sample : SpectralSample
        With labels; redshift, signal-to-noise and coverage are taken from its table, its errors and its mask. Which
        bins were observed is judged by what a classifier that sees the mask alone makes of it, in cross-validation.
    attribution : Attribution, optional
        Maps of the same spectra, in the same order.
    nuisances : mapping of str to array_like, shape (n,), optional
        What else the class should not depend on; in place of those above if their names are given.
    labels : array_like, shape (n,), optional
        Classes; by default those of the sample.
    predicted : array_like, shape (n,), optional
        Classes a model predicts: how right it is on matched pairs is then compared with how right it is elsewhere.
    n_shuffles : int
        Permutations for the p-values, which are never below one over this number plus one.
    random_state : int, RandomState, Generator or None
        Seeds them.

    Returns
    -------
    ConfoundReport

    Raises
    ------
    AgnsalError
        If there are no labels, fewer than two classes, or the attribution is of other spectra.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> check_confounds(simulate_agn(60, 60, 60, seed=0)).confounds
    ['redshift']
    >>> check_confounds(simulate_agn(60, 60, 60, seed=0, redshift_confound=False)).confounds
    []
    """
    instance_of("sample", sample, SpectralSample)
    if labels is None and sample.labels is None:
        raise AgnsalError("confounds are looked for between classes: the sample needs labels, or give labels=....")
    classes = np.asarray(sample.labels if labels is None else labels).astype(str)
    if len(classes) != len(sample) or len(np.unique(classes)) < 2:
        raise AgnsalError(f"one label for each of {len(sample)} spectra and at least two classes are needed.")
    if attribution is not None and attribution.values.shape != sample.flux.shape:
        raise AgnsalError(f"the maps have shape {attribution.values.shape}, the spectra {sample.flux.shape}.")
    rng = np.random.default_rng(seed_of(random_state))
    found = {
        **_known_nuisances(sample, classes),
        **{name: np.asarray(v, float) for name, v in (nuisances or {}).items()},
    }
    if attribution is not None:
        unseen = sample.mask if attribution.mask is None else sample.mask | attribution.mask
        attribution = replace(attribution, mask=unseen)
    bands = None if attribution is None else _band_shares(attribution.observed_values, classes)
    right = None
    if predicted is not None:
        right = np.asarray(predicted).astype(str) == classes
    rows = [_examined(name, values, classes, bands, right, n_shuffles, rng) for name, values in found.items()]
    if not rows:
        raise AgnsalError(
            "no nuisance is known: the sample has neither redshifts nor errors nor gaps; give nuisances=...."
        )
    sky: dict[str, float] = {}
    edges = float("nan")
    if attribution is not None:
        edges = edge_excess(attribution.observed_values)
        if "redshift" in found and sample.grid.frame == "rest":
            sky = sky_excess(attribution, found["redshift"])
    return ConfoundReport(QTable(rows=rows), sky, edges)


def matched_pairs(nuisance: ArrayLike, labels: ArrayLike, tolerance: float | None = None) -> NDArray[np.intp]:
    """Pair spectra of different classes that are alike in a nuisance, each used once.

    Parameters
    ----------
    nuisance : array_like, shape (n,)
        For instance redshift.
    labels : array_like, shape (n,)
        Classes; with more than two, the rarest is paired with all others.
    tolerance : float, optional
        Largest difference; by default a tenth of the standard deviation.

    Returns
    -------
    ndarray of int, shape (n_pairs, 2)
        Row numbers. A classifier trained and tested on these cannot use the nuisance.

    Examples
    --------
    >>> matched_pairs([0.1, 0.11, 0.5, 0.9], ["a", "b", "a", "b"], tolerance=0.05).tolist()
    [[0, 1]]
    """
    values, classes = np.asarray(nuisance, dtype=np.float64), np.asarray(labels)
    names, counts = np.unique(classes, return_counts=True)
    rare = classes == names[counts.argmin()]
    tolerance = 0.1 * float(values.std()) if tolerance is None else tolerance
    first, second = np.flatnonzero(rare), np.flatnonzero(~rare)
    first, second = first[np.argsort(values[first])], second[np.argsort(values[second])]
    pairs, place = [], 0
    for row in first:
        while place < len(second) and values[second[place]] < values[row] - tolerance:
            place += 1
        if place < len(second) and values[second[place]] <= values[row] + tolerance:
            pairs.append((row, second[place]))
            place += 1
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


def sky_excess(attribution: Attribution, redshift: NDArray[np.float64]) -> dict[str, float]:
    """Attribution on observed sky lines, over what the other maps have at the same rest wavelengths.

    Parameters
    ----------
    attribution : Attribution
        With a grid in the rest frame.
    redshift : ndarray, shape (n,)
        Of the spectra.

    Returns
    -------
    dict
        ``excess`` with ``low`` and ``high`` (95 % confidence interval), ``n`` spectra with a sky line on the grid;
        empty if there are fewer than three.
    """
    assert attribution.grid is not None
    observed = attribution.grid.centers.value * (1 + redshift[:, None])
    size = np.abs(attribution.observed_values)
    seen = np.isfinite(size)
    size = np.where(seen, size, 0.0)
    size /= np.maximum(size.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1, keepdims=True), 1), 1e-300)
    sky = np.any([np.abs(observed - line) < _SKY_HALF_WIDTH for line, _ in SKY_LINES], axis=0)
    near, elsewhere = seen & sky, seen & ~sky
    away = np.where(elsewhere, size, 0.0).sum(axis=0) / np.maximum(elsewhere.sum(axis=0), 1)
    expected = (near * away).sum(axis=1)
    usable = near.any(axis=1) & (expected > 0)
    if usable.sum() < 3:
        return {}
    ratio = np.log((near * size).sum(axis=1)[usable] / expected[usable] + 1e-12)
    error = 1.96 * ratio.std(ddof=1) / np.sqrt(usable.sum())
    middle = ratio.mean()
    return {
        "excess": float(np.exp(middle)),
        "low": float(np.exp(middle - error)),
        "high": float(np.exp(middle + error)),
        "n": int(usable.sum()),
    }


def edge_excess(values: NDArray[np.float64]) -> float:
    """Share of |attribution| in the outermost hundredth of the bins on either side, over the share of bins.

    Parameters
    ----------
    values : ndarray, shape (n, n_features)
        Maps; NaN where nothing was observed.

    Returns
    -------
    float
        1 where the edges are like the rest; NaN if nothing was observed there.
    """
    size = np.abs(values)
    width = max(1, size.shape[1] // 100)
    outer = np.concatenate([size[:, :width], size[:, -width:]], axis=1)
    if np.isnan(outer).all():
        return float("nan")
    return float(np.nansum(outer) / max(np.nansum(size), 1e-300) / (np.isfinite(outer).sum() / np.isfinite(size).sum()))


def _known_nuisances(sample: SpectralSample, classes: NDArray[np.str_]) -> dict[str, NDArray[np.float64]]:
    found = {}
    if "redshift" in sample.table.colnames:
        redshift = np.asarray(sample.table["redshift"], dtype=np.float64)
        if np.isfinite(redshift).all() and np.ptp(redshift) > 0:
            found["redshift"] = redshift
    if sample.ivar is not None and sample.has_errors.all():
        noise = np.where(sample.mask, np.nan, np.abs(sample.flux) * np.sqrt(sample.ivar))
        found["signal to noise"] = np.nanmedian(noise, axis=1)
    if (sample.mask != sample.mask[0]).any():
        found["observed fraction"] = 1.0 - sample.mask.mean(axis=1)
        if np.unique(classes, return_counts=True)[1].min() > 1:
            scores = mask_scores(sample.mask, classes)
            told = [_telling(scores[:, k], classes == label)[0] for k, label in enumerate(np.unique(classes))]
            found["which bins were observed"] = scores[:, int(np.argmax(told))]
    return found


def _examined(
    name: str,
    values: NDArray[Any],
    classes: NDArray[Any],
    bands: NDArray[Any] | None,
    right: NDArray[Any] | None,
    n_shuffles: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """One row of the report."""
    if values.shape != classes.shape or not np.isfinite(values).all():
        raise AgnsalError(f"nuisance {name!r} must be {len(classes)} finite numbers, got shape {values.shape}.")
    auc, low, high, which = _telling(values, classes)
    explained, p_value = (float("nan"), float("nan"))
    if bands is not None:
        explained, p_value = _follows(values, classes, bands, n_shuffles, rng)
    pairs = matched_pairs(values, classes == which)
    matched = len(pairs)
    accuracy = float("nan") if right is None or not matched else float(right[pairs].mean())
    share = matched / max(min((classes == which).sum(), (classes != which).sum()), 1)
    if low > TELLS_CLASS:
        verdict = "confounded"
        words = f"{name} alone tells {which} from the rest (AUC {auc:.2f}); " + (
            "train and explain on pairs matched in it" if share > 0.2 else "the classes hardly overlap in it"
        )
    elif p_value < SIGNIFICANCE and explained > _NEGLIGIBLE:
        verdict = "followed"
        words = f"within the classes {explained:.0%} of the variation of the maps goes with {name} (p = {p_value:.3f})"
    else:
        verdict, words = "clean", f"{name} does not tell the class (AUC {auc:.2f})"
    return {
        "nuisance": name,
        "auc": auc,
        "auc_low": low,
        "auc_high": high,
        "of_class": which,
        "explained": explained,
        "p_value": p_value,
        "matched": matched,
        "matched_share": share,
        "accuracy": float("nan") if right is None else float(right.mean()),
        "matched_accuracy": accuracy,
        "verdict": verdict,
        "words": words,
    }


def _telling(values: NDArray[Any], classes: NDArray[Any]) -> tuple[float, float, float, str]:
    """Largest area under the curve of one class against the rest, with Hanley & McNeil's interval, and the class."""
    from scipy.stats import rankdata

    rank = rankdata(values)
    best = (0.5, 0.5, 0.5, "")
    for label in np.unique(classes):
        inside = classes == label
        n, m = int(inside.sum()), int((~inside).sum())
        auc = (rank[inside].sum() - n * (n + 1) / 2) / (n * m)
        auc = max(auc, 1 - auc)
        q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
        variance = (auc * (1 - auc) + (n - 1) * (q1 - auc**2) + (m - 1) * (q2 - auc**2)) / (n * m)
        error = 1.96 * float(np.sqrt(max(variance, 0.0)))
        if auc > best[0]:
            best = (float(auc), float(auc - error), float(min(auc + error, 1.0)), str(label))
    return best


def _band_shares(values: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    """Shares of |attribution| in broad bands, as logarithms: where on the grid a map puts its mass.

    A band that was observed in part is taken to be like that everywhere, one that was not like the mean of its class:
    gaps by themselves move nothing from one band to another.
    """
    bands = np.array_split(np.abs(values), min(_BANDS, values.shape[1]), axis=1)
    seen = np.stack([np.isfinite(band).sum(axis=1) for band in bands], axis=1)
    mass = np.stack([np.nansum(band, axis=1) * band.shape[1] for band in bands], axis=1) / np.maximum(seen, 1)
    share = mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-300)
    found = np.empty(share.shape)
    for label in np.unique(classes):
        rows = classes == label
        own, known = share[rows], seen[rows] > 0
        mean, often = np.full(share.shape[1], 1.0), np.maximum(known.sum(axis=0), 1)
        for _ in range(_ROUNDS):  # the mean tells how much lies in the bands that were observed, and that the mean
            mean /= mean.sum()
            scaled = own * (known @ mean)[:, None]
            mean = np.where(known, scaled, 0.0).sum(axis=0) / often
        logarithm = np.log(scaled + 1e-6)
        usual = np.where(known, logarithm, 0.0).sum(axis=0) / often
        found[rows] = np.where(known, logarithm, usual)
    return found


def _follows(
    values: NDArray[Any], classes: NDArray[Any], bands: NDArray[Any], n_shuffles: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Share of the within-class variation of the bands explained by ranks of a nuisance, and its p-value."""
    from scipy.stats import rankdata

    members = [np.flatnonzero(classes == label) for label in np.unique(classes)]
    x, Y = np.zeros(len(values)), np.zeros(bands.shape)
    for rows in members:
        x[rows] = rankdata(values[rows]) / len(rows)
        x[rows] -= x[rows].mean()
        Y[rows] = bands[rows] - bands[rows].mean(axis=0)
    total, norm = (Y**2).sum(), (x**2).sum()
    if total <= 1e-20 * Y.size or norm == 0:
        return 0.0, 1.0  # all maps of a class are one, as those of a linear machine can be

    def explained(nuisance: NDArray[Any]) -> float:
        return float(((nuisance @ Y) ** 2).sum() / norm / total)

    observed, as_much = explained(x), 0
    for _ in range(n_shuffles):
        shuffled = x.copy()
        for rows in members:
            shuffled[rows] = rng.permutation(x[rows])
        as_much += explained(shuffled) >= observed
    return observed, (as_much + 1) / (n_shuffles + 1)
