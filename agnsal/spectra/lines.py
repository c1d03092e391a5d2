"""Named lines and windows, in vacuum and in the rest frame.

Wavelengths are those of the NIST Atomic Spectra Database (vacuum, Angstrom) for the permitted and the common forbidden
lines, and of CHIANTI for the coronal ones; names carry the air wavelength astronomers use. Blended doublets stand at
the mean of their members. Index windows: 4000 A break of Balogh et al. 1999, Fe II of Boroson & Green 1992.

A line that is not in the table is made by hand, ``SpectralLine("[Ar IV] 4740", "[Ar IV] 4740", 4741.45, "forbidden",
300.0, 1200.0)``, and given where names are.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import SPEED_OF_LIGHT, WavelengthGrid

#: Half-widths in km/s: the core of a line, the wings of a permitted and of a forbidden line; width of its continuum.
CORE_VELOCITY = 300.0
BROAD_VELOCITY = 5000.0
NARROW_VELOCITY = 1200.0
CONTINUUM_VELOCITY = 2500.0


@dataclass(frozen=True)
class SpectralLine:
    """A named line, or a named window without core and wings.

    Attributes
    ----------
    name : str
        The name to ask for it, with the air wavelength where several lines share an ion: ``"[O III] 5007"``.
    label : str
        The name for figures, with Greek letters.
    wavelength : float
        Vacuum rest wavelength in Angstrom (of a window: its middle).
    kind : str
        ``"permitted"``, ``"forbidden"``, ``"absorption"`` or ``"window"``.
    core, wing : float
        Half-widths in km/s; the wings reach from `core` to `wing` on both sides. Zero for windows.
    ranges : tuple of (float, float)
        Wavelength ranges in Angstrom, for windows only.
    """

    name: str
    label: str
    wavelength: float
    kind: str
    core: float = 0.0
    wing: float = 0.0
    ranges: tuple[tuple[float, float], ...] = ()

    @property
    def ends(self) -> tuple[float, float]:
        """Outer ends of the wings, or of the window, in Angstrom."""
        if self.ranges:
            return self.ranges[0][0], self.ranges[-1][1]
        reach = self.wing / SPEED_OF_LIGHT
        return self.wavelength * (1 - reach), self.wavelength * (1 + reach)


def _line(
    name: str, wavelength: float, kind: str, label: str | None = None, core: float = CORE_VELOCITY
) -> SpectralLine:
    wing = {"permitted": BROAD_VELOCITY, "forbidden": NARROW_VELOCITY, "absorption": NARROW_VELOCITY}[kind]
    return SpectralLine(name, label or name, wavelength, kind, core, wing)


def _window(name: str, *ranges: tuple[float, float]) -> SpectralLine:
    middle = 0.5 * (ranges[0][0] + ranges[-1][1])
    return SpectralLine(name, name.replace(" A ", " Å "), middle, "window", ranges=ranges)


_TABLE = (
    _line("Lyalpha", 1215.67, "permitted", "Lyα"),
    _line("C IV 1549", 1549.48, "permitted", core=500.0),
    _line("C III] 1909", 1908.73, "permitted"),
    _line("Mg II 2799", 2799.12, "permitted", core=800.0),
    _line("[Ne V] 3346", 3346.79, "forbidden"),
    _line("[Ne V] 3426", 3426.85, "forbidden"),
    _line("[O II] 3727", 3728.48, "forbidden", core=500.0),
    _line("[Fe VII] 3759", 3759.99, "forbidden"),
    _line("H10", 3798.98, "permitted"),
    _line("H9", 3836.47, "permitted"),
    _line("[Ne III] 3869", 3869.86, "forbidden"),
    _line("H8", 3890.16, "permitted"),
    _line("Ca K", 3934.78, "absorption"),
    _line("[Ne III] 3967", 3968.59, "forbidden"),
    _line("Ca H", 3969.59, "absorption"),
    _line("Hepsilon", 3971.20, "permitted", "Hε"),
    _line("[S II] 4069", 4069.75, "forbidden"),
    _line("Hdelta", 4102.89, "permitted", "Hδ"),
    _line("Hgamma", 4341.68, "permitted", "Hγ"),
    _line("[O III] 4363", 4364.44, "forbidden"),
    _line("He I 4471", 4472.73, "forbidden"),
    _line("He II 4686", 4687.02, "permitted"),
    _line("Hbeta", 4862.68, "permitted", "Hβ"),
    _line("[O III] 4959", 4960.30, "forbidden"),
    _line("[O III] 5007", 5008.24, "forbidden"),
    _line("[Fe VII] 5159", 5160.33, "forbidden"),
    _line("Mg b", 5176.63, "absorption", core=900.0),
    _line("[N I] 5199", 5200.53, "forbidden"),
    _line("[Fe VII] 5721", 5722.30, "forbidden"),
    _line("[N II] 5755", 5756.19, "forbidden"),
    _line("He I 5876", 5877.25, "permitted"),
    _line("Na D", 5894.57, "absorption", core=500.0),
    _line("[Fe VII] 6087", 6088.66, "forbidden"),
    _line("[O I] 6300", 6302.05, "forbidden"),
    _line("[O I] 6364", 6365.54, "forbidden"),
    _line("[Fe X] 6375", 6376.27, "forbidden"),
    _line("[N II] 6548", 6549.86, "forbidden"),
    _line("Halpha", 6564.61, "permitted", "Hα"),
    _line("[N II] 6583", 6585.27, "forbidden"),
    _line("He I 6678", 6680.00, "forbidden"),
    _line("[S II] 6716", 6718.29, "forbidden"),
    _line("[S II] 6731", 6732.67, "forbidden"),
    _line("He I 7065", 7067.14, "forbidden"),
    _window("4000 A break", (3850.0, 3950.0), (4000.0, 4100.0)),
    _window("G band", (4282.6, 4317.6)),
    _window("Fe II 4570", (4435.2, 4685.3)),
    _window("Fe II 5250", (5151.4, 5351.5)),
    _window("continuum 4200", (4150.0, 4250.0)),
    _window("continuum 5100", (5075.0, 5125.0)),
)

#: Every named line and window by name, in order of wavelength within lines, then windows.
LINES: Mapping[str, SpectralLine] = MappingProxyType({line.name: line for line in _TABLE})

#: Lines a bar chart or a map names unless told otherwise.
DEFAULT_LINES = (
    "Lyalpha",
    "C IV 1549",
    "C III] 1909",
    "Mg II 2799",
    "[O II] 3727",
    "[Ne III] 3869",
    "H8",
    "Ca K",
    "Hepsilon",
    "Hdelta",
    "Hgamma",
    "[O III] 4363",
    "He II 4686",
    "Hbeta",
    "[O III] 4959",
    "[O III] 5007",
    "Mg b",
    "He I 5876",
    "Na D",
    "[O I] 6300",
    "Halpha",
    "[N II] 6583",
    "[S II] 6716",
    "[S II] 6731",
)

_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "λ": "", "å": "a"}


def line_key(name: str) -> str:
    """Reduce a name to what identifies it: case, blanks and Greek letters do not matter."""
    text = name.casefold()
    for letter, word in _GREEK.items():
        text = text.replace(letter, word)
    return "".join(text.split())


_SPELT = re.compile("|".join(rf"\b{re.escape(line.name)}\b" for line in _TABLE if line.label != line.name))
_BY_KEY = {line_key(line.name): line for line in _TABLE}


def find_line(name: str | SpectralLine) -> SpectralLine:
    """Look a line or window up by name; case, blanks and Greek letters do not matter.

    Parameters
    ----------
    name : str or SpectralLine
        For instance ``"Hbeta"``, ``"Hβ"`` or ``"[OIII]5007"``; a line of your own is taken as it is.

    Returns
    -------
    SpectralLine

    Raises
    ------
    AgnsalError
        If there is no such line; the message suggests the nearest names.

    Examples
    --------
    >>> find_line("hβ").wavelength
    4862.68
    """
    if isinstance(name, SpectralLine):
        return name
    key = line_key(str(name))
    if key in _BY_KEY:
        return _BY_KEY[key]
    inside = [line.name for known, line in _BY_KEY.items() if key and key in known]
    near = inside or [_BY_KEY[match].name for match in difflib.get_close_matches(key, _BY_KEY, n=3, cutoff=0.4)]
    hint = f"did you mean {' or '.join(map(repr, near[:4]))}?" if near else "see agnsal.line_table()."
    raise AgnsalError(f"there is no line named {name!r}: {hint}")


def with_labels(text: str) -> str:
    """Write lines in a text for readers as figures do: by their labels.

    Parameters
    ----------
    text : str
        With names of lines in it.

    Returns
    -------
    str

    Examples
    --------
    >>> with_labels("broad Hbeta flux, [O III] 5007")
    'broad Hβ flux, [O III] 5007'
    """
    return _SPELT.sub(lambda found: LINES[found[0]].label, text)


def line_table() -> QTable:
    """Every named line and window with its windows, in vacuum and rest frame.

    Returns
    -------
    QTable
        Columns ``name``, ``label``, ``kind``, ``wavelength`` (Angstrom), ``core`` and ``wing`` (half-widths, km/s),
        ``start`` and ``stop`` (Angstrom: the outer ends of the wings, or of the window).

    Examples
    --------
    >>> line_table()["name", "wavelength"][12:14]
    <QTable length=2>
          name     wavelength
                    Angstrom
         str14      float64
    ------------- ----------
             Ca K    3934.78
    [Ne III] 3967    3968.59
    """
    table = QTable()
    table["name"] = [line.name for line in _TABLE]
    table["label"] = [line.label for line in _TABLE]
    table["kind"] = [line.kind for line in _TABLE]
    table["wavelength"] = [line.wavelength for line in _TABLE] * u.AA
    table["core"] = [line.core for line in _TABLE] * u.km / u.s
    table["wing"] = [line.wing for line in _TABLE] * u.km / u.s
    ends = [line.ends for line in _TABLE]
    table["start"] = [low for low, _ in ends] * u.AA
    table["stop"] = [high for _, high in ends] * u.AA
    table["start"].info.format = table["stop"].info.format = ".1f"
    return table


def line_masks(
    grid: WavelengthGrid, lines: str | SpectralLine | Iterable[str | SpectralLine] | None = None
) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Which bins belong to the core, the wings and the neighbouring continuum of each line.

    Bins are shared out among *all* emission lines of the table, so that none counts twice: a bin within the core of
    several lines goes to the nearest, a bin within several wings to the line in whose wing it lies deepest, and a
    core goes before a wing. The continuum of a line is what lies within 2500 km/s of the end of its wings and belongs
    to no line; neighbouring lines may share it. Stellar absorption lines and windows take what lies in their range,
    emission lines inside it or not; a window has it all in ``"core"``. The Fe II 4570 complex belongs to no broad wing
    and to no continuum: of He II 4686 there is the core and the red wing.

    Parameters
    ----------
    grid : WavelengthGrid
        Rest frame; a grid in air is refused.
    lines : str, SpectralLine or iterable of them, optional
        Names, or lines of your own; by default the `DEFAULT_LINES` of which the grid has at least one bin of the core.

    Returns
    -------
    dict of str to dict
        ``name -> {"core": mask, "wings": mask, "continuum": mask}``, each mask of shape (n_bins,).

    Raises
    ------
    AgnsalError
        If a name is unknown, or a line asked for by name lies off the grid.

    Examples
    --------
    >>> from agnsal import PERUZZI2021_GRID
    >>> masks = line_masks(PERUZZI2021_GRID, ["Hbeta"])
    >>> {part: int(mask.sum()) for part, mask in masks["Hbeta"].items()}
    {'core': 7, 'wings': 96, 'continuum': 13}
    """
    _refuse_air(grid)
    if isinstance(lines, str | SpectralLine):
        lines = [lines]
    center = grid.centers.value
    wanted = [find_line(name) for name in (DEFAULT_LINES if lines is None else lines)]
    core_owner, wing_owner, order = _owners(center, wanted)
    free = (core_owner < 0) & (wing_owner < 0) & ~_iron(center)
    masks = {}
    for line in wanted:
        if line.kind == "window":
            core = np.zeros(center.size, dtype=bool)
            for low, high in line.ranges:
                core |= (center >= low) & (center <= high)
            wings = continuum = np.zeros(center.size, dtype=bool)
        else:
            if line.kind == "absorption":
                velocity = np.abs(center / line.wavelength - 1.0) * SPEED_OF_LIGHT
                core, wings = velocity <= line.core, (velocity > line.core) & (velocity <= line.wing)
            else:
                core, wings = core_owner == order[line.name], wing_owner == order[line.name]
            low, high = line.ends
            reach = line.wavelength * CONTINUUM_VELOCITY / SPEED_OF_LIGHT
            continuum = free & (center >= low - reach) & (center <= high + reach)
        if not core.any():
            if lines is None:
                continue
            raise AgnsalError(
                f"{line.name} at {line.wavelength} A is off the grid ({center[0]:.1f} to {center[-1]:.1f} A)."
            )
        masks[line.name] = {"core": core, "wings": wings, "continuum": continuum}
    return masks


