"""What a line-fitter that sees only the paper's grid finds: broad Hbeta, its width, and how sure it is of it.

Non-negative sums of starlight, power laws, Fe II, narrow and broad lines (the parts of the simulation) are fitted to
each spectrum, once without broad lines and once for each width of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from agnsal import PERUZZI2021_GRID, SpectralSample
from agnsal.spectra.simulation import emission
from agnsal.spectra.simulation.starlight import starlight

#: FWHM of broad lines that are tried (km/s).
WIDTHS = (1200.0, 1600.0, 2100.0, 2800.0, 3700.0, 4900.0, 6400.0, 8400.0, 11000.0)
_EDGES = PERUZZI2021_GRID.edges.value
_CENTERS = PERUZZI2021_GRID.centers.value
_NARROW = (70.0, 150.0, 240.0, 500.0)
_GROUPS = ("balmer", "[O III]", "[O III] 4363", "[O II]", "[Ne III]", "He II", "He I", "[S II]", "[N I]", "[Ar IV]")


def continua() -> np.ndarray:
    """Starlight of four populations behind three columns of dust, four power laws, the Balmer continuum."""
    one = np.ones(1)
    stars = starlight(_EDGES, np.eye(4), np.full(4, 170.0))
    parts = [stars * emission.reddening(_CENTERS, np.full(4, dust)) for dust in (0.0, 0.3, 0.7)]
    parts += [emission.power_law(_EDGES, slope * one, 0 * one) for slope in (-2.5, -1.5, -0.5, 1.0)]
    parts.append(emission.balmer_continuum(_EDGES, one, 1500 * one))
    return np.concatenate(parts)


def narrow() -> np.ndarray:
    """Each group of narrow lines at each width; Balmer lines with and without dust."""
    rows = []
    for width in _NARROW:
        for group in _GROUPS:
            strengths = dict.fromkeys({name for _, name, _ in emission.NARROW_LINES}, np.zeros(1)) | {group: np.ones(1)}
            for dust in (0.0, 0.8) if group == "balmer" else (0.0,):
                arguments = (strengths, np.array([width]), np.zeros(1), np.array([dust]))
                rows.append(emission.narrow_lines(_EDGES, *arguments)[0])
    return np.array(rows)


def broad(fwhm: float) -> np.ndarray:
    """Balmer lines, dusty and not, helium and Fe II of one width."""
    one, sigma = np.ones(1), np.array([fwhm / 2.3548])
    parts = [
        emission.broad_lines(_EDGES, emission.BROAD_BALMER, one, [(one, shift * sigma, sigma)], np.array([dust]))
        for dust in (0.0, 1.0)
        for shift in (-0.5, 0.0, 0.5)
    ]
    parts += [emission.broad_lines(_EDGES, emission.BROAD_HELIUM, one, [(one, 0 * one, 1.2 * sigma)], 0 * one)]
    return np.concatenate([*parts, emission.iron(_EDGES, one, 0.8 * sigma, 0 * one)])


def fit_lines(sample: SpectralSample, floor: float = 0.02) -> np.ndarray:
    """Fit every spectrum of a normalised sample on the grid of the paper.

    Parameters
    ----------
    sample : SpectralSample
    floor : float
        Relative error added to that of the file, for what the templates do not know.

    Returns
    -------
    ndarray, shape (n, 5)
        Equivalent width (A) and FWHM (km/s) of broad Hbeta, gain in chi square over no broad line (log10 of 1 + it),
        equivalent width of broad Hgamma (A), share of starlight at 5100 A.
    """
    plain = np.concatenate([continua(), narrow()])
    n_stars = 12
    beta, gamma = np.abs(_CENTERS - 4862.68) < 450, np.abs(_CENTERS - 4341.68) < 60
    at_5100 = int(np.argmin(np.abs(_CENTERS - 5100)))
    lines = [broad(fwhm) for fwhm in WIDTHS]
    found = np.zeros((len(sample), 5))
    step = float(np.diff(_EDGES).mean())
    for row, (flux, ivar, mask) in enumerate(zip(sample.flux, sample.ivar, sample.mask, strict=True)):
        variance = np.where(ivar > 0, 1 / np.maximum(ivar, 1e-30), 0.0)
        if not np.isfinite(ivar).all():
            variance = np.zeros(flux.size)
        weight = np.where(mask, 0.0, 1 / np.sqrt(variance + (floor * np.maximum(np.abs(flux), 0.2)) ** 2))
        base, cost = _fit(plain, flux, weight)
        best, width, amounts = cost, 0.0, np.zeros(len(lines[0]))
        for fwhm, part in zip(WIDTHS, lines, strict=True):
            amount, chi = _fit(np.concatenate([plain, part]), flux, weight)
            if chi < best:
                base, best, width, amounts = amount[: len(plain)], chi, fwhm, amount[len(plain) :]
        level = max((base[: n_stars + 5] @ plain[: n_stars + 5])[at_5100], 1e-3)
        if width:
            balmer = amounts[:6] @ lines[WIDTHS.index(width)][:6]
            found[row] = (balmer[beta].sum() * step, width, np.log10(1 + cost - best), balmer[gamma].sum() * step, 0)
        found[row, [0, 3]] /= level
        found[row, 4] = base[:n_stars].sum() / level
    return found


def _fit(templates: np.ndarray, flux: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    amounts, residual = nnls((templates * weight).T, flux * weight, maxiter=20 * len(templates))
    return amounts, residual**2


def scores_of_fits(
    fits: np.ndarray, labels: NDArray, objects: NDArray, judged: NDArray | slice = slice(None), repeats: int = 5
) -> np.ndarray:
    """What a line-fitter on this grid reaches whose borders are drawn by the labels, folds by object.

    Parameters
    ----------
    fits : ndarray, shape (n, 5)
        From `fit_lines`.
    labels, objects : array, shape (n,)
        Class and object of each spectrum.
    judged : index
        Which spectra count.
    repeats : int
        Of five folds.

    Returns
    -------
    ndarray, shape (repeats, 2)
        Balanced accuracy of type 1 or not, and of three classes.
    """
    logs = np.log10(0.3 + fits[:, [0, 3]])
    X = np.column_stack([logs, logs[:, 1] - logs[:, 0], np.log10(1000 + fits[:, 1]), fits[:, [2, 4]]])
    model = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    scores, truth = [], labels[judged]
    for repeat in range(repeats):
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=repeat)
        guess = cross_val_predict(model, X, labels, groups=objects, cv=folds)[judged]
        first = balanced_accuracy_score(truth == "type 1", guess == "type 1")
        scores.append((first, balanced_accuracy_score(truth, guess)))
    return np.array(scores)
