"""How much each named line matters: core, wings, continuum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable
from matplotlib.ticker import MaxNLocator

from agnsal.errors import AgnsalError
from agnsal.figures.populations.population import plot_population_importance
from agnsal.figures.quantities import powers_apart, unit_text
from agnsal.figures.style import ink, new_axes
from agnsal.figures.text import label_below, legend_above, plain
from agnsal.spectra.lines import LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import AttributionRecord

_PARTS = {"core": "#0072B2", "wings": "#E69F00", "continuum": "#999999"}
#: Whiskers shorter than this share of the longest bar cannot be seen.
_INVISIBLE = 0.005
#: Letters of a label that go on one line of a narrow panel.
_LABEL = 32
_HATCHES = {"core": "", "wings": "////", "continuum": "...."}


def plot_line_importance(
    line_table: QTable | AttributionRecord,
    *,
    ax: Axes | None = None,
    i: int | None = None,
    limit: float | None = None,
) -> Axes:
    r"""Draw bars of the summed attribution of each line, in its core, its wings and the continuum beside it.

    Parameters
    ----------
    line_table : QTable or Attribution
        What `Attribution.by_line` gives, or the attribution itself. A table of `agnsal.line_importance` is drawn by
        `plot_population_importance`.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    i : int, optional
        Which spectrum; by default the median over all, with whiskers from the 16th to the 84th percentile.
    limit : float, optional
        The axis ends at minus and plus this value; by default where the bars and whiskers do.
        `agnsal.figures.share_limits` gives several panels one scale.

    Returns
    -------
    Axes
        Hatched where a part of a line was observed in none of the spectra; what is in no line stands last.
        Log-odds (``output="log_odds"``) serve better than probabilities, whose gradients vanish where the classifier
        is sure, so that a few undecided spectra are all one sees.

    Raises
    ------
    AgnsalError
        If there is no such spectrum, the table is not one of lines, a median would mix targets, or the limit is not
        positive.

    Examples
    --------
    >>> import agnsal, numpy as np
    >>> from agnsal.figures import plot_line_importance
    >>> labels = np.repeat(["type 1", "type 2"], 30)
    >>> flux = np.random.default_rng(0).normal(size=(60, 1000)) + (labels == "type 1")[:, None]
    >>> sample = agnsal.SpectralSample(flux, agnsal.PERUZZI2021_GRID)
    >>> model = agnsal.ProbabilisticSVC(kernel="linear").fit(flux, labels)
    >>> ax = plot_line_importance(agnsal.saliency(model, sample, target="type 1"))
    >>> ax.get_xlabel()
    'Summed saliency, P(type 1)\nmedian of 60 spectra\nwhiskers: 16th to 84th percentile'
    """
    table: QTable = line_table.by_line() if hasattr(line_table, "by_line") else line_table
    if "permutation" in getattr(table, "colnames", ()):
        if i is not None:
            raise AgnsalError("a table of line_importance() is about a whole sample; leave out i=.")
        return plot_population_importance(table, ax=ax)
    lacking = {"line", "target", "object_id", *_PARTS} - set(getattr(table, "colnames", ()))
    if lacking:
        raise AgnsalError(f"a table as Attribution.by_line() gives is expected; columns {sorted(lacking)} are missing.")
    names = list(dict.fromkeys(np.asarray(table["line"]).astype(str)))
    n = len(table) // len(names) if names else 0
    if n == 0 or n * len(names) != len(table):
        raise AgnsalError(f"{len(table)} rows are not whole spectra of {len(names)} lines; give the whole table.")
    if i is not None and not -n <= i < n:
        raise AgnsalError(f"there are {n} spectra, numbered 0 to {n - 1}; asked for {i}.")
    targets = np.asarray(table["target"]).astype(str).reshape(n, len(names))[:, 0]
    if i is None and len(set(targets)) > 1:
        raise AgnsalError(
            f"a median over the targets {sorted(set(targets))} means little; choose a spectrum with i=, "
            "or one target: attribution[attribution.target == target]."
        )
    which = slice(None) if i is None else [i % n]
    if limit is not None and not (np.isfinite(limit) and limit > 0):
        raise AgnsalError(f"limit must be positive, got {limit!r}.")
    ax = new_axes(ax, (3.6, 0.9 + 0.36 * len(names)))
    place = np.arange(len(names))
    reach = spread = 0.0
    for number, (part, color) in enumerate(_PARTS.items()):
        values = np.asarray(u.Quantity(table[part]).value).reshape(n, len(names))[which]
        seen = np.isfinite(values).any(axis=0)
        known = np.where(seen, values, 0.0)
        low, middle, high = np.nanpercentile(known, [16, 50, 84], axis=0)
        y = place + 0.27 * (number - 1)
        ax.barh(
            y,
            middle,
            height=0.25,
            color=color,
            hatch=_HATCHES[part],
            edgecolor=ax.get_facecolor(),
            linewidth=0,
            xerr=np.stack([middle - low, high - middle]) if len(values) > 1 else None,
            error_kw={"linewidth": 0.7, "ecolor": ink(ax)},
            label=part,
        )
        for unseen in y[~seen]:
            ax.axhspan(unseen - 0.12, unseen + 0.12, facecolor="none", edgecolor="0.6", hatch="xxxx", linewidth=0)
        reach, spread = max(reach, np.abs([low, high]).max()), max(spread, (high - low).max())
    ax.axvline(0, color=ink(ax), linewidth=0.6)
    ax.set_yticks(place, [LINES[name].label if name in LINES else plain(name) for name in names])
    ax.set_ylim(len(names) - 0.45, -0.55)  # the bluest line on top
    end = limit or 1.05 * reach or 1.0
    ax.set_xlim(-end, end)
    ax.xaxis.set_major_locator(MaxNLocator(5, symmetric=True))
    ax.tick_params(axis="y", length=0)
    legend_above(ax)
    unit = u.Quantity(table["core"]).unit
    method = plain(str(table.meta.get("method", "attribution")).replace("_", " "))
    output = {"probability": "P", "log_odds": "log-odds"}.get(table.meta.get("output", ""), "output")
    target = plain(targets[0 if i is None else i % n])
    shown = "" if unit == u.dimensionless_unscaled else f" [{unit_text(unit)}]"
    over = _over(n, spread <= _INVISIBLE * reach) if i is None and n > 1 else ()
    what = f"{output}({target}){shown}{powers_apart(ax.xaxis, end)}"
    apart = " " if len(method) + len(what) < _LABEL else "\n"
    label_below(ax, f"Summed {method},{apart}{what}", *over)
    return ax


def _over(n: int, alike: bool) -> tuple[str, str]:
    """What a bar and its whiskers are; of a linear machine all spectra have the same gradient of the log-odds."""
    return f"median of {n} spectra", "nearly the same in all" if alike else "whiskers: 16th to 84th percentile"
