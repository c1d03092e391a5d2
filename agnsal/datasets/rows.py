"""`Rows` of a data set, and the `Block` that is read of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.datasets.catalogue import id_columns, known_redshifts, texts
from agnsal.datasets.sources import Source
from agnsal.errors import AgnsalError
from agnsal.spectra.collecting import collect
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.normalization import USUAL
from agnsal.spectra.plain import PlainSpectrum
from agnsal.spectra.sample import SpectralSample


@dataclass(frozen=True)
class Block:
    """Some rows of a data set on a grid.

    Attributes
    ----------
    number : int
        Which block it is.
    rows : ndarray of int
        Of the data set, one for each spectrum of the sample.
    sample : SpectralSample or None
        The spectra; None if none of them could be used.
    left_out : dict of int to str
        Rows that could not be used, with their causes.
    """

    number: int
    rows: NDArray[np.intp]
    sample: SpectralSample | None
    left_out: dict[int, str]


@dataclass(frozen=True)
class Rows:
    """Successive rows of a data set, with all that is needed to read them and nothing of the others.

    This is what is sent to another process: it does not grow with the data set.

    Attributes
    ----------
    number : int
        Which block they make.
    first : int
        Where they begin in the data set.
    source : Source or SpectralSample
        Of their spectra alone.
    table : QTable
        A row for each.
    min_coverage : float
        Least fraction of good bins of a spectrum.
    frame : str
        Of the spectra.
    """

    number: int
    first: int
    source: Source | SpectralSample
    table: QTable
    min_coverage: float
    frame: str

    def __len__(self) -> int:
        return len(self.table)

    @property
    def numbers(self) -> NDArray[np.intp]:
        """Their numbers in the data set."""
        return np.arange(self.first, self.first + len(self))

    @property
    def ids(self) -> NDArray[Any]:
        """Names of the objects, as text."""
        return self.ids_at(np.arange(len(self)))

    def ids_at(self, places: NDArray[np.intp]) -> NDArray[Any]:
        """Names of some of the objects."""
        found = np.full(len(places), "")
        for name in id_columns(self.table):
            if (found == "").any():
                found = np.where(found == "", texts(self.table[name][places]), found)
        nameless = found == ""
        if nameless.any():
            found = np.where(nameless, [f"row {self.first + place}" for place in places], found)
        return found

    @property
    def labels(self) -> NDArray[Any] | None:
        """Class labels, "" where there is none, if the table has a column ``label``."""
        return texts(self.table["label"]) if "label" in self.table.colnames else None

    @property
    def redshift(self) -> NDArray[np.float64] | None:
        """Redshifts, NaN where there is none, if the table has a column ``redshift``."""
        return np.array(self.table["redshift"], dtype=float) if "redshift" in self.table.colnames else None

    def state_of_files(self) -> tuple[int, int]:
        """The bytes of the files they lie in, and when the last of these was changed, in ns; 0 for a sample."""
        if isinstance(self.source, SpectralSample):
            return 0, 0
        found = [path.stat() for path in self.source.files if path.is_file()]
        return sum(each.st_size for each in found), max((each.st_mtime_ns for each in found), default=0)

    def block(self, number: int, size: int) -> Rows:
        """Some of them: from ``number * size`` on at most `size`."""
        start, stop = number * size, min((number + 1) * size, len(self))
        source = self.source[start:stop] if isinstance(self.source, SpectralSample) else self.source.part(start, stop)
        return replace(self, number=number, first=self.first + start, source=source, table=self.table[start:stop])

    def read(self, grid: WavelengthGrid, *, normalize: bool = True) -> Block:
        """Read the spectra, and put those that can be used on a grid.

        Parameters
        ----------
        grid : WavelengthGrid
            What they are resampled on to.
        normalize : bool
            Divide each spectrum by its flux at 5100 Angstrom.

        Returns
        -------
        Block
        """
        if not isinstance(grid, WavelengthGrid):
            raise AgnsalError(f"a WavelengthGrid was expected, got {type(grid).__name__}.")
        if isinstance(self.source, SpectralSample):
            sample = self.source
            if sample.grid != grid:
                raise AgnsalError(f"the sample is on {sample.grid!r}, not on {grid!r}; open the files it was made of.")
            return self._block(self.numbers, sample, {}, normalize and sample.normalization is None)
        spectra: dict[int, PlainSpectrum] = {}  # by their place
        left_out: dict[int, str] = {}
        for place, one in enumerate(self.source.read()):
            if isinstance(one, AgnsalError):
                left_out[self.first + place] = str(one)
            else:
                spectra[place] = one
        if not spectra:
            return Block(self.number, self.numbers[:0], None, left_out)
        good, labels = np.array(list(spectra)), self.labels
        put = collect(
            list(spectra.values()),
            grid,
            redshift=known_redshifts(None if self.redshift is None else self.redshift[good], list(spectra.values())),
            labels=None if labels is None else labels[good],
            ids=self.ids[good],
            min_coverage=self.min_coverage,
            method="flux_conserving",
            frame=self.frame,
            on_error="note",
        )
        kept = self.numbers[good]
        left_out |= {int(kept[place]): cause for place, cause in put.left_out.items()}
        if not len(put.rows):
            return Block(self.number, kept[:0], None, left_out)
        sample = SpectralSample(put.flux, grid, ivar=put.ivar, mask=put.mask, unit=put.unit, table=put.table)
        return self._block(kept[put.rows], sample, left_out, normalize)

    def _block(
        self, rows: NDArray[np.intp], sample: SpectralSample, left_out: dict[int, str], normalize: bool
    ) -> Block:
        if normalize:
            sample, refused = sample.divided(USUAL)
            left_out = left_out | {int(rows[place]): cause for place, cause in refused.items()}
            rows = np.delete(rows, list(refused))
            if not len(sample):
                return Block(self.number, rows, None, left_out)
        sample.table["row"] = rows
        return Block(self.number, rows, sample, left_out)
