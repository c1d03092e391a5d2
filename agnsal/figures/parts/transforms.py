"""How much each band, scale, component or line matters: attribution on the axis of a transform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.figures.quantities import attribution_label, error_label
from agnsal.figures.records import expect
from agnsal.figures.style import ink, new_axes
from agnsal.figures.text import label_below, legend_above, plain
from agnsal.spectra.lines import LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from agnsal.figures.records import AttributionRecord

#: Colour and hatching of a bar: of what has one component, and of lines with two.
_STYLES = {"": ("0.45", ""), "narrow": ("#0072B2", ""), "broad": ("#E69F00", "////"), "unexplained": ("0.8", "....")}


def plot_transform_importance(
    attribution: AttributionRecord, *, ax: Axes | None = None, i: int | None = None, most: int = 24
) -> Axes:
    """Draw a bar for each band, scale, component or line; narrow and broad components of a line side by side.

    Parameters
    ----------
    attribution : Attribution
        From `agnsal.transformed`.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    i : int, optional
        Which spectrum, with its standard errors where they are known; by default the mean over all, with bars for
        the 16th to the 84th percentile.
    most : int
        Largest number of rows; the smallest of more are summed into one row. What the transform does not explain has
        the last row, unless it explains all.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If the attribution is not on the axis of a transform, there is no such spectrum, or a mean would mix targets.

    Examples
    --------
    >>> import agnsal, numpy as np
    >>> from agnsal.figures import plot_transform_importance
    >>> X = np.random.default_rng(0).normal(size=(60, 32))
    >>> model = agnsal.ProbabilisticSVC(kernel="linear").fit(X, np.where(X[:, 0] > 0, "a", "b"))
    >>> ax = plot_transform_importance(agnsal.transformed(model, X, agnsal.Wavelet("haar"), target="a", by="group"))
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['2 bins', '4 bins', '8 bins', '16 bins', '32 bins', 'trend']
    """
    expect(attribution, "attribution", "an Attribution, as agnsal.transformed gives", "features", "standard_error")
    if attribution.features is None:
        raise AgnsalError("this attribution is not on the axis of a transform; make it with agnsal.transformed.")
    n = len(attribution)
    if i is not None and not -n <= i < n:
        raise AgnsalError(f"there are {n} spectra, numbered 0 to {n - 1}; asked for {i}.")
    targets = list(dict.fromkeys(attribution.target.astype(str).tolist()))
    if i is None and len(targets) > 1:
        raise AgnsalError(
            f"a mean over the targets {targets} means little; choose a spectrum with i=, or one target: "
            "attribution[attribution.target == target]."
        )
    chosen = attribution if i is None else attribution[i]
    rows = _rows(chosen, most)
    ax = new_axes(ax, (4.2, 0.9 + 0.26 * len(rows)))
    seen: set[str] = set()
    for place, parts in enumerate(rows.values()):
        height = 0.8 / len(parts)
        for number, (kind, (values, errors)) in enumerate(parts.items()):
            color, hatch = _STYLES[kind]
            y = place + height * (number - 0.5 * (len(parts) - 1))
            if len(values) > 1:  # where they are: a mean may lie outside of its percentiles
                ax.plot(np.percentile(values, [16, 84]), [y, y], color=ink(ax), linewidth=0.7, zorder=3)
            ax.barh(
                y,
                values.mean(),
                height=0.92 * height,
                color=color,
                hatch=hatch,
                edgecolor=ax.get_facecolor(),
                linewidth=0,
                xerr=None if len(values) > 1 else errors,
                error_kw={"linewidth": 0.7, "ecolor": ink(ax)},
                label=kind if kind in ("narrow", "broad") and kind not in seen else None,
            )
            seen.add(kind)
    ax.axvline(0, color=ink(ax), linewidth=0.6)
    ax.set_yticks(np.arange(len(rows)), list(rows), fontsize="small")
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    low, high = ax.get_xlim()
    if low < 0:
        ax.set_xlim(-max(-low, high), max(-low, high))
    if {"narrow", "broad"} <= seen:
        legend_above(ax, 2)
    if len(chosen) > 1:
        notes = [f"mean of {n} spectra", "whiskers: 16th to 84th percentile"]
    else:
        notes = [] if chosen.standard_error is None else [f"whiskers: {error_label(chosen)}"]
    label_below(ax, attribution_label(attribution, str(chosen.target[0])), *notes)
    ax.set_ylabel(plain(str(attribution.provenance.get("axis", "Feature")), 60))
    return ax


_Parts = dict[str, tuple[NDArray[np.float64], NDArray[np.float64] | None]]


def _rows(attribution: AttributionRecord, most: int) -> dict[str, _Parts]:
    """By row and component: values of all spectra, and the error of a single one."""
    single = attribution.standard_error is not None and len(attribution) == 1
    rows: dict[str, _Parts] = {}
    assert attribution.features is not None  # checked by the caller
    for number, feature in enumerate(attribution.features.astype(str).tolist()):
        line, _, kind = feature.rpartition(" ")
        name, kind = (line, kind) if line in LINES and kind in _STYLES else (feature, "")
        label = LINES[name].label if name in LINES else plain(name)
        error = attribution.standard_error[:, number] if single else None  # type: ignore[index]
        rows.setdefault(label, {})[kind] = attribution.values[:, number], error
    if len(rows) > most:
        size = {label: max(np.abs(values).mean() for values, _ in parts.values()) for label, parts in rows.items()}
        dropped = sorted(size, key=lambda label: size[label])[: len(rows) - most + 1]
        rest = np.sum([values for label in dropped for values, _ in rows[label].values()], axis=0)
        rows = {label: parts for label, parts in rows.items() if label not in dropped}
        rows[f"{len(dropped)} others, summed"] = {"": (rest, None)}
    unexplained = attribution.unexplained
    if unexplained is not None and np.abs(unexplained).max() > 1e-9 * np.abs(attribution.values).max():
        rows["unexplained"] = {"unexplained": (unexplained, None)}
    return rows
