"""Spectra edited until the class changes: by what, how far, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.attribution.counterfactual.multiples import multiple_needed
from agnsal.attribution.counterfactual.search import ROUNDING
from agnsal.display import Displayed, Table, factor_text
from agnsal.spectra.sample import SpectralSample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Spectra shown when a result is printed, and quantities of each.
_SHOWN, _QUANTITIES = 8, 2

#: A quantity that grows more is said by its values, not by a factor.
_LARGEST_FACTOR = 20.0

#: A quantity is turned if at least this share of what it does falls on observed bins.
OBSERVED = 0.5


@dataclass(frozen=True, eq=False)
class Counterfactuals(Displayed):
    """Spectra edited until the class changes, from `agnsal.counterfactual`.

    Attributes
    ----------
    edits : QTable
        A row for each spectrum and quantity: ``object_id``, ``quantity``, ``before``, ``after``, ``factor`` (after over
        before), ``size`` (the change in units of the scale), ``unit``, ``scale`` (what counts as one) and ``observed``
        (share of what the quantity does that falls on observed bins; below one half it was left as it is).
    before, spectra : SpectralSample
        As they were, and edited. Where no edit within the bounds changes the class, edited as far as it helps.
    target : ndarray, shape (n,)
        The class that was to be reached.
    flipped : ndarray of bool, shape (n,)
        Whether the model gives the edited spectrum that class.
    size : ndarray, shape (n,)
        Length of the edit, all quantities together in units of their scales; NaN where none was found.
    path : ndarray, shape (n, n_steps)
        Probability of the target on the way from a spectrum to its edit (the output, if there are no probabilities).
    familiarity : ndarray, shape (n,), or None
        p-value of the edited spectra.
    scale : str
        What quantities are measured by.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(40, 40, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    >>> result = agnsal.counterfactual(model, sample[40:42], "type 1", "broad Hbeta flux", population=sample)
    >>> result.flipped.tolist()
    [True, True]
    >>> result.edits.colnames[:4]
    ['object_id', 'quantity', 'before', 'after']
    """

    #: What says whether it can be trusted; `agnsal.check` is about maps.
    judged_by: ClassVar[str] = (
        ".flipped is what the model says of the edited spectra, .familiarity how usual they are, .needed_by(refits) "
        "how much of the edit machines need that were trained on other draws"
    )
    edits: QTable
    before: SpectralSample
    spectra: SpectralSample
    target: NDArray[Any]
    flipped: NDArray[np.bool_]
    size: NDArray[np.float64]
    path: NDArray[np.float64]
    familiarity: NDArray[np.float64] | None
    scale: str

    def __len__(self) -> int:
        return len(self.flipped)

    def __repr__(self) -> str:
        already, asked = self.already, len(self) - int(self.already.sum())
        said = f"{int((self.flipped & ~already).sum())} of {asked} spectra can be made another class"
        if already.any():
            name = set(map(str, self.target[already]))
            what = f"{name.pop()} already" if len(name) == 1 else "what they are to become already"
            said += f"; {int(already.sum())} {'is' if already.sum() == 1 else 'are'} {what}"
        return f"<Counterfactuals: {said}>"

    @property
    def already(self) -> NDArray[np.bool_]:
        """Which spectra the model calls the target as they are, shape (n,)."""
        return self.flipped & (self.size == 0)

    def unseen(self, i: int) -> list[str]:
        """The quantities of a spectrum that were left as they are, because most of what they do was not observed."""
        one = self.edits[self.edits["object_id"] == self.before.ids[i]]
        return [str(row["quantity"]) for row in one if row["observed"] < OBSERVED]

    def of(self, i: int) -> QTable:
        """The edit of one spectrum: its rows of `edits`, largest first."""
        one = self.edits[self.edits["object_id"] == self.before.ids[i]]
        return one[np.argsort(-np.abs(np.asarray(one["size"])), kind="stable")]

    def words(self, i: int, most: int = _QUANTITIES) -> str:
        """The largest parts of an edit in words, such as ``"broad Hbeta flux x 2.3"``."""
        said = []
        for row in self.of(i)[:most]:
            before, after, factor = (float(row[name]) for name in ("before", "after", "factor"))
            if abs(float(row["size"])) < 1e-6:
                continue
            if abs(after) < ROUNDING * abs(before):  # nothing is left of it
                after = factor = 0.0
            as_factor = np.isfinite(factor) and 0 < factor <= _LARGEST_FACTOR
            change = f"x {factor_text(factor)}" if as_factor else f"{before:.3g} to {after:.3g} {row['unit']}".strip()
            said.append(f"{row['quantity']} {change}")
        return ", ".join(said) or ("nothing, it is already" if self.already[i] else "nothing")

    def needed_by(self, models: Iterable[Any]) -> NDArray[np.float64]:
        """How much of each edit other models need to call the spectrum the target: would another training set, too?

        Parameters
        ----------
        models : iterable
            Fitted classifiers that know the targets, for instance `TrainedClassifier.refits`.

        Returns
        -------
        ndarray, shape (n_models, n)
            Least multiple of the change of flux: at most 1 for the model itself, 0 where a model calls the spectrum the
            target as it is, infinite where four times the edit do not do.

        Raises
        ------
        AgnsalError
            If a model does not know a target.

        Examples
        --------
        >>> import agnsal
        >>> sample = agnsal.simulate_agn(40, 40, 0, seed=1).normalize()
        >>> models = [agnsal.ProbabilisticSVC("linear", random_state=0).fit(sample[k::2]) for k in (0, 1)]
        >>> result = agnsal.counterfactual(models[0], sample[40:41], "type 1", "broad Hbeta flux", population=sample)
        >>> own, other = result.needed_by(models)[:, 0]
        >>> float(own.round(2)), bool(0.5 < other < 2)
        (1.0, True)
        """
        edit = self.spectra.flux - self.before.flux
        return np.array([multiple_needed(model, self.before.flux, edit, self.target) for model in models])

    def _display(self) -> Table:
        rows: list[list[object]] = []
        for i in range(min(len(self), _SHOWN)):
            what = self.words(i) if self.flipped[i] else "no edit within the bounds"
            unseen = self.unseen(i)
            if unseen:
                what += f" (not observed: {', '.join(unseen)})"
            rows.append([self.before.ids[i], self.target[i], what, float(self.size[i])])
        if len(self) > _SHOWN:
            rows.append([f"... {len(self) - _SHOWN} more", "", "", ""])
        return Table(repr(self)[1:-1], rows, ["object_id", "to be", "by", f"size ({self.scale})"])

    def plot(self, i: int = 0, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw one spectrum before and after; see `agnsal.figures.plot_counterfactual`.

        Parameters
        ----------
        i : int
            Number of the spectrum.
        ax : Axes, optional
            Where to draw.
        **options
            Passed on.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_counterfactual

        return plot_counterfactual(self, i, ax=ax, **options)
