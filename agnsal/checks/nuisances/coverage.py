"""Does it tell the class which bins were observed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError, instance_of
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.imputation import ProbabilisticPCA
from agnsal.spectra.sample import SpectralSample

_FOLDS = 5


class Classifier(Protocol):
    """Anything that names a class for each row of a matrix."""

    def predict(self, X: NDArray[np.float64], /) -> ArrayLike:
        """Classes, shape (n,)."""


def mask_scores(mask: NDArray[np.bool_], classes: NDArray[np.str_]) -> NDArray[np.float64]:
    """What a classifier that sees nothing but the mask makes of every spectrum, by cross-validation.

    Parameters
    ----------
    mask : ndarray of bool, shape (n, n_bins)
        True = bad.
    classes : ndarray of str, shape (n,)
        At least two classes with two spectra each.

    Returns
    -------
    ndarray, shape (n, n_classes)
        Decision values of a ridge classifier for each class (sorted) against the rest. It is linear in the bins; as
        these are steps, it can learn any function of where the observed stretch begins and ends.

    Examples
    --------
    >>> mask = np.zeros((40, 6), dtype=bool)
    >>> classes = np.repeat(["near", "far"], 20)
    >>> mask[:20, :2] = mask[20:, 4:] = True
    >>> bool((mask_scores(mask, classes).argmax(axis=1) == (classes == "near")).all())
    True
    """
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.model_selection import cross_val_predict

    fewest = int(np.unique(classes, return_counts=True)[1].min())
    ridge = RidgeClassifierCV(alphas=np.logspace(-1, 4, 6), class_weight="balanced")
    bins = mask[:, mask.any(axis=0)].astype(np.float64)
    scores = cross_val_predict(ridge, bins, classes, cv=min(_FOLDS, fewest), method="decision_function")
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


@dataclass(frozen=True, eq=False)
class CoverageReport(Displayed):
    """Whether a classifier goes by which bins were observed.

    Attributes
    ----------
    table : QTable
        A row each: the spectra as observed; ``nothing but the mask``, what another classifier makes of it in
        cross-validation; with permuted masks, how often the class of the spectrum is found, and how often that of the
        spectrum whose mask it was given, ``the owner of the mask``. ``accuracy`` is the mean over the classes of the
        fraction recognised, with its standard ``error``.
    chance : float
        One over the number of classes: what the last row is where the classifier does not go by the mask.
    """

    table: QTable
    chance: float

    @property
    def uses_mask(self) -> bool:
        """Whether the owner of the mask is recognised, by more than two standard errors above chance."""
        return bool(self.table["accuracy"][-1] - self.chance > 2 * self.table["error"][-1])

    def _display(self) -> Table:
        rows = [[row["question"], f"{row['accuracy']:.3f} +/- {row['error']:.3f}"] for row in self.table]
        rows.append(["chance", f"{self.chance:.3f}"])
        verdict = "goes by which bins were observed" if self.uses_mask else "does not go by which bins were observed"
        return Table(f"the classifier {verdict}", rows)


def check_coverage(
    model: Classifier,
    sample: SpectralSample,
    imputation: ProbabilisticPCA | None = None,
    *,
    n_permutations: int = 5,
    random_state: Seed = None,
) -> CoverageReport:
    """Ask whether a classifier goes by which bins were observed, by giving every spectrum the mask of another.

    All spectra are filled (with a draw, where there is an `imputation`) and given masks, with the errors, in another
    order, whatever their classes; what a mask takes away is filled anew. The flux then knows nothing of the class of
    the spectrum that the mask belongs to. If the classifier finds that class more often than by chance, the mask has
    told it.

    Parameters
    ----------
    model : object
        A fitted classifier; asked by ``predict``.
    sample : SpectralSample
        With labels; spectra that the classifier was not trained on, prepared as for it.
    imputation : ProbabilisticPCA, optional
        What fills bad bins; by default straight lines.
    n_permutations : int
        How many other masks each spectrum is given.
    random_state : int, RandomState, Generator or None
        Seeds the order.

    Returns
    -------
    CoverageReport

    Raises
    ------
    AgnsalError
        If there are no labels, fewer than two classes of at least two spectra, or no gaps.

    Examples
    --------
    >>> from agnsal import ProbabilisticSVC, simulate_agn
    >>> sample = simulate_agn(0, 60, 60, seed=0, redshift_confound=False)[:, 600:760].normalize(by="median")
    >>> late = (sample.labels == "type 2")[:, None]  # type 2 was not observed in the blue, others not in the red
    >>> gappy = sample.with_mask(np.where(late, np.arange(160) < 40, np.arange(160) >= 120))
    >>> machine = ProbabilisticSVC(kernel="linear", random_state=0).fit(gappy[::2])
    >>> check_coverage(machine, gappy[1::2], random_state=0).uses_mask
    True
    """
    instance_of("sample", sample, SpectralSample)
    if sample.labels is None:
        raise AgnsalError("whether masks tell classes is asked of a sample with labels.")
    classes = np.asarray(sample.labels).astype(str)
    names, counts = np.unique(classes, return_counts=True)
    if names.size < 2 or counts.min() < 2:
        raise AgnsalError("at least two classes of at least two spectra each are needed.")
    if not (sample.mask != sample.mask[0]).any():
        raise AgnsalError("all spectra have the same bins: their masks can tell nothing.")
    rng = np.random.default_rng(seed_of(random_state))
    filled = _filled(sample.with_mask(sample.mask), imputation)

    def predicted(spectra: SpectralSample) -> NDArray[np.str_]:
        return np.asarray(model.predict(spectra.flux)).astype(str)

    whole = filled if imputation is None else next(imputation.draws(sample, 1, random_state=rng))
    of_spectrum, of_owner = np.zeros(len(sample)), np.zeros(len(sample))
    for _ in range(n_permutations):
        order = rng.permutation(len(sample))
        given = sample.with_flux(whole.flux[order]).with_mask(sample.mask)
        answer = predicted(_filled(given, imputation))
        of_spectrum[order] += (answer == classes[order]) / n_permutations
        of_owner += (answer == classes) / n_permutations
    guessed = names[mask_scores(sample.mask, classes).argmax(axis=1)]
    found = {
        "as observed": predicted(filled) == classes,
        "nothing but the mask": guessed == classes,
        "permuted masks: the spectrum": of_spectrum,
        "permuted masks: the owner of the mask": of_owner,
    }
    rows = [(name, *_balanced(right.astype(np.float64), classes)) for name, right in found.items()]
    return CoverageReport(QTable(rows=rows, names=("question", "accuracy", "error")), 1.0 / names.size)


def _filled(sample: SpectralSample, imputation: ProbabilisticPCA | None) -> SpectralSample:
    return sample if imputation is None else imputation.impute(sample)


def _balanced(values: NDArray[np.float64], classes: NDArray[np.str_]) -> tuple[float, float]:
    """Mean over classes of their means, and its standard error."""
    parts = [values[classes == label] for label in np.unique(classes)]
    variance = sum(part.var(ddof=1) / len(part) for part in parts if len(part) > 1)
    return float(np.mean([part.mean() for part in parts])), float(np.sqrt(variance)) / len(parts)
