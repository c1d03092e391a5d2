"""Which sets of classes cannot be excluded, and for how many spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from agnsal.errors import AgnsalError
from agnsal.figures.records import expect
from agnsal.figures.style import class_color, class_places, new_axes
from agnsal.figures.text import label_below, legend_above, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import PredictionSetsRecord


def plot_prediction_sets(sets: PredictionSetsRecord, y: ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw how many spectra have each set of classes, by their true class where it is known.

    Parameters
    ----------
    sets : PredictionSets
        From `agnsal.prediction_sets`.
    y : array, shape (n,), optional
        True classes: bars are divided by them, and the legend says how often the sets hold each.
    ax : Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    Axes
        Hatched are spectra unlike the training sample, of whose sets nothing is guaranteed.

    Raises
    ------
    AgnsalError
        If there is not one true class for each set.

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_prediction_sets
    >>> sample = agnsal.simulate_agn(60, 60, 0, seed=0).normalize()
    >>> model = agnsal.ProbabilisticSVC("linear", random_state=0).fit(sample[::3])
    >>> sets = agnsal.prediction_sets(model, sample[1::3], None, sample[2::3], level=0.99)
    >>> [bar.get_text() for bar in plot_prediction_sets(sets).get_yticklabels()]
    ['type 1 or type 2']
    """
    expect(sets, "sets", "PredictionSets, as agnsal.prediction_sets gives", "sets", "classes_", "coverage")
    ax = new_axes(ax, (5.6, 3.2))
    names = [str(name) for name in sets.classes_]
    strange = np.zeros(len(sets), dtype=bool) if sets.unfamiliar is None else sets.unfamiliar
    kinds, which = np.unique(sets.sets, axis=0, return_inverse=True)
    which = which.ravel()
    # single classes first, in their order; what is ambiguous below, none last
    order = sorted(range(len(kinds)), key=lambda k: (kinds[k].sum() or len(names) + 1, *~kinds[k]))
    if y is None:
        groups = [("", which >= 0, "0.6")]
    else:
        truth = np.asarray(y).astype(str)
        if truth.shape != (len(sets),):
            raise AgnsalError(f"{truth.size} labels given for {len(sets)} sets; one for each is needed.")
        table, places = sets.coverage(truth), class_places(names)
        kept = dict(zip((str(name) for name in table["class"]), np.asarray(table["coverage"], float), strict=True))
        groups = [
            (f"{plain(name)} ({kept[name]:.2f} held)", truth == name, class_color(places[name]))
            for name in names
            if name in kept
        ]
    left = np.zeros(len(kinds))
    for label, own, color in groups:
        first = True
        for chosen, hatch in ((own & ~strange, None), (own & strange, "////")):
            width = np.bincount(which[chosen], minlength=len(kinds))[order]
            ax.barh(
                range(len(kinds)), width, left=left, height=0.7, color=color, hatch=hatch, edgecolor="white",
                linewidth=0.4, label=label if first and label else None,
            )  # fmt: skip
            left, first = left + width, False
    if strange.any():
        ax.barh(0, 0, color="0.8", hatch="////", edgecolor="white", label="unlike the training sample")
    said = [" or ".join(plain(name) for name, there in zip(names, kinds[k], strict=True) if there) for k in order]
    ax.set_yticks(range(len(kinds)), [name or "none" for name in said])
    ax.set_ylim(len(kinds) - 0.5, -0.5)
    ax.set_ylabel(f"Cannot be excluded at {sets.level:g}")
    label_below(ax, "Number of spectra")
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_legend_handles_labels()[0]:
        legend_above(ax, 2)
    return ax
