"""Astronomers' coordinates: continuum, stellar absorption, Fe II, and a narrow and a broad component of every line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import lsq_linear

from agnsal.attribution.transforms.basis import MatrixBasis
from agnsal.errors import AgnsalError
from agnsal.spectra.grid import SPEED_OF_LIGHT, WavelengthGrid
from agnsal.spectra.lines import DEFAULT_LINES, LINES, SpectralLine, find_line
from agnsal.spectra.sample import SpectralSample
from agnsal.spectra.simulation.emission import gaussian_line, iron
from agnsal.spectra.simulation.starlight import POPULATIONS, RANGE, starlight

_FWHM = 2.354820045


class LineDictionary(MatrixBasis):
    """Continuum, stars, Fe II, and every line as a narrow and a broad Gaussian: broad against narrow in two numbers.

    The coordinates come from one least-squares fit to each spectrum, weighted with its inverse variances. Columns of
    several widths of one component form a group, which is what `transformed` answers for. Everything the columns
    cannot represent is the residual.

    Parameters
    ----------
    lines : iterable of str, optional
        Emission lines (`agnsal.line_table`); by default the common ones on the grid. Permitted lines get a narrow and
        a broad component, forbidden ones a narrow one.
    narrow, broad : sequence of float
        Full widths at half maximum in km/s, instrument included. Empty for no such component.
    degree : int
        Degree of the polynomial of the continuum, in wavelength.
    stars : bool
        Whether to add the absorption lines and breaks of stellar populations (the templates of `simulate_agn`),
        without which absorption under Hbeta counts as negative emission. Their smooth shape is left to the
        polynomial, which could not be told from it.
    iron : sequence of float
        Full widths of the Fe II template (multiplets of Boroson & Green 1992) in km/s. Empty for no Fe II.
    grid : WavelengthGrid, optional
        The grid of the spectra, where `fit` will see a plain array.
    nonnegative : bool
        Whether lines, Fe II and stellar absorption must not be negative.

    Attributes
    ----------
    synthesis : ndarray, shape (n_features, m)
        The columns. Those of lines have an integral of 1, so that their coordinates are fluxes (in the unit of the
        spectra times Angstrom); that of Fe II has it between 4434 and 4684 Angstrom.

    Raises
    ------
    AgnsalError
        If the grid is unknown or not vacuum and rest frame, or a line is unknown, absorbing or off the grid.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> sample = simulate_agn(2, 2, 0, seed=1).normalize()
    >>> dictionary = LineDictionary(lines=["Hbeta", "[O III] 5007"]).fit(sample)
    >>> dictionary.group_names.tolist()
    ['continuum', 'stellar absorption', 'Fe II', 'Hbeta narrow', 'Hbeta broad', '[O III] 5007 narrow']
    >>> flux = dictionary.fluxes(sample)["Hbeta broad"]
    >>> bool(flux[:2].min() > flux[2:].max())
    True
    """

    by = "group"
    axis = "Component of the spectrum"

    def __init__(
        self,
        lines: Iterable[str] | None = None,
        *,
        narrow: Sequence[float] = (300.0, 600.0),
        broad: Sequence[float] = (2000.0, 4500.0, 9000.0),
        degree: int = 3,
        stars: bool = True,
        iron: Sequence[float] = (2500.0,),
        grid: WavelengthGrid | None = None,
        nonnegative: bool = False,
    ) -> None:
        self.lines = lines
        self.narrow = narrow
        self.broad = broad
        self.degree = degree
        self.stars = stars
        self.iron = iron
        self.grid = grid
        self.nonnegative = nonnegative

    def fit(self, X: SpectralSample | ArrayLike, y: object = None) -> LineDictionary:
        """Build the columns on the grid of a sample; nothing is learned from its flux. See `Basis.fit`."""
        grid = X.grid if isinstance(X, SpectralSample) else self.grid
        if grid is None:
            raise AgnsalError("a LineDictionary needs wavelengths: fit a SpectralSample, or give grid=...")
        if grid.medium != "vacuum" or grid.frame != "rest":
            raise AgnsalError(
                f"lines are in vacuum and rest frame, the grid is in {grid.medium} and {grid.frame} frame."
            )
        edges = grid.edges.value
        columns: list[NDArray[np.float64]] = []
        names: list[str] = []
        groups: list[str] = []

        def add(column: NDArray[np.float64], name: str, group: str) -> None:
            columns.append(column)
            names.append(name)
            groups.append(group)

        for power, column in enumerate(_polynomials(grid, self.degree)):
            add(column, f"continuum {power}", "continuum")
        if self.stars and RANGE[0] <= edges[0] and edges[-1] <= RANGE[1]:
            for name, column in zip(POPULATIONS, _absorption(edges, np.stack(columns, axis=1)), strict=True):
                add(column, f"stars {name}", "stellar absorption")
        for width in self.iron:
            column = iron(edges, np.ones(1), np.array([width / _FWHM]), np.zeros(1))[0]
            if column.any():
                add(column, f"Fe II {width:g} km/s", "Fe II")
        for line in self._lines(grid):
            for kind, widths in self._components(line):
                for width in widths:
                    add(_gaussian(edges, line, width), f"{line.name} {kind} {width:g} km/s", f"{line.name} {kind}")
        self._set(np.stack(columns, axis=1), names, groups)
        super().fit(X, y)
        return self

    def fluxes(self, X: SpectralSample | ArrayLike) -> dict[str, NDArray[np.float64]]:
        """Integrated flux of every component of every line.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.

        Returns
        -------
        dict of str to ndarray, shape (n,)
            By group; in the flux unit times Angstrom.
        """
        S = self.forward(X)
        kept = [name for name in self.group_names.tolist() if name.endswith((" narrow", " broad"))]
        return {name: S[:, self.groups == name].sum(axis=1) for name in kept}

    def _solve(self, columns: NDArray[np.float64], flux: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self.nonnegative:
            return super()._solve(columns, flux)
        if flux.ndim > 1:
            return np.reshape([self._solve(columns, x) for x in flux.T], (flux.shape[1], columns.shape[1])).T
        low = np.where(self.groups == "continuum", -np.inf, 0.0)
        return lsq_linear(columns, flux, bounds=(low, np.inf)).x

    def _components(self, line: SpectralLine) -> list[tuple[str, Sequence[float]]]:
        kinds: list[tuple[str, Sequence[float]]] = [("narrow", self.narrow)]
        return [*kinds, ("broad", self.broad)] if line.kind == "permitted" else kinds

    def _lines(self, grid: WavelengthGrid) -> list[SpectralLine]:
        """The lines to model: those asked for, or the common emission lines whose centre is on the grid."""
        low, high = grid.edges.value[[0, -1]]
        if self.lines is None:
            known = [LINES[name] for name in DEFAULT_LINES]
            return [line for line in known if _emits(line) and low <= line.wavelength <= high]
        wanted = [find_line(name) for name in ([self.lines] if isinstance(self.lines, str) else self.lines)]
        for line in wanted:
            if not _emits(line):
                raise AgnsalError(f"{line.name} is no emission line; a LineDictionary models emission lines only.")
            if not low <= line.wavelength <= high:
                raise AgnsalError(
                    f"{line.name} at {line.wavelength} A is off the grid ({low:.1f} to {high:.1f} A); leave it out."
                )
        return wanted


def _emits(line: SpectralLine) -> bool:
    return line.kind in ("permitted", "forbidden")


def _polynomials(grid: WavelengthGrid, degree: int) -> list[NDArray[np.float64]]:
    """Legendre polynomials over the grid."""
    center = grid.centers.value
    x = 2 * (center - center[0]) / (center[-1] - center[0]) - 1
    return [np.polynomial.Legendre.basis(power)(x) for power in range(degree + 1)]


def _absorption(edges: NDArray[np.float64], smooth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spectra of the stellar populations, less their best fit by the smooth columns."""
    spectra = starlight(edges, np.eye(len(POPULATIONS)), np.full(len(POPULATIONS), 190.0))
    return spectra - (smooth @ np.linalg.lstsq(smooth, spectra.T, rcond=None)[0]).T


def _gaussian(edges: NDArray[np.float64], line: SpectralLine, width: float) -> NDArray[np.float64]:
    """A line of unit integrated flux, averaged over each bin; `width` is the full width in km/s."""
    column = np.zeros((1, edges.size - 1))
    sigma = line.wavelength * width / _FWHM / SPEED_OF_LIGHT
    gaussian_line(edges, np.array([line.wavelength]), np.array([sigma]), np.ones(1), column)
    return column[0]
