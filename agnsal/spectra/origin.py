"""How the spectra were made that something was learnt from: their grid, unit and normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import astropy.units as u
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import GRID_HEADER, WavelengthGrid, pack_grid, unpack_grid
from agnsal.spectra.normalization import NORMALIZATION_HEADER, Normalization
from agnsal.spectra.sample import SpectralSample

#: What a file says of the spectra that something was made of; see `agnsal.store.contents.check_header`.
ORIGIN_HEADER = {"unit": str, "grid": GRID_HEADER[0], "normalization": NORMALIZATION_HEADER}


@dataclass(frozen=True)
class Origin:
    """The form of the spectra that something was learnt from: other samples must be alike.

    Attributes
    ----------
    grid : WavelengthGrid
        Of the sample.
    unit : Unit
        Of its flux.
    normalization : Normalization or None
        How it was normalised.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(2, 2, 0, seed=0)
    >>> Origin.of(sample).check(sample, "the first spectrum's")
    >>> Origin.of(sample).check(sample.normalize(), "the first spectrum's")
    Traceback (most recent call last):
        ...
    agnsal.errors.AgnsalError: the first spectrum's unit is 1e-17 erg / (Angstrom s cm2), ...
    """

    grid: WavelengthGrid
    unit: u.UnitBase
    normalization: Normalization | None

    @classmethod
    def of(cls, sample_or_X: SpectralSample | ArrayLike) -> Origin | None:
        """Remember a sample; None for an array, which does not say."""
        if not isinstance(sample_or_X, SpectralSample):
            return None
        return cls(sample_or_X.grid, sample_or_X.unit, sample_or_X.normalization)

    def check(self, sample: SpectralSample, whose: str, *, flux_will_do: bool = False) -> None:
        """Refuse a sample that differs in grid, unit or normalisation.

        Parameters
        ----------
        sample : SpectralSample
            What is to be compared.
        whose : str
            Beginning of the message, about what was seen before.
        flux_will_do : bool
            Whether the flux alone is taken too, without being asked how it was prepared.

        Raises
        ------
        AgnsalError
            If it differs.
        """
        for what in ("grid", "unit", "normalization"):
            learnt, given = (getattr(one, what) for one in (self, sample))
            if learnt != given:
                names = [str(one) or "dimensionless" if what == "unit" else repr(one) for one in (learnt, given)]
                way_out = ", or pass their .flux if you know that it means the same" if flux_will_do else ""
                raise AgnsalError(
                    f"{whose} {what} is {names[0]}, that of these is {names[1]}; prepare them in the same way{way_out}."
                )

    def prepare(self, sample: SpectralSample, on_error: Literal["raise", "skip"] = "raise") -> SpectralSample:
        """Normalise a sample as that learnt from; one that is normalised already stays."""
        how = self.normalization
        if how is None or sample.normalization is not None:
            return sample
        if how.at is None:
            return sample.normalize(by=how.by, on_error=on_error)
        window = None if how.window is None else how.window * u.AA
        return sample.normalize(how.at * u.AA, window, on_error=on_error)

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and JSON header."""
        edges, grid = pack_grid(self.grid)
        done = None if self.normalization is None else self.normalization.pack()
        return edges, {"unit": self.unit.to_string(), "grid": grid, "normalization": done}

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]], header: Mapping[str, Any] | None) -> Origin | None:
        """Put together what `pack` took apart, or None."""
        grid = unpack_grid(arrays, None if header is None else header["grid"])
        if header is None or grid is None:
            return None
        done = header["normalization"]
        return cls(grid, u.Unit(header["unit"]), None if done is None else Normalization(**done))


def check_alike(first: SpectralSample | Origin, second: SpectralSample, whose: str) -> None:
    """Refuse a sample that differs from another in grid, unit or normalisation.

    A dimensionless sample that `SpectralSample.normalize` has not made does not say how it was normalised, and is taken
    as it is: where a sample is needed, its flux alone cannot be given instead.

    Parameters
    ----------
    first : SpectralSample or Origin
        What has been seen.
    second : SpectralSample
        What will be compared with it.
    whose : str
        Beginning of the message, about the first.

    Raises
    ------
    AgnsalError
        If they differ.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(2, 2, 0, seed=0)
    >>> check_alike(sample[:1], sample[1:], "the first spectrum's")
    """
    silent = any(one.normalization is None and one.unit == u.dimensionless_unscaled for one in (first, second))
    Origin(first.grid, first.unit, second.normalization if silent else first.normalization).check(second, whose)
