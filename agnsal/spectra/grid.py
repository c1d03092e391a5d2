"""The wavelength grid every spectrum of a sample shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import astropy.units as u
import numpy as np
from astropy.constants import c as speed_of_light
from numpy.typing import NDArray

from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError
from agnsal.store import Array

Medium = Literal["vacuum", "air"]
Frame = Literal["rest", "observed"]

SPEED_OF_LIGHT = speed_of_light.to_value(u.km / u.s)


def to_angstrom(value: Any, what: str = "wavelength") -> NDArray[np.float64]:
    """A wavelength `Quantity` as float64 Angstrom.

    Parameters
    ----------
    value : Quantity
        Any length (Angstrom, nm, micron, ...).
    what : str
        What the value is, for the error message.

    Returns
    -------
    ndarray
        The same shape, in Angstrom.

    Raises
    ------
    AgnsalError
        If the value has no unit, or one that is not a length.

    Examples
    --------
    >>> import astropy.units as u
    >>> to_angstrom([510, 515] * u.nm)
    array([5100., 5150.])
    """
    if not isinstance(value, u.Quantity):
        raise AgnsalError(
            f"{what} came without a unit ({value!r:.80}); agnsal does not guess it. "
            f"Write for instance `{what} * u.AA` after `import astropy.units as u`."
        )
    if value.unit.physical_type != "length":
        raise AgnsalError(f"{what} came in {value.unit}, a length was expected (for instance u.AA or u.nm).")
    return np.asarray(value.to_value(u.AA), dtype=np.float64)


class WavelengthGrid(Displayed):
    """Bins of wavelength with edges and centres, medium and frame; immutable and comparable.

    Make one with `linear`, `log` or `from_centers`; the constructor takes the edges.

    Parameters
    ----------
    edges : Quantity, shape (n + 1,)
        Bin edges, increasing.
    centers : Quantity, shape (n,), optional
        Bin centres, each inside its bin; by default the middle of each bin.
    medium : {"vacuum", "air"}
        What the wavelengths are measured in.
    frame : {"rest", "observed"}
        The frame of the wavelengths.

    Raises
    ------
    AgnsalError
        If the edges have no unit, do not increase, or a centre lies outside its bin.

    Examples
    --------
    >>> import astropy.units as u
    >>> grid = WavelengthGrid.linear(4000 * u.AA, 5000 * u.AA, 11)
    >>> len(grid), grid.edges[0], grid.centers[-1]
    (11, <Quantity 3950. Angstrom>, <Quantity 5000. Angstrom>)
    """

    __slots__ = ("_centers", "_edges", "_frame", "_medium")
    _centers: NDArray[np.float64]
    _edges: NDArray[np.float64]
    _frame: Frame
    _medium: Medium

    def __init__(
        self,
        edges: u.Quantity,
        centers: u.Quantity | None = None,
        *,
        medium: Medium = "vacuum",
        frame: Frame = "rest",
    ) -> None:
        edge = to_angstrom(edges, "edges")
        if edge.ndim != 1 or edge.size < 2:
            raise AgnsalError(f"edges must be one row of at least 2 wavelengths, got shape {edge.shape}.")
        if not np.isfinite(edge).all() or edge[0] <= 0 or (np.diff(edge) <= 0).any():
            raise AgnsalError("edges must be finite, positive and strictly increasing; sort them and drop duplicates.")
        center = 0.5 * (edge[1:] + edge[:-1]) if centers is None else to_angstrom(centers, "centers")
        if center.shape != (edge.size - 1,):
            raise AgnsalError(f"{edge.size} edges have {edge.size - 1} centres, got {center.shape}.")
        if ((center <= edge[:-1]) | (center >= edge[1:])).any():
            raise AgnsalError("every centre must lie inside its bin.")
        if medium not in ("vacuum", "air"):
            raise AgnsalError(f"medium must be 'vacuum' or 'air', got {medium!r}.")
        if frame not in ("rest", "observed"):
            raise AgnsalError(f"frame must be 'rest' or 'observed', got {frame!r}.")
        edge, center = edge.copy(), center.copy()
        edge.flags.writeable = center.flags.writeable = False
        for name, value in (("_edges", edge), ("_centers", center), ("_medium", medium), ("_frame", frame)):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a WavelengthGrid does not change; make a new one instead of setting {name!r}")

    def __reduce__(self) -> tuple[Callable[..., WavelengthGrid], tuple[object, ...]]:
        # plain arguments, so that copy and multiprocessing work in spite of the frozen slots
        return _rebuild, (self._edges, self._centers, self._medium, self._frame)

    @classmethod
    def linear(
        cls, start: u.Quantity, stop: u.Quantity, n: int, *, medium: Medium = "vacuum", frame: Frame = "rest"
    ) -> WavelengthGrid:
        """Make `n` bins of equal width; `start` and `stop` are the centres of the first and the last.

        Parameters
        ----------
        start, stop : Quantity
            Centres of the first and last bin.
        n : int
            Number of bins, at least 2.
        medium, frame : str
            See the class.

        Returns
        -------
        WavelengthGrid

        Examples
        --------
        >>> import astropy.units as u
        >>> WavelengthGrid.linear(400 * u.nm, 500 * u.nm, 3).centers
        <Quantity [4000., 4500., 5000.] Angstrom>
        """
        first, last = float(to_angstrom(start, "start")), float(to_angstrom(stop, "stop"))
        if int(n) != n or n < 2:
            raise AgnsalError(f"a grid needs a whole number of at least 2 bins, got n={n!r}.")
        if last <= first:
            raise AgnsalError(f"stop ({last} A) must be redder than start ({first} A).")
        step = (last - first) / (n - 1)
        edges = first + step * (np.arange(n + 1) - 0.5)
        return cls(edges * u.AA, np.linspace(first, last, int(n)) * u.AA, medium=medium, frame=frame)

    @classmethod
    def log(
        cls,
        start: u.Quantity,
        stop: u.Quantity,
        velocity_step: u.Quantity = 69.0 * u.km / u.s,
        *,
        medium: Medium = "vacuum",
        frame: Frame = "rest",
    ) -> WavelengthGrid:
        """Make bins of equal velocity width; `start` is the first centre, the last is the last one up to `stop`.

        Parameters
        ----------
        start, stop : Quantity
            Range of the bin centres.
        velocity_step : Quantity
            Width of a bin as a velocity: ``step = c * d(ln wavelength)``. SDSS pixels have 69.0 km/s.
        medium, frame : str
            See the class.

        Returns
        -------
        WavelengthGrid

        Examples
        --------
        >>> import astropy.units as u
        >>> grid = WavelengthGrid.log(3800 * u.AA, 7000 * u.AA, velocity_step=100 * u.km / u.s)
        >>> len(grid)
        1832
        """
        first, last = float(to_angstrom(start, "start")), float(to_angstrom(stop, "stop"))
        if not isinstance(velocity_step, u.Quantity) or velocity_step.unit.physical_type != "speed":
            raise AgnsalError(f"velocity_step must be a velocity such as 69 * u.km / u.s, got {velocity_step!r}.")
        step = velocity_step.to_value(u.km / u.s) / SPEED_OF_LIGHT
        if step <= 0 or last <= first:
            raise AgnsalError("a log grid needs stop > start and a positive velocity_step.")
        n = int(np.floor(np.log(last / first) / step + 1e-9)) + 1
        if n < 2:
            raise AgnsalError(f"{velocity_step} is too wide for two bins between {first} and {last} A.")
        index = np.arange(n + 1)
        edges = first * np.exp(step * (index - 0.5))
        return cls(edges * u.AA, first * np.exp(step * index[:-1]) * u.AA, medium=medium, frame=frame)

    @classmethod
    def from_centers(cls, centers: u.Quantity, *, medium: Medium = "vacuum", frame: Frame = "rest") -> WavelengthGrid:
        """Make a grid from bin centres; edges are the midpoints, the outer bins are symmetric about their centre.

        Parameters
        ----------
        centers : Quantity, shape (n,)
            Increasing bin centres.
        medium, frame : str
            See the class.

        Returns
        -------
        WavelengthGrid

        Examples
        --------
        >>> import astropy.units as u
        >>> WavelengthGrid.from_centers([1.0, 2.0, 4.0] * u.AA).edges
        <Quantity [0.5, 1.5, 3. , 5. ] Angstrom>
        """
        center = to_angstrom(centers, "centers")
        return cls(edges_from_centers(center) * u.AA, center * u.AA, medium=medium, frame=frame)

    @property
    def edges(self) -> u.Quantity:
        """Bin edges in Angstrom, shape (n + 1,)."""
        return u.Quantity(self._edges, u.AA, copy=True)

    @property
    def centers(self) -> u.Quantity:
        """Bin centres in Angstrom, shape (n,)."""
        return u.Quantity(self._centers, u.AA, copy=True)

    @property
    def widths(self) -> u.Quantity:
        """Bin widths in Angstrom, shape (n,)."""
        return u.Quantity(np.diff(self._edges), u.AA)

    @property
    def medium(self) -> Medium:
        """Either ``"vacuum"`` or ``"air"``."""
        return self._medium

    @property
    def frame(self) -> Frame:
        """Either ``"rest"`` or ``"observed"``."""
        return self._frame

    def __len__(self) -> int:
        return self._centers.size

    def __getitem__(self, bins: slice) -> WavelengthGrid:
        """Make the grid of an unbroken stretch of bins: ``grid[100:500]``."""
        if not isinstance(bins, slice) or bins.step not in (None, 1):
            raise AgnsalError(f"a grid is cut by an unbroken slice such as grid[100:500], got {bins!r:.80}.")
        start, stop, _ = bins.indices(len(self))
        if (start, stop) == (0, len(self)):
            return self
        if stop <= start:
            raise AgnsalError(f"no bin of the {len(self)} lies in {bins!r}.")
        return _rebuild(self._edges[start : stop + 1], self._centers[start:stop], self._medium, self._frame)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WavelengthGrid):
            return NotImplemented
        # to rounding: 400 nm and 4000 Angstrom are one wavelength
        return (
            (self._medium, self._frame, len(self)) == (other._medium, other._frame, len(other))
            and np.allclose(self._edges, other._edges, rtol=1e-12, atol=0)
            and np.allclose(self._centers, other._centers, rtol=1e-12, atol=0)
        )

    def __hash__(self) -> int:
        return hash((self._medium, self._frame, len(self)))

    def __repr__(self) -> str:
        first, last = self._centers[0], self._centers[-1]
        span = f"{len(self)} bins, {first:.3f} to {last:.3f} Angstrom"
        return f"<WavelengthGrid: {span}, {self.frame} frame, {self.medium}>"

    def _display(self) -> Table:
        width = np.diff(self._edges)
        velocity = SPEED_OF_LIGHT * width / self._centers
        rows: list[list[object]] = [
            ["bins", len(self)],
            ["centres", f"{self._centers[0]:.3f} to {self._centers[-1]:.3f} Angstrom"],
            ["width", f"{width.min():.4g} to {width.max():.4g} Angstrom"],
            ["as a velocity", f"{velocity.min():.4g} to {velocity.max():.4g} km/s"],
        ]
        return Table(f"WavelengthGrid: {self.frame} frame, {self.medium}", rows)


def _rebuild(edges: NDArray[Any], centers: NDArray[Any], medium: Medium, frame: Frame) -> WavelengthGrid:
    return WavelengthGrid(edges * u.AA, centers * u.AA, medium=medium, frame=frame)


#: What a file holds of a grid, where there is one; see `agnsal.store.Stored`.
GRID_ARRAYS = {"edges": Array("real", "bin+1", optional=True), "centers": Array("real", "bin", optional=True)}
GRID_HEADER = ({"medium": frozenset(get_args(Medium)), "frame": frozenset(get_args(Frame))}, None)


def pack_grid(grid: WavelengthGrid | None) -> tuple[dict[str, NDArray[Any]], dict[str, str] | None]:
    """Arrays and JSON header of a grid, or of none.

    Examples
    --------
    >>> arrays, header = pack_grid(PERUZZI2021_GRID)
    >>> unpack_grid(arrays, header) == PERUZZI2021_GRID
    True
    """
    if grid is None:
        return {}, None
    return {"edges": grid.edges.value, "centers": grid.centers.value}, {"medium": grid.medium, "frame": grid.frame}


def unpack_grid(arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any] | None) -> WavelengthGrid | None:
    """Put together what `pack_grid` took apart."""
    if (header is None) != ("edges" not in arrays) or (header is None) != ("centers" not in arrays):
        raise AgnsalError("edges, centers and what the header says of the grid are there together or not at all")
    return None if header is None else _rebuild(arrays["edges"], arrays["centers"], **header)


def edges_from_centers(centers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges midway between increasing centres; the outer pixels are symmetric about their centre.

    Parameters
    ----------
    centers : ndarray, shape (n,)
        Increasing, n >= 2.

    Returns
    -------
    ndarray, shape (n + 1,)

    Raises
    ------
    AgnsalError
        If there are fewer than two centres or they do not increase.

    Examples
    --------
    >>> edges_from_centers(np.array([1.0, 2.0, 4.0]))
    array([0.5, 1.5, 3. , 5. ])
    """
    if centers.ndim != 1 or centers.size < 2:
        raise AgnsalError(f"at least 2 wavelengths in one row are needed, got shape {centers.shape}.")
    if not np.isfinite(centers).all() or (np.diff(centers) <= 0).any():
        raise AgnsalError("wavelengths must be finite and strictly increasing; sort them and drop duplicates.")
    middle = 0.5 * (centers[1:] + centers[:-1])
    first, last = 2 * centers[0] - middle[0], 2 * centers[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


#: The grid of Peruzzi et al. 2021: 1000 points, 1.5386 Angstrom apart, from [O II] to redward of 5100 Angstrom.
PERUZZI2021_GRID = WavelengthGrid.linear(3728.908 * u.AA, 5265.955 * u.AA, 1000)
