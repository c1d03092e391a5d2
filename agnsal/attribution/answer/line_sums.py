"""Attribution summed line by line, in a table that adds up to the whole."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Mapping
from typing import Literal

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.attribution.answer.spread import errors_of
from agnsal.display import WIDTH, markdown_text, printable
from agnsal.errors import AgnsalError, one_of
from agnsal.figures.records import AttributionRecord
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import DEFAULT_LINES, LINES, SpectralLine, find_line, line_masks

PARTS = ("core", "wings", "continuum")

#: Name of the row of all bins that are in no other.
ELSEWHERE = "elsewhere"

#: What has rows of its own unless told otherwise, in order of wavelength: Fe II 4570 is as strong as many a line.
DEFAULT_ROWS = tuple(sorted((*DEFAULT_LINES, "Fe II 4570"), key=lambda name: LINES[name].wavelength))

_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon"}
_LATEX = {
    **{letter: f"\\{letter}" for letter in "_&%#${}"},
    **{letter: rf"$\{word}$" for letter, word in _GREEK.items()},
    "Å": r"\AA{}",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


class LineTable(QTable):
    """A table with its answer first: printed, it fills the width from the left and says which columns are left out.

    Examples
    --------
    >>> table = LineTable({"line": ["Hbeta", "[O III] 5007"], "core": [0.123456, 12.3456]})
    >>> table["core"].info.format = ".3g"
    >>> print(table.text())
    | line | core |
    |:---|---:|
    | Hβ | 0.123 |
    | [O III] 5007 | 12.3 |
    """

    def __str__(self) -> str:
        table, said = self._shown()
        lines = [line.rstrip() for line in table.pformat(max_width=-1, show_unit=False)] if table.colnames else []
        return "\n".join([*lines, *(part for each in said for part in textwrap.wrap(each, WIDTH))])

    def _repr_html_(self) -> str:
        """As it is printed: what does not fit on a terminal would leave the page of a notebook too."""
        table, said = self._shown()
        lines = table.pformat(max_width=-1, show_unit=False, html=True) if table.colnames else []
        return "\n".join([*lines, *(f"<p>{html.escape(each)}</p>" for each in said)])

    def _shown(self) -> tuple[QTable, list[str]]:
        """The columns that fit, and what is to be said of the others."""
        shown = list(self.colnames)
        table = QTable(self)
        for name in {"object_id", "target"} & set(shown):  # from outside
            texts = [printable(each) for each in self[name]]
            table[name] = np.array([text if len(text) <= 24 else f"{text[:21]}..." for text in texts], dtype=str)
        while True:
            lines = [line.rstrip() for line in table[shown].pformat(max_width=-1, show_unit=False)] if shown else []
            if len(shown) < 2 or max(map(len, lines), default=0) <= WIDTH:
                break
            shown.pop()
        units = {str(self[name].unit) for name in PARTS if getattr(self.columns.get(name), "unit", None)}
        units -= {""}
        said = [f"core, wings, continuum in {' or '.join(sorted(units))}"] if units else []
        if len(shown) < len(self.colnames):
            said.append(f"more columns: {', '.join(self.colnames[len(shown) :])}")
        return table[shown], said

    def round_for_readers(self) -> None:
        """Print numbers with three digits; what is stored keeps all.

        Examples
        --------
        >>> table = LineTable({"line": ["Hbeta"], "change": [0.123456789]})
        >>> table.round_for_readers()
        >>> print(table)
         line change
        ----- ------
        Hbeta  0.123
        """
        for name, column in self.columns.items():
            if column.dtype.kind == "f":
                column.info.format = ".1f" if name == "wavelength" else ".3g"

    def text(self, format: Literal["markdown", "latex"] = "markdown", columns: Iterable[str] | None = None) -> str:  # noqa: A002
        r"""Write it for a paper or a README, with the digits that it prints.

        Parameters
        ----------
        format : {"markdown", "latex"}
            LaTeX gives a ``tabular``.
        columns : iterable of str, optional
            Which columns; by default those up to ``bad_fraction``.

        Returns
        -------
        str

        Raises
        ------
        AgnsalError
            If the format is another, or there is no such column.
        """
        one_of("format", format, ("markdown", "latex"))
        until = self.colnames.index("bad_fraction") + 1 if "bad_fraction" in self.colnames else None
        names = self.colnames[:until] if columns is None else list(columns)
        for name in names:
            one_of("columns", name, tuple(self.colnames))
        texts = {name: [str(cell) for cell in self.columns[name].info.iter_str_vals()] for name in names}
        if "line" in texts:
            texts["line"] = [LINES[line].label if line in LINES else line for line in texts["line"]]
        cells = [[_escaped(cell, format) for cell in texts[name]] for name in names]
        heads = [_escaped(self._head(name), format) for name in names]
        left = [self[name].dtype.kind in "UOS" for name in names]
        rows = list(zip(*cells, strict=True))
        if format == "markdown":
            marks = [":---" if each else "---:" for each in left]
            body = [f"| {' | '.join(row)} |" for row in rows]
            return "\n".join([f"| {' | '.join(heads)} |", f"|{'|'.join(marks)}|", *body])
        ends = "".join("l" if each else "r" for each in left)
        body = [rf"{' & '.join(row)} \\" for row in [heads, *rows]]
        return "\n".join(
            [rf"\begin{{tabular}}{{{ends}}}", r"\hline", body[0], r"\hline", *body[1:], r"\hline", r"\end{tabular}"]
        )

    def _head(self, name: str) -> str:
        unit = str(getattr(self[name], "unit", None) or "")
        return f"{name.replace('_', ' ')} [{unit}]" if unit else name.replace("_", " ")


def _escaped(text: str, format: str) -> str:  # noqa: A002
    if format == "markdown":
        return markdown_text(text)
    return "".join(_LATEX.get(letter, letter) for letter in printable(text))


def line_sums(
    maps: AttributionRecord,
    grid: WavelengthGrid,
    lines: str | SpectralLine | Iterable[str | SpectralLine] | None = None,
) -> LineTable:
    """Sum maps over the core, the wings and the continuum of each line; see `agnsal.Attribution.by_line`.

    Parameters
    ----------
    maps : Attribution
        Of any spectra.
    grid : WavelengthGrid
        Of its bins.
    lines : str, SpectralLine or iterable of them, optional
        Which.

    Returns
    -------
    LineTable
    """
    masks, wanted = _shared_out(grid, lines)
    names = [*masks, ELSEWHERE]
    n, k = len(maps), len(names)
    bad = np.zeros(maps.values.shape, bool) if maps.mask is None else maps.mask
    seen = np.where(bad, 0.0, maps.values)
    spread = {
        source: np.where(bad, 0.0, draws) if bad.any() else draws for source, draws in (maps.uncertainty or {}).items()
    }
    members = {part: np.array([parts[part] for parts in masks.values()], dtype=np.float64) for part in PARTS}
    rest = 1.0 - sum(each.sum(axis=0) for each in members.values())
    members = {part: np.vstack([each, rest if part == "continuum" else 0.0 * rest]) for part, each in members.items()}
    sizes = {part: each.sum(axis=1) for part, each in members.items()}
    lost = {part: bad @ each.T for part, each in members.items()}

    table = LineTable()
    table["object_id"], table["line"] = np.repeat(maps.ids, k), np.tile(names, n)
    sums = {part: np.where(_gone(lost[part], sizes[part]), np.nan, seen @ members[part].T) for part in PARTS}
    for part in PARTS:
        table[part] = u.Quantity(sums[part].ravel(), maps.unit, copy=False)
    table["bad_fraction"] = _fraction(np.sum(list(lost.values()), axis=0), np.sum(list(sizes.values()), axis=0))
    table["target"] = np.repeat(maps.target, k)
    for part in PARTS:
        add_errors(table, part, sums[part], maps.unit, spread, members[part])
    ends = [_ends(grid, parts["core"] | parts["wings"]) for parts in masks.values()] + [(np.nan, np.nan)]
    table["start"], table["stop"] = (np.tile(side, n) * u.AA for side in zip(*ends, strict=True))
    table["blends"] = np.tile([*(_blends(line) for line in wanted), ""], n)
    table["wavelength"] = np.tile([*(line.wavelength for line in wanted), np.nan], n) * u.AA
    for part in PARTS:
        table[f"n_{part}"] = np.tile(sizes[part].astype(int), n)
        table[f"{part}_bad_fraction"] = _fraction(lost[part], sizes[part])
    for name in table.colnames:
        if name in ("start", "stop", "wavelength"):
            table[name].info.format = ".1f"
        elif table[name].dtype.kind == "f":
            table[name].info.format = ".2g" if "fraction" in name else ".3g"
    table.meta.update(method=maps.method, output=maps.output)
    return table


def add_errors(
    table: QTable,
    name: str,
    sums: NDArray[np.float64],
    unit: u.UnitBase,
    uncertainty: Mapping[str, NDArray[np.float64]] | None,
    members: NDArray[np.float64] | None,
) -> None:
    """Columns with the errors of sums of values.

    Parameters
    ----------
    table : QTable
        Gets the columns.
    name : str
        Of the column of the sums.
    sums : ndarray, shape (n, n_sums)
        NaN where there is none.
    unit : Unit
        Theirs.
    uncertainty : dict of str to ndarray or None
        As `Attribution.uncertainty`.
    members : ndarray, shape (n_sums, n_features), or None
        Weights of the values in each sum.
    """
    if not uncertainty:
        return
    errors = errors_of(uncertainty, members)
    for source, error in errors.items():
        known = np.where(np.isfinite(sums), error, np.nan)
        table[f"{name}_error_{source}".rstrip("_")] = u.Quantity(known.ravel(), unit)
    ratio = np.divide(sums, errors[""], out=np.full(sums.shape, np.nan), where=errors[""] > 0)
    table[f"{name}_significance"] = ratio.ravel()


def _shared_out(
    grid: WavelengthGrid, lines: str | SpectralLine | Iterable[str | SpectralLine] | None
) -> tuple[dict[str, dict[str, NDArray[np.bool_]]], list[SpectralLine]]:
    """Every bin in one part of one row at the most: cores before wings before continua, then the first named."""
    if lines is None:
        low, high = grid.centers.value[[0, -1]]
        found = line_masks(grid)
        lines = [
            name
            for name in DEFAULT_ROWS
            if name in found
            or (name not in DEFAULT_LINES and low <= LINES[name].ends[0] and LINES[name].ends[1] <= high)
        ]
    wanted = [find_line(name) for name in ([lines] if isinstance(lines, str | SpectralLine) else lines)]
    if not wanted:
        raise AgnsalError(f"no named line lies on {grid!r}.")
    masks = line_masks(grid, wanted)
    wanted = list({line.name: line for line in wanted}.values())
    center = grid.centers.value
    taken = np.zeros(center.size, dtype=bool)
    for part in PARTS:
        order = wanted
        if part == "continuum":  # neighbours claim the same stretch: each bin goes to the nearest line
            claims = np.array([masks[line.name][part] for line in wanted])
            far = np.array([np.abs(center - line.wavelength) for line in wanted])
            nearest = np.where(claims, far, np.inf).argmin(axis=0)
            for number, line in enumerate(wanted):
                masks[line.name][part] = claims[number] & (nearest == number)
        # a named line inside a window keeps its core
        for line in sorted(order, key=lambda each: each.kind == "window"):
            masks[line.name][part] = masks[line.name][part] & ~taken
            taken |= masks[line.name][part]
    return masks, wanted


def _ends(grid: WavelengthGrid, bins: NDArray[np.bool_]) -> tuple[float, float]:
    """Outer edges of some bins."""
    numbers = np.flatnonzero(bins)
    edges = grid.edges.value
    return (edges[numbers[0]], edges[numbers[-1] + 1]) if numbers.size else (np.nan, np.nan)


def _blends(line: SpectralLine) -> str:
    """Other named lines and windows within reach of a line."""
    low, high = line.ends
    others = (each for each in LINES.values() if each.name != line.name and not each.name.startswith("continuum"))
    inside = [
        each.name
        for each in others
        if (low <= each.wavelength <= high if each.kind != "window" else each.ends[0] <= high and each.ends[1] >= low)
    ]
    return ", ".join(inside)


def _gone(lost: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where there are bins and none of them was observed."""
    return (size > 0) & (lost == size)


def _fraction(lost: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Which fraction of the bins is bad; NaN where there are none."""
    return np.divide(lost, size, out=np.full(lost.shape, np.nan), where=size > 0).ravel()
