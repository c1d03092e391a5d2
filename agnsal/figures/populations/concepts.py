"""How an output changes with quantities that have a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agnsal.figures.records import expect
from agnsal.figures.style import AGAINST, FOR, ink, new_axes
from agnsal.figures.text import label_below, legend_above, plain
from agnsal.spectra.lines import with_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import ConceptsRecord

#: A direction matters if as few of those of shuffled quantities do as much.
SIGNIFICANCE = 0.05


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
        Bars are means over the spectra, whiskers hold 68 % of them. Bars that leave the grey box, which is as far as
        shuffled quantities go at p = 0.05, are filled, others open. Under each name stand the share of its variance
        that is known and p. Quantities that are not known have a hatched band and no bar.

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
    expect(concepts, "concepts", wanted, "names", "values", "shuffled", "known", "scores", "p_values")
    mean = np.where(concepts.known, concepts.values.mean(axis=0), np.nan)
    order = np.argsort(-np.nan_to_num(np.abs(mean), nan=-1.0), kind="stable")
    ax = new_axes(ax, (4.4, 1.7 + 0.42 * len(order)))
    names = []
    for place, k in enumerate(order):
        score = f"known to {max(0.0, concepts.scores[k]):.0%}"
        if not concepts.known[k]:
            ax.axhspan(place - 0.3, place + 0.3, facecolor="none", edgecolor="0.7", hatch="////", linewidth=0)
            names.append(f"{with_labels(plain(concepts.names[k]))}\n{score}: no direction")
            continue
        end = _needed(concepts.shuffled[:, k])
        ax.barh(place, 2 * end, left=-end, height=0.85, color="0.5", alpha=0.3, linewidth=0)
        color, matters = FOR if mean[k] >= 0 else AGAINST, concepts.p_values[k] < SIGNIFICANCE
        ax.barh(place, mean[k], height=0.4, facecolor=color if matters else "none", edgecolor=color, linewidth=1.0)
        ax.plot(np.percentile(concepts.values[:, k], [16, 84]), [place, place], color=ink(ax), linewidth=0.8)
        names.append(f"{with_labels(plain(concepts.names[k]))}\n{score}, p = {concepts.p_values[k]:.2g}")
    for color, label in ((ink(ax), f"p < {SIGNIFICANCE:g} against shuffled"), ("none", "no more than shuffled")):
        ax.barh(0, 0, facecolor=color, edgecolor=ink(ax), label=label)
    ax.axvline(0, color=ink(ax), linewidth=0.6)
    ax.set_yticks(range(len(order)), names, fontsize="small")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(order) - 0.5, -0.5)
    output = {"probability": "P", "log_odds": "log-odds"}.get(concepts.output, concepts.output)
    of = f"({plain(concepts.target)})" if isinstance(concepts.target, str) and concepts.target != "predicted" else ""
    label_below(
        ax,
        f"Change of {output}{of}\nper standard deviation of each",
        f"whiskers: 68 % of {len(concepts.values)} spectra",
        f"grey: what shuffled quantities reach at p = {SIGNIFICANCE:g}",
    )
    ax.spines[["top", "right"]].set_visible(False)
    legend_above(ax, 2)
    return ax


def _needed(shuffled: NDArray[np.float64]) -> float:
    """What a mean must exceed to be significant; NaN if the shuffles are too few to say."""
    allowed = int(np.ceil(SIGNIFICANCE * (1 + len(shuffled)))) - 2  # as large, with p = (1 + how many) / (1 + n)
    return float(np.sort(shuffled)[::-1][allowed]) if allowed >= 0 else np.nan