def emission_lines(grid: WavelengthGrid) -> tuple[str, ...]:
    """Names of all emission lines that have bins of their own in their core.

    Parameters
    ----------
    grid : WavelengthGrid
        Rest frame; a grid in air is refused.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from agnsal import PERUZZI2021_GRID
    >>> emission_lines(PERUZZI2021_GRID)[-3:]
    ('[O III] 5007', '[Fe VII] 5159', '[N I] 5199')
    """
    _refuse_air(grid)
    core_owner, _, order = _owners(grid.centers.value)
    return tuple(name for name, number in order.items() if (core_owner == number).any())


def _refuse_air(grid: WavelengthGrid) -> None:
    if grid.medium != "vacuum" or grid.frame != "rest":
        raise AgnsalError(
            f"named lines are in vacuum and rest frame, the grid is in {grid.medium} and {grid.frame} frame."
        )


def _iron(center: NDArray[Any]) -> NDArray[np.bool_]:
    """Bins of the Fe II 4570 complex, which lies under the blue wing of He II 4686."""
    low, high = LINES["Fe II 4570"].ends
    return (center >= low) & (center <= high)


def _owners(
    center: NDArray[Any], more: Iterable[SpectralLine] = ()
) -> tuple[NDArray[Any], NDArray[Any], dict[str, int]]:
    """Give each bin's owner among the cores and among the wings: the number of an emission line, or -1."""
    known = {line.name: line for line in (*_TABLE, *more) if line.kind in ("permitted", "forbidden")}
    lines = list(known.values())
    position = np.array([line.wavelength for line in lines])[:, None]
    core = np.array([line.core for line in lines])[:, None]
    wing = np.array([line.wing for line in lines])[:, None]
    broad = np.array([line.kind == "permitted" for line in lines])[:, None]
    velocity = np.abs(center / position - 1.0) * SPEED_OF_LIGHT
    depth = np.where(velocity <= core, velocity, np.inf)
    core_owner = np.where(np.isfinite(depth).any(0), depth.argmin(0), -1)
    within = (velocity <= wing) & (core_owner < 0) & ~(broad & _iron(center))
    depth = np.where(within, velocity / wing, np.inf)
    wing_owner = np.where(np.isfinite(depth).any(0), depth.argmin(0), -1)
    return core_owner, wing_owner, {name: number for number, name in enumerate(known)}
