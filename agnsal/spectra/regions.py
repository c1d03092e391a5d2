"""Named sets of bins: lines, parts of lines, windows, whatever is taken together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError, one_of
from agnsal.spectra.grid import WavelengthGrid, to_angstrom
from agnsal.spectra.lines import DEFAULT_LINES, SpectralLine, find_line, line_masks

#: Name of the region of all bins that belong to no other.
REST = "rest"

#: Regions shown of many.
_SHOWN = 20

#: What of a line may be meant.
PARTS = ("all", "core", "wings", "continuum")


@dataclass(frozen=True, eq=False, repr=False)
class Regions(Displayed, Mapping[str, NDArray[np.bool_]]):
    """Named sets of bins (features), the one form in which bins are taken together.

    Regions may share bins and may leave bins out; a *partition* (`is_partition`) does neither. To a reader they are a
    mapping from names to masks, in order: ``regions["Hbeta"]``, ``for name, mask in regions.items()``.

    Inside they are a sparse matrix of memberships, a one for every bin of every region. It holds overlaps and gaps,
    which an array of labels cannot, and costs no more than such an array for a partition of many bins, for which
    masks would cost the square; and sums are its product.

    Attributes
    ----------
    names : tuple of str
        Name of each region, no two alike.
    members : csr_array of float, shape (n_regions, n_features)
        1 where a bin is in a region.
    grid : WavelengthGrid or None
        The wavelengths of the bins, where they have any.

    Raises
    ------
    AgnsalError
        If two regions have one name, or the grid has another number of bins.

    See Also
    --------
    agnsal.line_table : the lines that can be named.

    Examples
    --------
    >>> from agnsal import PERUZZI2021_GRID, Regions
    >>> regions = Regions.from_lines(PERUZZI2021_GRID, ["Hbeta", "[O III] 5007"], rest=True)
    >>> regions
    <Regions: a partition of 1000 bins: Hbeta, [O III] 5007, rest>
    >>> regions.sizes
    array([103,  26, 871])
    >>> Regions.from_labels(["blue", "blue", "red"]).sums([[1.0, 2.0, 3.0]])
    array([[3., 3.]])
    """

    names: tuple[str, ...]
    members: csr_array
    grid: WavelengthGrid | None = None

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise AgnsalError(f"two regions are named {twice!r}; every region needs a name of its own.")
        if self.grid is not None and len(self.grid) != self.n_features:
            raise AgnsalError(f"the regions are of {self.n_features} bins, the grid has {len(self.grid)}.")

    @classmethod
    def single(cls, n_features: int, grid: WavelengthGrid | None = None) -> Regions:
        """Every bin by itself, named by its number.

        Parameters
        ----------
        n_features : int
            Number of bins.
        grid : WavelengthGrid, optional
            Their wavelengths.

        Returns
        -------
        Regions
        """
        return cls.from_width(1, n_features, grid)

    @classmethod
    def from_lines(
        cls,
        grid: WavelengthGrid,
        lines: str | SpectralLine | Iterable[str | SpectralLine] | None = None,
        *,
        part: str = "all",
        overlap: bool = False,
        split_wings: bool = False,
        rest: bool = False,
    ) -> Regions:
        """The bins of named lines and windows.

        Emission lines never share a bin (see `agnsal.line_masks`). Windows, stellar absorption lines and continua may
        lie over other lines, and then the one named first has the bin, unless `overlap` is allowed.

        Parameters
        ----------
        grid : WavelengthGrid
            In vacuum and rest frame.
        lines : str, SpectralLine or iterable of them, optional
            Names, or lines of your own; by default the common lines on the grid.
        part : {"all", "core", "wings", "continuum"}
            What of each line: core and wings, one of them, or the continuum beside it.
        overlap : bool
            Leave every line all its bins. Only then a line without that part is an empty region instead of an error.
        split_wings : bool
            With ``part="all"``: two regions of every permitted line, its core and its wings (the narrow and the broad
            line).
        rest : bool
            Put all other bins into a last region, ``"rest"``.

        Returns
        -------
        Regions

        Raises
        ------
        AgnsalError
            If a line is unknown or off the grid, has no bins in that part, or all its bins belong to lines before it.

        Examples
        --------
        >>> from agnsal import PERUZZI2021_GRID
        >>> list(Regions.from_lines(PERUZZI2021_GRID, ["Hbeta", "[O III] 5007"], split_wings=True))
        ['Hbeta core', 'Hbeta wings', '[O III] 5007']
        """
        one_of("part", part, PARTS)
        found: dict[str, NDArray[np.bool_]] = {}
        asked = DEFAULT_LINES if lines is None else [lines] if isinstance(lines, str | SpectralLine) else list(lines)
        kinds = {line.name: line.kind for line in map(find_line, asked)}
        for name, masks in line_masks(grid, None if lines is None else asked).items():
            if split_wings and part == "all" and kinds[name] == "permitted":
                found.update({f"{name} core": masks["core"], f"{name} wings": masks["wings"]})
            else:
                found[name] = masks["core"] | masks["wings"] if part == "all" else masks[part]
        if not found:
            raise AgnsalError(f"no named line lies on {grid!r}.")
        if not overlap:
            found = _shared_out(found, part, skip=lines is None)
        regions = cls.from_masks(found, grid=grid)
        return regions.with_rest() if rest else regions

    @classmethod
    def from_width(
        cls, width: int | u.Quantity, n_features: int | None = None, grid: WavelengthGrid | None = None
    ) -> Regions:
        """Windows side by side: of that many bins, or of that width.

        Parameters
        ----------
        width : int or Quantity
            Bins in a window (the last one may have fewer), or its width in wavelength, from the blue edge of the grid.
        n_features : int, optional
            Number of bins; not needed beside a grid.
        grid : WavelengthGrid, optional
            Needed for a width in wavelength.

        Returns
        -------
        Regions
            A partition; windows are named by their numbers or by their ranges.

        Raises
        ------
        AgnsalError
            If the width is not positive, or has a unit and there is no grid.

        Examples
        --------
        >>> Regions.from_width(2, 5).labels
        array([0, 0, 1, 1, 2])
        """
        if isinstance(width, u.Quantity):
            grid = _needed(grid, "windows of a width in wavelength")
            step = float(to_angstrom(width, "window"))
            if not (np.isfinite(step) and step > 0):
                raise AgnsalError(f"the width of a window must be positive, got {width}.")
            start = grid.edges.value[0]
            found, labels = np.unique(np.floor((grid.centers.value - start) / step).astype(int), return_inverse=True)
            names = _ranges(start + found * step, start + (found + 1) * step, 1, " A")
            return _partition(labels, names, grid)
        if width < 1:
            raise AgnsalError(f"a window must have at least one feature, got {width}.")
        if n_features is None:
            n_features = len(_needed(grid, "windows of so many bins"))
        labels = np.arange(n_features) // int(width)
        return _partition(labels, tuple(map(str, range(-(-n_features // int(width))))), grid)

    @classmethod
    def from_number(cls, number: int, grid: WavelengthGrid) -> Regions:
        """That many windows of equally many bins.

        Parameters
        ----------
        number : int
            Number of windows.
        grid : WavelengthGrid
            Any grid.

        Returns
        -------
        Regions
            A partition; windows are named by their ranges in Angstrom.

        Raises
        ------
        AgnsalError
            If there are more windows than bins.

        Examples
        --------
        >>> from agnsal import PERUZZI2021_GRID
        >>> Regions.from_number(10, PERUZZI2021_GRID).names[0]
        '3728-3882'
        """
        if not 1 <= number <= len(grid):
            raise AgnsalError(f"there can be 1 to {len(grid)} windows on this grid, got n_bins = {number}.")
        sizes = [len(window) for window in np.array_split(np.arange(len(grid)), number)]
        ends, edges = np.cumsum(sizes), grid.edges.value
        return _partition(np.repeat(np.arange(number), sizes), _ranges(edges[ends - sizes], edges[ends]), grid)

    @classmethod
    def from_labels(
        cls, labels: ArrayLike, grid: WavelengthGrid | None = None, *, outside: int | str | None = None
    ) -> Regions:
        """Bins with equal labels.

        Parameters
        ----------
        labels : array_like of int, bool or str, shape (n_features,)
            Label of each bin. Numbers come in their order, names as they appear.
        grid : WavelengthGrid, optional
            The wavelengths of the bins.
        outside : int or str, optional
            Label of bins that are in no region.

        Returns
        -------
        Regions

        Raises
        ------
        AgnsalError
            If the labels are not in one row, or neither whole numbers nor text.

        Examples
        --------
        >>> Regions.from_labels([7, 7, -1, 3], outside=-1).masks.astype(int)
        array([[0, 0, 0, 1],
               [1, 1, 0, 0]])
        """
        labels = np.asarray(labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iubU":
            raise AgnsalError(
                "labels of regions must be whole numbers or names, one for each bin, got "
                f"{labels.dtype} of shape {labels.shape}."
            )
        found, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
        order = np.argsort(first) if labels.dtype.kind == "U" else np.arange(found.size)
        rank = np.empty(found.size, dtype=np.intp)
        rank[order] = np.arange(found.size)
        regions = _partition(rank[numbers], tuple(map(str, found[order].tolist())), grid)
        return regions.select([name for name in regions.names if name != str(outside)])

    @classmethod
    def from_masks(
        cls,
        masks: Mapping[str, ArrayLike] | Sequence[ArrayLike] | NDArray[np.bool_],
        n_features: int | None = None,
        grid: WavelengthGrid | None = None,
    ) -> Regions:
        """Sets of bins given one by one.

        Parameters
        ----------
        masks : mapping of str to array_like, or sequence of array_like
            The mask of each region, or the numbers of its bins. Without names regions are numbered.
        n_features : int, optional
            Number of bins; needed only where no mask and no grid says it.
        grid : WavelengthGrid, optional
            The wavelengths of the bins.

        Returns
        -------
        Regions

        Raises
        ------
        AgnsalError
            If a mask has another length than the others, is neither a mask nor numbers of bins, or there is none.

        Examples
        --------
        >>> Regions.from_masks({"blue": [True, True, False], "all": [0, 1, 2]}).sizes
        array([2, 3])
        """
        named = masks if isinstance(masks, Mapping) else {str(number): mask for number, mask in enumerate(masks)}
        sets = {str(name): np.atleast_1d(np.asarray(mask)) for name, mask in named.items()}
        if n_features is None and grid is not None:
            n_features = len(grid)
        if n_features is None:
            n_features = next((mask.size for mask in sets.values() if mask.dtype == bool), None)
        if not sets or n_features is None:
            raise AgnsalError("no mask was given, one boolean for each bin, so there are no regions to make of them.")
        bins = [_numbers(mask, name, n_features) for name, mask in sets.items()]
        starts = np.cumsum([0, *map(len, bins)])
        indices = np.concatenate(bins)
        members = csr_array((np.ones(indices.size), indices, starts), shape=(len(bins), n_features))
        return cls(tuple(sets), members, grid)

    @classmethod
    def of(
        cls,
        regions: Any,
        n_features: int,
        grid: WavelengthGrid | None = None,
        *,
        partition: bool = True,
        part: str = "all",
    ) -> Regions:
        """Read what a user may say about regions.

        Parameters
        ----------
        regions : None, int, Quantity, str, sequence of str, array_like of int, mapping of str to mask, or Regions
            Nothing: every bin by itself. A whole number: windows of that many bins. A wavelength: windows of that
            width. Names of lines: the bins of each. A label for each bin, or a mask (or the numbers of
            their bins) for each region.
        n_features : int
            Number of bins.
        grid : WavelengthGrid, optional
            Needed for widths and names.
        partition : bool
            Make a partition: what is in no region becomes a last one, ``"rest"``, lines give bins they share to the
            first named, and other regions that share bins are refused. Otherwise regions are taken as they are said
            (and -1 is the label of bins in none).
        part : {"all", "core", "wings", "continuum"}
            What of lines given by name.

        Returns
        -------
        Regions

        Raises
        ------
        AgnsalError
            If regions do not fit the bins or the grid, share bins that must be in one, a width is not positive, a line
            is unknown, off the grid or inside another, or the grid is missing.

        Examples
        --------
        >>> Regions.of(2, 5).labels
        array([0, 0, 1, 1, 2])
        >>> Regions.of({"blue": [True, False, False]}, 3)
        <Regions: a partition of 3 features: blue, rest>
        """
        if isinstance(regions, Iterator):
            regions = list(regions)
        if regions is None:
            found = cls.single(n_features, grid)
        elif isinstance(regions, u.Quantity) or (isinstance(regions, int | np.integer) and regions is not True):
            found = cls.from_width(regions, n_features, grid)
        elif isinstance(regions, Regions):
            found = regions._on(n_features, grid)
        elif isinstance(regions, Mapping):
            found = cls.from_masks(regions, n_features, grid)
        elif isinstance(regions, str | SpectralLine) or (
            isinstance(regions, Iterable) and all(isinstance(each, str | SpectralLine) for each in regions)
        ):
            found = cls.from_lines(_needed(grid, "named lines"), regions, part=part, overlap=not partition)
        elif isinstance(regions, Iterable) and all(np.ndim(region) for region in regions):
            found = cls.from_masks(list(regions), n_features, grid)
        else:
            labels = np.asarray(regions)
            if labels.shape != (n_features,):
                raise AgnsalError(
                    f"regions are expected as one label for each of the {n_features} features, got shape "
                    f"{labels.shape}; or give names of lines, a width such as 50 * u.AA, or agnsal.Regions."
                )
            found = cls.from_labels(labels, grid, outside=None if partition else -1)
        return found.with_rest()._without_overlap() if partition else found

    def _on(self, n_features: int, grid: WavelengthGrid | None) -> Regions:
        """The same regions of these bins, refused if they were made for others."""
        if self.n_features != n_features:
            raise AgnsalError(
                f"the regions are of {self.n_features} bins, the spectra have {n_features}; make them on the grid of "
                "the spectra."
            )
        if grid is None or grid == self.grid:
            return self
        if self.grid is not None:
            raise AgnsalError(
                f"the regions were made on another grid ({self.grid!r}) than that of the spectra ({grid!r}); make them "
                "anew on that."
            )
        return replace(self, grid=grid)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        mask = np.zeros(self.n_features, dtype=bool)
        mask[self._bins(self._number(name))] = True
        return mask

    def get(self, name: str, default: Any = None) -> Any:
        """Mask of a region, or something else where there is none of that name."""
        return self[name] if name in self.names else default

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Regions):
            return NotImplemented
        same = self.names == other.names and self.grid == other.grid and self.n_features == other.n_features
        return same and all(np.array_equal(a, b) for a, b in zip(self._state, other._state, strict=True))

    def __hash__(self) -> int:
        return hash((self.names, self.n_features))

    def __repr__(self) -> str:
        kind = "a partition of" if self.is_partition else f"{self._state[0].size} of"
        text = f"<Regions: {kind} {self.n_features} {'features' if self.grid is None else 'bins'}: "
        names, tail = ", ".join(self.names), f", ... ({len(self)} regions)"
        if len(text) + len(names) > 79:
            room = 79 - len(text) - len(tail)
            names = (names[: room + 1].rpartition(",")[0] or names[:room]) + tail
        return f"{text}{names}>"

    def _display(self) -> Table:
        table = self._take(range(min(len(self), _SHOWN))).to_table()
        rows: list[list[object]] = [[row["region"], row["n_bins"]] for row in table]
        header = ["region", "bins"]
        if self.grid is not None:
            header.append("Angstrom")
            for row, low, high in zip(rows, table["start"].value, table["stop"].value, strict=True):
                row.append(f"{low:.1f} to {high:.1f}")
        return Table(repr(self)[1:-1], rows + [["...", *[""] * (len(header) - 1)]] * (len(self) > _SHOWN), header)

    @property
    def _state(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The bins of all regions one after the other, and where each region starts."""
        return self.members.indices, self.members.indptr

    def _bins(self, number: int) -> NDArray[np.intp]:
        indices, starts = self._state
        return indices[starts[number] : starts[number + 1]]

    def _number(self, name: str) -> int:
        if name not in self.names:
            raise AgnsalError(f"there is no region {name!r}; there are {', '.join(self.names[:20])}.")
        return self.names.index(name)

    @property
    def n_features(self) -> int:
        """Number of bins, in regions or not."""
        return self.members.shape[1]

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """The bins of each region, shape (n_regions, n_features)."""
        return self.members.toarray() > 0

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """How many bins each region has, shape (n_regions,)."""
        return np.diff(self._state[1])

    @cached_property
    def _counts(self) -> NDArray[np.intp]:
        """In how many regions each bin is."""
        return np.bincount(self._state[0], minlength=self.n_features)

    @cached_property
    def _pieces(self) -> tuple[NDArray[np.intp], csr_array]:
        """Neighbouring bins that are in the same regions: the first of each piece, and which pieces a region has."""
        changes = abs(self.members[:, 1:] - self.members[:, :-1]).sum(axis=0) > 0
        first = np.flatnonzero(np.append(True, changes)[: self.n_features])
        return first, self.members[:, first]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Whether a bin is in any region, shape (n_features,)."""
        return self._counts > 0

    @property
    def overlap(self) -> bool:
        """Whether a bin is in two regions."""
        return bool((self._counts > 1).any())

    @cached_property
    def is_partition(self) -> bool:
        """Whether every bin is in one region."""
        return bool((self._counts == 1).all())

    @cached_property
    def is_single(self) -> bool:
        """Whether every bin is a region of its own, in order."""
        bins, starts = self._state
        every = np.arange(self.n_features + 1)
        return np.array_equal(bins, every[:-1]) and np.array_equal(starts, every)

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """Number of the region of each bin, -1 for none, shape (n_features,); refused where regions share bins."""
        labels = np.full(self.n_features, -1, dtype=np.intp)
        labels[self._without_overlap()._state[0]] = np.repeat(np.arange(len(self)), self.sizes)
        return labels

    def _without_overlap(self) -> Regions:
        if self.overlap:
            place = int((self._counts > 1).argmax())
            first, second = [name for name, mask in self.items() if mask[place]][:2]
            raise AgnsalError(
                f"regions {first!r} and {second!r} share bins; here every bin must be in one region. Give bins to one "
                "of them, or name lines: of those the first named has what they share."
            )
        return self

    def select(self, names: Iterable[str]) -> Regions:
        """Some of the regions.

        Parameters
        ----------
        names : iterable of str
            Which, in which order.

        Returns
        -------
        Regions

        Raises
        ------
        AgnsalError
            If there is none of a name.
        """
        names = tuple(names)
        return self if names == self.names else self._take([self._number(name) for name in names])

    def _take(self, numbers: Sequence[int] | NDArray[np.intp]) -> Regions:
        return Regions(tuple(self.names[number] for number in numbers), self.members[list(numbers)], self.grid)

    def with_rest(self, name: str = REST) -> Regions:
        """The same regions and one more, of all bins in none; nothing changes where there are no such bins.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Regions

        Examples
        --------
        >>> Regions.from_labels([0, -1, 0], outside=-1).with_rest().labels
        array([0, 1, 0])
        """
        return self if self.covered.all() else self._and({name: ~self.covered})

    def with_gaps(self) -> Regions:
        """The same regions and every stretch between them as another, in order of wavelength.

        Returns
        -------
        Regions
            Stretches are named by their ranges in Angstrom, or by their first and last bin.

        Examples
        --------
        >>> Regions.from_masks({"line": [False, False, True, False]}).with_gaps().names
        ('0-1', 'line', '3-3')
        """
        ends = np.flatnonzero(np.diff(np.concatenate([[False], ~self.covered, [False]]).astype(int)))
        low, high = ends[::2], ends[1::2]
        if self.grid is None:
            names = tuple(f"{start}-{stop - 1}" for start, stop in zip(low, high, strict=True))
        else:
            names = _ranges(self.grid.edges.value[low], self.grid.edges.value[high])
        whole = self._and({n: np.arange(a, b) for n, a, b in zip(names, low, high, strict=True)})
        return whole._take(np.argsort(whole.means(np.arange(float(self.n_features))), kind="stable"))

    def _and(self, more: Mapping[str, NDArray[Any]]) -> Regions:
        return Regions.from_masks({**self, **more}, self.n_features, self.grid) if more else self

    def sums(self, values: ArrayLike) -> NDArray[np.float64]:
        """Sum values over the bins of each region.

        Parameters
        ----------
        values : array_like, shape (..., n_features)
            For instance one row for each spectrum; of booleans those that are True are counted.

        Returns
        -------
        ndarray, shape (..., n_regions)

        Raises
        ------
        AgnsalError
            If there is not a value for each bin.
        """
        values = np.asarray(values)
        values = values.view(np.uint8) if values.dtype == bool else values.astype(np.float64, copy=False)
        if values.shape[-1:] != (self.n_features,):
            raise AgnsalError(f"the regions are of {self.n_features} bins, the values have shape {values.shape}.")
        if self.is_single:
            return values.astype(np.float64, copy=False)
        rows = values.reshape(-1, self.n_features)
        first, members = self._pieces
        pieces = np.add.reduceat(rows, first, axis=1, dtype=np.uint32 if rows.dtype == np.uint8 else None)
        return (members @ pieces.T).T.reshape(*values.shape[:-1], len(self))

    def means(self, values: ArrayLike) -> NDArray[np.float64]:
        """Mean of values over the bins of each region, NaN for one without bins; shapes as in `sums`."""
        return self.sums(values) / np.where(self.sizes > 0, self.sizes, np.nan)

    def spread(self, values: ArrayLike) -> NDArray[np.float64]:
        """Share the value of each region equally among its bins, so that sums over regions give it back.

        Parameters
        ----------
        values : array_like, shape (..., n_regions)
            For instance one row for each spectrum.

        Returns
        -------
        ndarray, shape (..., n_features)
            0 for bins in no region.

        Raises
        ------
        AgnsalError
            If regions share bins, or there is not a value for each region.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape[-1:] != (len(self),):
            raise AgnsalError(f"there are {len(self)} regions, the values have shape {values.shape}.")
        if self.is_single:
            return values
        return np.pad(values / np.maximum(self.sizes, 1), [(0, 0)] * (values.ndim - 1) + [(0, 1)])[..., self.labels]

    def to_table(self) -> QTable:
        """One row a region.

        Returns
        -------
        QTable
            ``region``, ``n_bins``; with a grid also ``start`` and ``stop`` (outer edges; NaN for a region without
            bins).

        Examples
        --------
        >>> from agnsal import PERUZZI2021_GRID
        >>> table = Regions.from_lines(PERUZZI2021_GRID, ["Hbeta"], part="core").to_table()
        >>> int(table["n_bins"][0]), table["start"].round(1)
        (7, <Quantity [4857.5] Angstrom>)
        """
        table = QTable()
        table["region"], table["n_bins"] = np.array(self.names, dtype=str), self.sizes
        if self.grid is not None:
            ends = [(bins.min(), bins.max() + 1) if bins.size else None for bins in map(self._bins, range(len(self)))]
            edges = self.grid.edges.value
            table["start"] = [np.nan if end is None else edges[end[0]] for end in ends] * u.AA
            table["stop"] = [np.nan if end is None else edges[end[1]] for end in ends] * u.AA
        return table

    def pack(self) -> tuple[dict[str, NDArray[Any]], list[str]]:
        """Split into arrays and what JSON must remember, for a file; the grid is not among them.

        Returns
        -------
        arrays : dict of str to ndarray
        header : list of str
            The names.
        """
        bins, starts = self._state
        n_features = np.array([self.n_features])
        return {"region_bins": bins, "region_starts": starts, "region_features": n_features}, list(self.names)

    @classmethod
    def unpack(
        cls, arrays: Mapping[str, NDArray[Any]], header: list[str], grid: WavelengthGrid | None = None
    ) -> Regions:
        """Put together what `pack` split.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            At least those that `pack` made.
        header : list of str
            The names.
        grid : WavelengthGrid, optional
            The wavelengths of the bins.

        Returns
        -------
        Regions
        """
        bins, starts = arrays["region_bins"], arrays["region_starts"]
        shape = (len(header), int(arrays["region_features"][0]))
        grows = starts.shape == (shape[0] + 1,) and starts[0] == 0 and (np.diff(starts) >= 0).all()
        if not grows or starts[-1] != bins.size or not ((bins >= 0) & (bins < shape[1])).all():
            raise AgnsalError(f"{bins.size} bins do not make {shape[0]} regions of {shape[1]} features")
        return cls(tuple(header), csr_array((np.ones(bins.size), bins, starts), shape=shape), grid)


