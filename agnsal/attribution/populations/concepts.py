"""Does the model use what an astronomer would call by name: a width, an Eddington ratio, the share of the host?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy.table import QTable
from astropy.units import Quantity
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.utils import check_random_state

from agnsal.attribution.networks.activations import LayerView, view_layer
from agnsal.attribution.question.question import ask
from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError
from agnsal.models.validation import as_learnt, flux_of
from agnsal.seeds import Seed
from agnsal.spectra.sample import SpectralSample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PENALTIES = np.logspace(-2, 6, 17)


@dataclass(frozen=True, eq=False)
class ConceptSensitivity(Displayed):
    """How an output changes with named quantities, from `agnsal.concept_sensitivity`.

    Attributes
    ----------
    names : tuple of str
        The quantities.
    scores : ndarray, shape (n_quantities,)
        Share of the variance of each that is predicted from the layer, on spectra that were left out. Not above 0: the
        layer does not know it.
    known : ndarray of bool, shape (n_quantities,)
        Whether the score is good enough to speak of a direction.
    values : ndarray, shape (n, n_quantities)
        Change of the output of each spectrum along the direction, per standard deviation of the quantity; NaN where
        it is not known.
    shuffled : ndarray, shape (n_shuffles, n_quantities)
        Size of the mean change along steps of the same length in directions fitted to shuffled quantities; NaN where
        not known.
    p_values : ndarray, shape (n_quantities,)
        Share of these that are as large as the mean of `values`; NaN where not known.
    directions : ndarray, shape (n_quantities, n_units)
        The directions, of unit length in units of the scatter of each unit of the layer.
    target, output, layer
        What was asked.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(60, 60, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    >>> quantities = {"width of [O III]": sample.truth.table["oxygen_width"]}
    >>> found = agnsal.concept_sensitivity(model, sample, quantities, "type 1", random_state=0)
    >>> found.to_table().colnames
    ['quantity', 'score', 'known', 'sensitivity', 'share_positive', 'p_value']
    """

    #: What says whether it can be trusted; `agnsal.check` is about maps.
    judged_by: ClassVar[str] = (
        ".scores say what is known there at all, .p_values compare with directions of shuffled quantities"
    )
    names: tuple[str, ...]
    scores: NDArray[np.float64]
    known: NDArray[np.bool_]
    values: NDArray[np.float64]
    shuffled: NDArray[np.float64]
    p_values: NDArray[np.float64]
    directions: NDArray[np.float64]
    target: Any
    output: str
    layer: int | str | None

    def __repr__(self) -> str:
        where = "the spectrum" if self.layer is None else f"layer {self.layer!r}"
        return f"<ConceptSensitivity: {len(self.names)} quantities in {where}, {int(self.known.sum())} known there>"

    def to_table(self) -> QTable:
        """The quantities, most sensitive first.

        Returns
        -------
        QTable
            ``quantity``, ``score``, ``known``, ``sensitivity`` (mean over the spectra), ``share_positive`` (of the
            spectra), ``p_value``.
        """
        mean = np.where(self.known, self.values.mean(axis=0), np.nan)
        order = np.argsort(-np.nan_to_num(np.abs(mean), nan=-1.0), kind="stable")
        table = QTable()
        table["quantity"] = np.array(self.names)[order]
        table["score"], table["known"] = self.scores[order], self.known[order]
        table["sensitivity"] = mean[order]
        table["share_positive"] = np.where(self.known, (self.values > 0).mean(axis=0), np.nan)[order]
        table["p_value"] = self.p_values[order]
        for name in ("score", "sensitivity", "share_positive", "p_value"):
            table[name].info.format = ".2g"
        return table

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how much each quantity changes the output; see `agnsal.figures.plot_concepts`.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_concepts

        return plot_concepts(self, ax=ax)

    def _display(self) -> Table:
        table = self.to_table()
        rows = [
            [row["quantity"], *(float(row[name]) if row["known"] else "not known" for name in table.colnames[3:])]
            for row in table
        ]
        scores = [[row[0], float(score), *row[1:]] for row, score in zip(rows, table["score"], strict=True)]
        header = ["quantity", "score", f"{self.output.replace('_', '-')} per scatter", "share positive", "p"]
        return Table(repr(self)[1:-1], scores, header)


def concept_sensitivity(
    model: Any,
    sample: SpectralSample | ArrayLike,
    quantities: Mapping[str, ArrayLike] | QTable | None = None,
    target: Any = "predicted",
    output: str = "log_odds",
    *,
    layer: int | str | None = None,
    spectra: SpectralSample | ArrayLike | None = None,
    min_score: float = 0.2,
    n_shuffles: int = 99,
    cv: int = 5,
    random_state: Seed = None,
) -> ConceptSensitivity:
    """Ask how an output changes with named physical quantities.

    For each quantity a ridge regression finds the direction, in the spectra or in a layer of a network, along which it
    changes; a quantity that cannot be predicted from there on spectra left out is refused, for a direction would mean
    nothing. The sensitivity is the derivative of the output along the direction. It is compared with that along
    directions fitted to the same quantity, shuffled.

    Parameters
    ----------
    model : object
        Anything `as_differentiable` takes; with a `layer` a `Network`, a torch module or a multilayer perceptron.
    sample : SpectralSample or array_like, shape (n, n_features)
        Spectra of which the quantities are known.
    quantities : mapping of str to array_like, shape (n,), or QTable, optional
        The quantities; by default all numbers that the simulation knows (``sample.truth.table``).
    target, output
        As in `agnsal.saliency`, one target for all or one for each of `spectra`.
    layer : int or str, optional
        As in `agnsal.attribution.networks.activations.view_layer`: how many layers come before, or the name of a
        submodule of a torch module (an encoder, for instance). By default the spectra themselves.
    spectra : SpectralSample or array_like, optional
        Where the output is differentiated; by default the sample.
    min_score : float
        Share of the variance below which a quantity is not known.
    n_shuffles : int
        Shuffled copies of each quantity.
    cv : int
        Folds.
    random_state : int, RandomState, Generator or None
        Seeds folds and shuffles.

    Returns
    -------
    ConceptSensitivity

    Raises
    ------
    AgnsalError
        If none of the quantities is known there, or one has another number of values than there are spectra.

    See Also
    --------
    agnsal.figures.plot_concepts : draws it.

    References
    ----------
    Kim et al. 2018, arXiv:1711.11279 (there for classes of examples and random concepts).

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(60, 60, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    >>> found = concept_sensitivity(
    ...     model, sample, {"broad": sample.truth.table["broad_hbeta_width"]}, "type 1", random_state=0
    ... )
    >>> bool(found.values[0, 0] > 0), bool(found.p_values[0] < 0.05)
    (True, True)
    """
    X = flux_of(as_learnt(model, sample))
    names, wanted = _quantities(sample, quantities, len(X))
    where = X if spectra is None else flux_of(as_learnt(model, spectra))
    view = _spectra_of(model) if layer is None else view_layer(model, layer)
    H = view.activations(X)
    center, scatter = H.mean(axis=0), H.std(axis=0)
    scatter = np.where(scatter > 1e-12 * max(float(scatter.max(initial=0.0)), 1e-300), scatter, np.inf)
    Z = (H - center) / scatter
    random = check_random_state(random_state)
    folds = KFold(cv, shuffle=True, random_state=random.randint(2**31))
    slopes = view.gradient(where, target, output) * np.where(np.isinf(scatter), 0.0, scatter)
    scores, p_values = np.empty(len(names)), np.full(len(names), np.nan)
    directions, values = np.zeros((len(names), Z.shape[1])), np.full((len(where), len(names)), np.nan)
    chance = np.full((n_shuffles, len(names)), np.nan)
    for q, quantity in enumerate(wanted.T):
        y = (quantity - quantity.mean()) / quantity.std()
        penalty = RidgeCV(_PENALTIES).fit(Z, y).alpha_
        scores[q] = 1.0 - np.mean((y - cross_val_predict(Ridge(penalty), Z, y, cv=folds)) ** 2)
        if scores[q] < min_score:
            continue
        weight = Ridge(penalty).fit(Z, y).coef_
        shuffled = np.stack([random.permutation(y) for _ in range(n_shuffles)], axis=1)
        others = np.atleast_2d(Ridge(penalty).fit(Z, shuffled).coef_)
        length = np.linalg.norm(weight)
        directions[q] = weight / length
        # the shortest step that raises the predicted quantity by one standard deviation
        values[:, q] = slopes @ directions[q] / length
        mean = slopes.mean(axis=0)
        chance[:, q] = np.abs(others @ mean) / np.linalg.norm(others, axis=1) / length
        p_values[q] = (1 + (chance[:, q] >= abs(directions[q] @ mean) / length).sum()) / (1 + n_shuffles)
    known = scores >= min_score
    if not known.any():
        best = int(np.argmax(scores))
        raise AgnsalError(
            f"none of {', '.join(names)} is known there (the best, {names[best]}, explains {scores[best]:.0%} of its "
            f"variance on spectra left out; {min_score:.0%} are asked for), so a direction would mean nothing."
        )
    return ConceptSensitivity(names, scores, known, values, chance, p_values, directions, target, output, layer)


def _spectra_of(model: Any) -> LayerView:
    """The spectra themselves, as if they were a layer."""

    def gradient(X: NDArray[np.float64], target: Any, output: str) -> NDArray[np.float64]:
        return ask(model, X, target, output).gradient_here

    return LayerView(lambda X: X, gradient)


def _quantities(
    sample: Any, quantities: Mapping[str, ArrayLike] | QTable | None, n: int
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names and numbers of what is asked about, shape (n, n_quantities)."""
    if quantities is None:
        truth = getattr(sample, "truth", None)
        if truth is None:
            raise AgnsalError("the quantities are not known; give them, {name: one number for each spectrum}.")
        quantities = truth.table
    given = quantities if isinstance(quantities, Mapping) else {name: quantities[name] for name in quantities.colnames}
    columns: dict[str, NDArray[np.float64]] = {}
    for name, column in given.items():
        numbers = np.asarray(column.value if isinstance(column, Quantity) else column)
        if numbers.shape != (n,):
            raise AgnsalError(f"{name!r} has shape {numbers.shape}; one number for each of {n} spectra is needed.")
        if numbers.dtype.kind not in "fiub":
            continue
        if not np.isfinite(numbers.astype(float)).all():
            raise AgnsalError(f"{name!r} is not finite everywhere; leave spectra out of which it is not known.")
        if np.ptp(numbers.astype(float)) > 0:
            columns[str(name)] = numbers.astype(np.float64)
    if not columns:
        raise AgnsalError("no quantity has numbers that differ from spectrum to spectrum.")
    return tuple(columns), np.stack(list(columns.values()), axis=1)
