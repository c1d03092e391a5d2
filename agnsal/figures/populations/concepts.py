"""How an output changes with quantities that have a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agnsal.figures.records import expect
from agnsal.figures.style import AGAINST, FOR, ink, new_axes
from agnsal.figures.text import legend_above, plain
from agnsal.spectra.lines import with_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import ConceptsRecord

#: A direction matters if as few of those of shuffled quantities do as much.
SIGNIFICANCE = 0.05
#: How much is left of the colour where it does not.
_PALE = 0.3


def plot_concepts(concepts: ConceptsRecord, *, ax: Axes | None = None) -> Axes:
    r"""Draw how much an output changes with each quantity, and whether more than with shuffled ones.

    Parameters
    ----------
    concepts : ConceptSensitivity
        From `agnsal.concept_sensitivity`.
    ax : Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    Axes
        Bars are means over the spectra, lines hold 68 % of them; under each name stand the share of its variance that
        is known and p. Quantities that are not known have a hatched band and no bar.

    Examples
    --------
    >>> import agnsal
    >>> from agnsal.figures import plot_concepts
    >>> sample = agnsal.simulate_agn(60, 60, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    >>> quantities = {"width of [O III]": sample.truth.table["oxygen_width"]}
    >>> concepts = agnsal.concept_sensitivity(model, sample, quantities, "type 1", random_state=0)
    >>> [text.get_text().split("\n")[0] for text in plot_concepts(concepts).get_yticklabels()]
    ['width of [O III]']
    """
    wanted = "a ConceptSensitivity, as agnsal.concept_sensitivity gives"
    expect(concepts, "concepts", wanted, "names", "values", "known", "scores", "p_values")
    mean = np.where(concepts.known, concepts.values.mean(axis=0), np.nan)
    order = np.argsort(-np.nan_to_num(np.abs(mean), nan=-1.0), kind="stable")
    ax = new_axes(ax, (4.4, 1.0 + 0.42 * len(order)))
    names = []
    for place, k in enumerate(order):
        score = f"known to {max(0.0, concepts.scores[k]):.0%}"
        if not concepts.known[k]:
            ax.axhspan(place - 0.3, place + 0.3, facecolor="none", edgecolor="0.7", hatch="////", linewidth=0)
            names.append(f"{with_labels(plain(concepts.names[k]))}\n{score}: no direction")
            continue
        matters = concepts.p_values[k] < SIGNIFICANCE
        ax.barh(place, mean[k], height=0.6, color=FOR if mean[k] >= 0 else AGAINST, alpha=1.0 if matters else _PALE)
        ax.plot(np.percentile(concepts.values[:, k], [16, 84]), [place, place], color=ink(ax), linewidth=1.0)
        names.append(f"{with_labels(plain(concepts.names[k]))}\n{score}, p = {concepts.p_values[k]:.2g}")
    for alpha, label in ((1.0, f"p < {SIGNIFICANCE:g} against shuffled"), (_PALE, "no more than shuffled")):
        ax.barh(0, 0, color=ink(ax), alpha=alpha, label=label)
    ax.axvline(0, color=ink(ax), linewidth=0.6)
    ax.set_yticks(range(len(order)), names, fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(order) - 0.5, -0.5)
    output = {"probability": "P", "log_odds": "log-odds"}.get(concepts.output, concepts.output)
    of = f"({plain(concepts.target)})" if isinstance(concepts.target, str) and concepts.target != "predicted" else ""
    ax.set_xlabel(f"Change of {output}{of}\nper scatter of each")
    ax.spines[["top", "right"]].set_visible(False)
    legend_above(ax, 2)
    return ax