def _partition(labels: NDArray[Any], names: tuple[str, ...], grid: WavelengthGrid | None) -> Regions:
    """Regions of labels 0, 1, 2, ... without a gap."""
    order = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=len(names)))])
    return Regions(names, csr_array((np.ones(labels.size), order, starts), shape=(len(names), labels.size)), grid)


def _needed(grid: WavelengthGrid | None, what: str) -> WavelengthGrid:
    if grid is None:
        raise AgnsalError(f"{what} need wavelengths: explain a SpectralSample, or give a label for each feature.")
    return grid


def _ranges(low: NDArray[Any], high: NDArray[Any], digits: int = 0, unit: str = "") -> tuple[str, ...]:
    """Names of windows by their ranges, with as many digits as tell them apart."""
    names = tuple(f"{start:.{digits}f}-{stop:.{digits}f}{unit}" for start, stop in zip(low, high, strict=True))
    return names if len(set(names)) == len(names) else _ranges(low, high, digits + 1, unit)


def _shared_out(masks: Mapping[str, NDArray[np.bool_]], part: str, *, skip: bool) -> dict[str, NDArray[np.bool_]]:
    """Give bins that several want to the first; what is left without any is skipped or refused."""
    shared: dict[str, NDArray[np.bool_]] = {}
    taken: NDArray[np.bool_] | None = None
    for name, mask in masks.items():
        own = mask if taken is None else mask & ~taken
        taken = mask if taken is None else mask | taken
        if own.any():
            shared[name] = own
        elif not skip:
            raise AgnsalError(
                f"all bins of {name} belong to the lines named before it; name it first, or leave it out."
                if mask.any()
                else f"{name} has no bins in its {part}; leave it out."
            )
    return shared


def _numbers(mask: NDArray[Any], name: str, n_features: int) -> NDArray[np.intp]:
    """Numbers of bins from a mask or from numbers, in order."""
    if mask.dtype == bool and mask.shape == (n_features,):
        return np.flatnonzero(mask)
    fits = mask.ndim == 1 and mask.size and mask.dtype.kind in "iu" and mask.min() >= 0 and mask.max() < n_features
    if not fits:
        raise AgnsalError(
            f"region {name!r} must be a mask of {n_features} booleans or hold numbers from 0 to {n_features - 1}, got "
            f"{mask.dtype} of shape {mask.shape}."
        )
    return np.unique(mask).astype(np.intp)
