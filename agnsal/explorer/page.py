"""The page for one spectrum: A4 as PDF and PNG, and one self-contained HTML file."""

from __future__ import annotations

import base64
import html
import os
import textwrap
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from agnsal.display import Table, printable
from agnsal.explorer.explanation import SpectrumExplanation
from agnsal.explorer.sentences import CARE
from agnsal.figures.parts.shares import plot_region_shares
from agnsal.figures.quantities import flux_label
from agnsal.figures.sample.embedding import plot_embedding
from agnsal.figures.spectrum.saliency import COLORMAP
from agnsal.figures.style import AGAINST, FOR, PALETTE, hatch_bins
from agnsal.figures.text import plain
from agnsal.spectra.editing.reference import class_mean
from agnsal.spectra.lines import with_labels
from agnsal.store.replacing import made_folder, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_A4 = (8.27, 11.69)
#: Left, bottom, width and height of each part of the page.
_PLACES = {
    "words": (0.07, 0.755, 0.87, 0.215),
    "spectrum": (0.09, 0.49, 0.85, 0.175),
    "gradient": (0.09, 0.335, 0.85, 0.09),
    "shares": (0.25, 0.095, 0.27, 0.185),
    "place": (0.62, 0.095, 0.32, 0.165),
}
_STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b;
  background: #fff; }
