"""What a figure needs to know of what it draws, and what it refuses; whoever makes a record need not be known here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError

if TYPE_CHECKING:
    from astropy.table import QTable

    from agnsal.spectra.grid import WavelengthGrid
    from agnsal.spectra.sample import SpectralSample

Floats = NDArray[np.float64]


def expect(thing: object, name: str, wanted: str, *members: str) -> None:
    """Refuse what is no record of the kind that a figure draws.

    Parameters
    ----------
    thing : object
        What the user gave.
    name : str
        Of the argument.
    wanted : str
        What it should be, in words.
    *members : str
        What the record must have.

    Raises
    ------
    AgnsalError
        If any of them is missing.

    Examples
    --------
    >>> expect("spectrum.fits", "sample", "a SpectralSample", "flux")
    Traceback (most recent call last):
        ...
    agnsal.errors.AgnsalError: sample must be a SpectralSample; got str: 'spectrum.fits'.
    """
    if not all(hasattr(thing, member) for member in members):
        raise AgnsalError(f"{name} must be {wanted}; got {type(thing).__name__}: {thing!r:.60}.")


def rows(indices: int | ArrayLike | None, n: int, default: Sequence[int]) -> NDArray[np.intp]:
    """Row numbers from what a user gave.

    Parameters
    ----------
    indices : int, array_like of int or bool, or None
        Which rows.
    n : int
        How many there are.
    default : sequence of int
        What None means.

    Returns
    -------
    ndarray of int

    Raises
    ------
    AgnsalError
        If there is no such row.
    """
    chosen = np.atleast_1d(np.asarray(default if indices is None else indices))
    if chosen.dtype == bool and chosen.shape == (n,):
        return np.flatnonzero(chosen)
    if chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu":
        raise AgnsalError(f"row numbers between 0 and {n - 1} are expected, got {indices!r:.80}.")
    if chosen.min() < -n or chosen.max() >= n:
        raise AgnsalError(f"there are {n} spectra, numbered 0 to {n - 1}; asked for {indices!r:.80}.")
    return chosen % n


def first_of_each(labels: NDArray[np.generic] | None, n: int) -> list[int]:
    """Pick the first spectrum of each class, or the first three.

    Parameters
    ----------
    labels : ndarray or None
        Class of each spectrum.
    n : int
        Number of spectra.

    Returns
    -------
    list of int
    """
    if labels is None:
        return list(range(min(3, n)))
    return sorted(np.unique(np.asarray(labels).astype(str), return_index=True)[1].tolist())


class AttributionRecord(Protocol):
    """Maps of spectra, as an `agnsal.Attribution` holds them."""

    @property
    def values(self) -> Floats: ...
    @property
    def observed_values(self) -> Floats: ...
    @property
    def mask(self) -> NDArray[np.bool_] | None: ...
    @property
    def uncertainty(self) -> Mapping[str, Floats] | None: ...
    @property
    def target(self) -> NDArray[np.generic]: ...
    @property
    def method(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def explained(self) -> Floats: ...
    @property
    def inputs(self) -> Floats: ...
    @property
    def ids(self) -> NDArray[np.generic]: ...
    @property
    def unit(self) -> u.UnitBase: ...
    @property
    def flux_unit(self) -> u.UnitBase | None: ...
    @property
    def provenance(self) -> Mapping[str, object]: ...
    @property
    def title(self) -> str: ...
    @property
    def grid(self) -> WavelengthGrid | None: ...
    @property
    def baseline(self) -> Floats | None: ...
    @property
    def features(self) -> NDArray[np.generic] | None: ...
    @property
    def unexplained(self) -> Floats | None: ...
    @property
    def standard_error(self) -> Floats | None: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> AttributionRecord: ...
    def by_line(self) -> QTable: ...


class ConceptsRecord(Protocol):
    """How an output changes with named quantities, as `agnsal.ConceptSensitivity` holds it."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def values(self) -> Floats: ...
    @property
    def known(self) -> NDArray[np.bool_]: ...
    @property
    def scores(self) -> Floats: ...
    @property
    def shuffled(self) -> Floats: ...
    @property
    def p_values(self) -> Floats: ...
    @property
    def target(self) -> object: ...
    @property
    def output(self) -> str: ...