.care { border-left: .4rem solid #d55e00; padding: .4rem .8rem; background: #fff3ea; font-weight: 600; }
.wide { overflow-x: auto; }
img { max-width: 100%; height: auto; background: #fff; } table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
td, th { padding: .15rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e6e6e6; }
  .care { background: #3a2415; } td, th { border-color: #444; } }
"""


def write_spectrum_page(
    explanation: SpectrumExplanation, folder: str | os.PathLike, *, name: str | None = None
) -> dict[str, Path]:
    """Write the explanation of one spectrum as a page to read, with its tables.

    Parameters
    ----------
    explanation : SpectrumExplanation
        From `explain_spectrum`.
    folder : path
        Made if it is not there.
    name : str, optional
        Of the files; by default made from the id of the spectrum.

    Returns
    -------
    dict of str to Path
        ``"pdf"`` and ``"png"`` (A4), ``"html"`` (one file, nothing is loaded), ``"lines"``, ``"changes"``,
        ``"probabilities"`` (ECSV) and ``"shares"`` (the `Attribution`, npz).

    See Also
    --------
    explain_spectrum : makes the explanation.
    """
    from matplotlib import pyplot as plt
    from matplotlib.transforms import Bbox

    folder = made_folder(folder)
    stem = safe_name(str(explanation.sample.ids[0]) if name is None else name)
    paths = {ending: folder / f"{stem}.{ending}" for ending in ("pdf", "png", "html")}
    figure = draw_page(explanation)
    picture = BytesIO()
    try:
        # the words are text on the page
        below = Bbox([[0.0, 0.4], [_A4[0], _PLACES["words"][1] * _A4[1] - 0.05]])
        figure.savefig(picture, format="png", dpi=150, bbox_inches=below)
        for ending in ("pdf", "png"):
            with replacing(paths[ending]) as partial:
                figure.savefig(partial, format=ending, dpi=150)
    finally:
        plt.close(figure)
    with replacing(paths["html"]) as partial:
        Path(partial).write_text(_html(explanation, picture), encoding="utf-8")
    for table in ("lines", "changes", "probabilities"):
        paths[table] = folder / f"{stem}_{table}.ecsv"
        with replacing(paths[table]) as partial:
            getattr(explanation, table).write(partial, format="ascii.ecsv", overwrite=True)
    paths["shares"] = folder / f"{stem}_shares.npz"
    explanation.shares.write(paths["shares"])
    return paths


def draw_page(explanation: SpectrumExplanation) -> Figure:
    """Draw the page on an A4 figure.

    Parameters
    ----------
    explanation : SpectrumExplanation
        From `explain_spectrum`.

    Returns
    -------
    Figure
        Close it when it is written.
    """
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=_A4)
    axes = {name: figure.add_axes(place) for name, place in _PLACES.items()}
    with plt.rc_context({"font.size": 8.0}):
        _words(axes["words"], explanation)
        _spectrum(axes["spectrum"], explanation)
        _gradient(axes["gradient"], explanation)
        _shares(axes["shares"], explanation)
        _place(axes["place"], explanation)
    for ax in axes.values():
        ax.tick_params(labelsize=8)
        ax.xaxis.label.set_fontsize(8)
        ax.yaxis.label.set_fontsize(8)
    return figure


def _words(ax: Axes, explanation: SpectrumExplanation) -> None:
    ax.axis("off")
    ax.set_xlim(0, 1)
    name = plain(printable(str(explanation.sample.ids[0])), longest=240)
    ax.text(0, 1.0, textwrap.shorten(name, 70), fontsize=13, fontweight="bold", va="top")
    lines: list[tuple[str, str]] = []
    for sentence in explanation.sentences:
        care = sentence.startswith(CARE)
        folded = textwrap.wrap(sentence, 116)
        lines += [(line, "#b04a00" if care else "black") for line in folded]
    step = min(0.063, 0.86 / max(len(lines), 1))
    for number, (line, color) in enumerate(lines):
        ax.text(0, 0.88 - step * number, plain(line, longest=240), fontsize=8, va="top", color=color, clip_on=False)


def _spectrum(ax: Axes, explanation: SpectrumExplanation) -> None:
    """The spectrum over the mean of the rival, with what each bin adds as shading and what is missing hatched."""
    from agnsal.figures.labels import mark_lines

    mine = explanation.sample
    wavelength, edges = mine.wavelength.value, mine.grid.edges.value
    mean = class_mean(explanation.classifier.training, explanation.rival)
    good = np.where(mine.mask[0], np.nan, mine.flux[0])
    ax.plot(wavelength, mean, color="0.6", linewidth=0.8, label=f"mean {plain(explanation.rival)}")
    ax.plot(wavelength, good, color="black", linewidth=0.7, drawstyle="steps-mid", label="this spectrum")
    share = np.nan_to_num(explanation.shares.values[0]) / np.diff(edges)
    top = np.percentile(np.abs(share), 99.5) or 1.0
    strip = ax.inset_axes((0.0, -0.0, 1.0, 0.12))
    strip.axis("off")
    strip.pcolormesh(edges, [0, 1], share[None], cmap=COLORMAP, vmin=-top, vmax=top, rasterized=True)
    strip.set_xlim(edges[0], edges[-1])
    hatch_bins(ax, edges, mine.mask[0])
    low, high = np.nanmin([good, mean]), np.nanmax([good, mean])
    ax.set_ylim(low - 0.22 * (high - low), high + 0.05 * (high - low))
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel("Rest wavelength [Å]")
    ax.set_ylabel(flux_label(mine.unit))
    pad = mark_lines(ax, mine.grid, None)
    ax.set_title(
        f"Strip: what each bin adds to {plain(explanation.predicted)} over {plain(explanation.rival)} "
        "(blue for, red against); hatched: not observed",
        loc="left",
        fontsize=8,
        pad=pad,
    )
    ax.legend(frameon=False, fontsize="small", loc="upper left")


def _gradient(ax: Axes, explanation: SpectrumExplanation) -> None:
    """The gradient as a line about zero, without the bins that were not observed."""
    mine, map_ = explanation.sample, explanation.gradient
    values = np.where(mine.mask[0], np.nan, map_.values[0])
    ax.fill_between(mine.wavelength.value, np.fmax(values, 0.0), 0.0, color=FOR, step="mid", linewidth=0)
    ax.fill_between(mine.wavelength.value, np.fmin(values, 0.0), 0.0, color=AGAINST, step="mid", linewidth=0)
    ax.axhline(0, color="0.3", linewidth=0.5)
    ax.set_xlim(*mine.grid.edges.value[[0, -1]])
    ax.set_xlabel("Rest wavelength [Å]")
    ax.set_ylabel("Per unit of flux")
    linear = explanation.classifier.machine.kernel_.name == "linear"
    ax.set_title(
        f"A property of the classifier: gradient of its log-odds of {plain(explanation.predicted)}"
        + (", nearly the same for every spectrum" if linear else ""),
        loc="left",
        fontsize=8,
    )


def _shares(ax: Axes, explanation: SpectrumExplanation) -> None:
    plot_region_shares(
        explanation.lines,
        ax=ax,
        label=f"Adds to the log-odds of {plain(explanation.predicted)} over a mean {plain(explanation.rival)}",
    )
    ax.set_title("A property of this spectrum", loc="left", fontsize=8)


def _place(ax: Axes, explanation: SpectrumExplanation) -> None:
    """Where the spectrum lies among the training sample."""
    embedding = explanation.classifier.embedding
    if embedding is None:
        ax.axis("off")
        return
    plot_embedding(embedding, labels=explanation.classifier.training.labels, ax=ax)
    x, y = embedding.transform(explanation.sample.flux)[0]  # that it is like the training sample was asked
    ax.plot(x, y, "*", color=PALETTE[4], markersize=15, markeredgecolor="black", zorder=5)
    ax.set_xlabel("t-SNE 1        ★ this spectrum")


def _html(explanation: SpectrumExplanation, picture: BytesIO) -> str:
    name = html.escape(printable(str(explanation.sample.ids[0])))
    words = "".join(
        f'<p class="{"care" if sentence.startswith(CARE) else ""}">{html.escape(printable(sentence))}</p>'
        for sentence in explanation.sentences
    )
    tables = "".join(
        _table(title, table)
        for title, table in (
            ("Class probabilities", explanation.probabilities),
            ("What each part of the spectrum adds", explanation.lines),
            ("What would change the class", explanation.changes),
            ("What makes it unlike the training sample, by share of the squared distance", explanation.unlike),
            ("The least change that would make it the next class", _least_change(explanation)),
            ("Which training spectra decided", explanation.decided),
            ("Probabilities with the unobserved bins filled in several ways", explanation.filled),
        )
        if table is not None and len(table)
    )
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><h1>{name}</h1>{words}'
        f'<img alt="The spectrum, what its lines add, and its place on the map" src="data:image/png;base64,{data}">'
        f"{tables}</body></html>"
    )


def _least_change(explanation: SpectrumExplanation) -> QTable | None:
    """What is changed, largest first; None where nothing would do."""
    least = explanation.least_change
    if least is None or not least.flipped[0]:
        return None
    table = least.of(0)["quantity", "before", "after", "unit", "size"]
    return table[np.abs(table["size"]) > 1e-6]


def _table(title: str, table: QTable) -> str:
    names = [
        name.replace("_", " ") + ("" if table[name].unit is None else f" [{table[name].unit:unicode}]")
        for name in table.colnames
    ]
    rows = zip(*(_cells(table[name]) for name in table.colnames), strict=True)
    return f'<div class="wide">{Table(title, list(rows), names)._repr_html_()}</div>'


def _cells(column: Any) -> list[str]:
    """The cells of a column as its format has them; a dash for what is not known."""
    shown = column.info.format or ""
    values = np.asarray(getattr(column, "value", column)).tolist()
    values = [with_labels(value) if isinstance(value, str) else value for value in values]
    return ["\u2013" if value != value else format(value, shown) for value in values]  # noqa: PLR0124 (NaN)


def safe_name(text: str) -> str:
    """A file name from a name that came from a file: letters, digits and ``-_+.``, at most 80 of them.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str

    Examples
    --------
    >>> safe_name("../NGC 3783"), safe_name("$$$")
    ('NGC_3783', 'spectrum')
    """
    name = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_+.") else "_" for letter in text)
    return name.strip("._")[:80].strip("._") or "spectrum"