class CounterfactualsRecord(Protocol):
    """Spectra before and after an edit, as `agnsal.Counterfactuals` holds them."""

    @property
    def before(self) -> SpectralSample: ...
    @property
    def spectra(self) -> SpectralSample: ...
    @property
    def target(self) -> NDArray[np.generic]: ...
    @property
    def flipped(self) -> NDArray[np.bool_]: ...
    @property
    def path(self) -> Floats: ...
    def words(self, i: int, most: int = 2) -> str: ...
    def __len__(self) -> int: ...


class InfluenceRecord(Protocol):
    """What training spectra add to an output, as an `agnsal.TrainingInfluence` holds it."""

    @property
    def ids(self) -> NDArray[np.generic]: ...
    @property
    def target(self) -> NDArray[np.generic]: ...
    @property
    def output(self) -> str: ...
    @property
    def inputs(self) -> Floats: ...
    @property
    def mask(self) -> NDArray[np.bool_] | None: ...
    @property
    def explained(self) -> Floats: ...
    @property
    def exact(self) -> bool: ...
    @property
    def flux_unit(self) -> u.UnitBase | None: ...
    @property
    def grid(self) -> WavelengthGrid | None: ...
    @property
    def rows(self) -> NDArray[np.intp]: ...
    @property
    def training_flux(self) -> Floats | None: ...
    def most(self, i: int = 0, k: int = 5, *, side: Literal["both", "for", "against"] = "both") -> QTable: ...
    def __len__(self) -> int: ...


class PredictionSetsRecord(Protocol):
    """Classes that cannot be excluded, as `agnsal.PredictionSets` holds them."""

    @property
    def classes_(self) -> NDArray[np.generic]: ...
    @property
    def level(self) -> float: ...
    @property
    def sets(self) -> NDArray[np.bool_]: ...
    @property
    def unfamiliar(self) -> NDArray[np.bool_] | None: ...
    def coverage(self, y: ArrayLike) -> QTable: ...
    def __len__(self) -> int: ...


class MeanMapsRecord(Protocol):
    """Mean and scatter of the maps of each group, as `agnsal.MeanMaps` holds them."""

    @property
    def mean(self) -> AttributionRecord: ...
    @property
    def scatter(self) -> Floats: ...
    @property
    def count(self) -> NDArray[np.intp]: ...
    @property
    def groups(self) -> NDArray[np.generic]: ...


class HierarchyRecord(Protocol):
    """How the units of a spectrum join level by level, as `agnsal.Hierarchy` holds it."""

    @property
    def labels(self) -> NDArray[np.intp]: ...
    @property
    def component_scores(self) -> Sequence[Mapping[int, float]]: ...
    @property
    def units(self) -> NDArray[np.intp]: ...
    @property
    def target(self) -> object: ...
    @property
    def n_levels(self) -> int: ...


class RemovalCurvesRecord(Protocol):
    """The output of a model while a spectrum is removed piece by piece."""

    @property
    def removed(self) -> Floats: ...
    @property
    def deletion(self) -> Floats: ...
    @property
    def insertion(self) -> Floats: ...


class ReportRecord(Protocol):
    """What `agnsal.check` found."""

    @property
    def method(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def curves(self) -> RemovalCurvesRecord: ...


class ScoresRecord(Protocol):
    """Maps of many methods beside a known truth, as a benchmark makes them."""

    @property
    def maps(self) -> Mapping[str, Floats]: ...


class PiecewiseScoresRecord(ScoresRecord, Protocol):
    """Of `agnsal.PiecewiseLinearBenchmark`: several truths."""

    @property
    def truths(self) -> Mapping[str, Floats]: ...
    @property
    def judged(self) -> Mapping[str, Sequence[str]]: ...
    def correlation(self, method: str, truth: str, statistic: str = "pearson") -> Floats: ...


@runtime_checkable
class SpectralScoresRecord(ScoresRecord, Protocol):
    """Of `agnsal.SpectralBenchmark`: one truth on a grid, several metrics."""

    @property
    def truth(self) -> Floats: ...
    @property
    def metrics(self) -> Mapping[str, Mapping[str, Floats]]: ...
    @property
    def grid(self) -> WavelengthGrid: ...


class EmbeddingRecord(Protocol):
    """A fitted map of spectra, as an `agnsal.SpectralEmbedding` is."""

    @property
    def coordinates(self) -> Floats: ...
