"""The one result type of every attribution method."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.export import to_quantus, to_shap
from agnsal.attribution.answer.file import ECSV, FITS
from agnsal.attribution.answer.line_sums import ELSEWHERE, LineTable, add_errors, line_sums
from agnsal.attribution.answer.maps import MeanMaps, cluster_maps, map_stability, mean_maps
from agnsal.attribution.answer.options import of_rows, packed, unpacked
from agnsal.attribution.answer.spread import errors_of
from agnsal.attribution.question.methods import Answers, find_method
from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError
from agnsal.seeds import Seed
from agnsal.spectra.grid import GRID_HEADER, WavelengthGrid, pack_grid, unpack_grid
from agnsal.spectra.lines import SpectralLine
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample
from agnsal.store import NPZ, Array, Stored

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


#: Fields with one entry per spectrum.
_BY_SPECTRUM = (
    "values",
    "target",
    "explained",
    "inputs",
    "ids",
    "mask",
    "residual",
    "unexplained",
    "unexplained_share",
)


#: Spectra shown when a result is printed.
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Attribution(Displayed, Stored):
    """How much each feature of each spectrum matters for one output of a model; the sign is kept.

    Attributes
    ----------
    values : ndarray, shape (n, n_features)
        The attribution, in `unit`.
    target : ndarray, shape (n,)
        What is explained of each spectrum: a class label (for ``output="pairwise"`` "a over b").
    method : str
        Name of the method, for instance ``"saliency"``.
    output : str
        Which output of the model: ``"probability"``, ``"log_odds"``, ``"decision"`` or ``"pairwise"``.
    explained : ndarray, shape (n,)
        Value of the explained output at each spectrum.
    inputs : ndarray, shape (n, n_features)
        The spectra that were explained.
    unit : Unit
        Unit of `values`: per unit of flux for a gradient, none for the methods that share out the output itself.
    flux_unit : Unit or None
        Unit of the spectra, where a sample was explained.
    grid : WavelengthGrid or None
        Wavelengths of the features, where a sample was explained.
    ids : ndarray, shape (n,)
        Names of the spectra.
    mask : ndarray of bool, shape (n, n_features), or None
        Bad bins of the spectra (True = bad); `observed_values` has NaN there.
    baseline : ndarray, shape (n_features,) or (n, n_features), or None
        What the spectra were compared with, for methods that need it.
    residual : ndarray, shape (n,), or None
        Completeness residual, for methods whose values should sum to a known difference: that difference less the sum.
    features : ndarray of str, shape (n_features,), or None
        Names of the features where they are not wavelengths: the axis of a transform. There is no grid then, and
        `inputs` holds the coordinates.
    unexplained : ndarray, shape (n,), or None
        After a transform: what the part of the spectrum the transform cannot represent adds to the output.
    unexplained_share : ndarray, shape (n,), or None
        Its size relative to the whole difference between the spectrum and the baseline.
    uncertainty : dict of str to ndarray, or None
        By source (``"flux"``, ``"training"``): draws of the attribution, shape (n_draws, n, n_features), or, where the
        values of different features are independent, their standard errors, shape (n, n_features).
    regions : Regions or None
        Bins that were taken together, for methods that take regions.
    options : dict
        Every option of the method as it was given, and the ``"target"``; a seed that was drawn is there as a number.
        With these `again` asks the same of other spectra.
    provenance : dict
        What else to know: the model in words, versions, how the method went.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> result = agnsal.saliency(model, sample[:2])
    >>> result
    <Attribution: saliency of the probability, 2 spectra x 1000 bins>
    >>> result.by_line(["Hbeta"]).colnames[:6]
    ['object_id', 'line', 'core', 'wings', 'continuum', 'bad_fraction']
    >>> result.again(model, sample[2:]).values.shape
    (38, 1000)
    """

    values: NDArray[np.float64]
    target: NDArray[Any]
    method: str
    output: str
    explained: NDArray[np.float64]
    inputs: NDArray[np.float64]
    ids: NDArray[Any]
    unit: u.UnitBase = u.dimensionless_unscaled
    grid: WavelengthGrid | None = None
    mask: NDArray[np.bool_] | None = None
    baseline: NDArray[np.float64] | None = None
    residual: NDArray[np.float64] | None = None
    features: NDArray[Any] | None = None
    unexplained: NDArray[np.float64] | None = None
    unexplained_share: NDArray[np.float64] | None = None
    uncertainty: Mapping[str, NDArray[np.float64]] | None = None
    flux_unit: u.UnitBase | None = None
    regions: Regions | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        n, d = self.values.shape
        what = "bins" if self.grid is not None else "features"
        bad = 0.0 if self.mask is None or not self.mask.size else 100 * self.mask.mean()
        lost = f", {bad:.0f} % not observed" if bad >= 1 else ""
        return f"<Attribution: {self.method} of the {self.output.replace('_', '-')}, {n} spectra x {d} {what}{lost}>"

    def _display(self) -> Table:
        sums = None
        if self.grid is not None and self.features is None:
            with contextlib.suppress(AgnsalError):  # no named line on the grid, or none can be
                sums = self.by_line()
                sums = sums[sums["line"] != ELSEWHERE]
        shown = min(len(self), _SHOWN)
        rows = []
        for i in range(shown):
            row: list[object] = [self.ids[i], self.target[i], float(self.explained[i])]
            if sums is not None:
                one = sums[i * (len(sums) // len(self)) : (i + 1) * (len(sums) // len(self))]
                strength = np.abs(np.nan_to_num(one["core"].value) + np.nan_to_num(one["wings"].value))
                row.append(str(one["line"][strength.argmax()]))
            rows.append(row)
        if len(self) > shown:
            rows.append([f"... {len(self) - shown} more", *[""] * (2 if sums is None else 3)])
        header = ["object_id", "target", self.output.replace("_", "-"), *([] if sums is None else ["strongest line"])]
        return Table(repr(self)[1:-1], rows, header)

    def __getitem__(self, index: Any) -> Attribution:
        """Take some of the spectra: one number (a result of one), a slice, an array of numbers or of booleans."""
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"spectrum {index} of an attribution of {len(self)}")
            index = [int(index)]
        rows = np.arange(len(self))[index]
        taken: dict[str, Any] = {"options": of_rows(self.options, rows, len(self))}
        for name in _BY_SPECTRUM:
            value = getattr(self, name)
            taken[name] = None if value is None else value[rows]
        if self.uncertainty is not None:
            taken["uncertainty"] = {source: spread[..., rows, :] for source, spread in self.uncertainty.items()}
        if self.baseline is not None and self.baseline.ndim > 1:
            taken["baseline"] = self.baseline[rows]
        return replace(self, **taken)

    @property
    def answers(self) -> Answers:
        """What the values are: ``"gradient"``, ``"variance"``, ``"shares"`` or ``"experiments"``.

        What `from_arrays` was told, else that of the method.
        """
        known = find_method(self.method)
        return self.provenance.get("answers", "shares" if known is None else known.answers)

    @property
    def title(self) -> str:
        """Name of the method for people."""
        known = find_method(self.method)
        return self.method.replace("_", " ") if known is None else known.title

    @property
    def repeatable(self) -> bool:
        """Whether the result knows how it was made, so that `again` can be asked."""
        return "target" in self.options and find_method(self.method) is not None

    def again(self, model: Any, spectra: SpectralSample | ArrayLike, **changed: Any) -> Attribution:
        """Ask the same of other spectra, or of another model: the same method, output and options.

        Parameters
        ----------
        model : object
            The model to explain.
        spectra : SpectralSample or array_like, shape (n, n_features)
            The spectra to explain.
        **changed
            Options that are to be other than they were; ``target`` is one of them.

        Returns
        -------
        Attribution
            For the same model and spectra equal to this one bit for bit, draws included. Baselines, fills and
            regions given by name, and a predicted target, are worked out anew for the spectra. Only what
            `attribution_uncertainty` added is not made again.

        Raises
        ------
        AgnsalError
            If the result does not know how it was made (a mean of maps, a map of another package), or an option has
            a row for each of the spectra explained first and these are others.

        Examples
        --------
        >>> from agnsal import ProbabilisticSVC, simulate_agn, smooth_gradient
        >>> sample = simulate_agn(20, 20, 0, seed=1).normalize()
        >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
        >>> result = smooth_gradient(model, sample[:3])
        >>> bool((result.again(model, sample[:3]).values == result.values).all())
        True
        """
        known = find_method(self.method)
        if known is None or not self.repeatable:
            raise AgnsalError(
                f"these {self.title} maps do not know how to be made again: only what a method of agnsal returned "
                "does, not a mean of maps or what another package made."
            )
        options = {**self.options, **changed}
        if "transform" not in options:
            return known.function(model, spectra, output=self.output, **options)
        transform = options.pop("transform")
        if isinstance(transform, str):
            raise AgnsalError(
                f"a file does not hold the transform, only its name ({transform}); give it: "
                ".again(model, spectra, transform=...)."
            )
        import agnsal

        asked = {name: options.pop(name) for name in ("target", "baseline", "by", "combine")}
        method = partial(known.function, **options)
        return agnsal.transformed(model, spectra, transform, method, output=self.output, **asked)

    @property
    def standard_error(self) -> NDArray[np.float64] | None:
        """Standard error of every value from all sources together, shape (n, n_features); None where unknown."""
        return None if self.uncertainty is None else errors_of(self.uncertainty)[""]

    @property
    def observed_values(self) -> NDArray[np.float64]:
        """The values where there are data, NaN in bad bins: what tables and figures show, shape (n, n_features).

        `values` are those of the complete vectors that the model was given; in bad bins these hold what the sample
        was bridged with, and what a method says of that is not about the object.
        """
        return self.values if self.mask is None else np.where(self.mask, np.nan, self.values)

    @property
    def unobserved(self) -> NDArray[np.float64]:
        """Sum of the values in bad bins of each spectrum, in `unit`, shape (n,): what no line gets credit for."""
        return np.zeros(len(self)) if self.mask is None else np.where(self.mask, self.values, 0.0).sum(axis=1)

    def by_line(self, lines: str | SpectralLine | Iterable[str | SpectralLine] | None = None) -> LineTable:
        """Sum the attribution over the core, the wings and the neighbouring continuum of each named line.

        Parameters
        ----------
        lines : str, SpectralLine or iterable of them, optional
            Names of lines or windows (`agnsal.line_table`), or lines of your own; by default the common lines on the
            grid and Fe II 4570.

        Returns
        -------
        QTable
            A row per spectrum and line and one, ``"elsewhere"``, of all other bins (in the column ``continuum``).
            ``object_id``, ``line``, ``core`` (of a window: all of it), ``wings``, ``continuum`` (sums of `values` in
            `unit`), ``bad_fraction`` (of the bins of the row), ``target``.
            With an `uncertainty` (`agnsal.attribution_uncertainty`) also ``core_error`` from all sources,
            ``core_error_flux`` and the like from each, ``core_significance`` (the sum over its error), and the same
            of wings and continuum; bins of a sum that vary together are taken as such.
            ``start`` and ``stop`` (of core and wings, outer edges), ``blends`` (other named lines and windows within
            reach), ``wavelength`` (vacuum), ``n_core``, ``core_bad_fraction`` (bins) and the like.

            Bad bins are in no sum; a part that was not observed at all is NaN. No bin counts twice: cores go before
            wings and these before continua, which share theirs out to the nearest line; of equals the first named has
            the bin, windows come last. So all sums and `unobserved` together are the sum of `values`.

        Raises
        ------
        AgnsalError
            If there is no grid, a line is unknown or off the grid.

        See Also
        --------
        agnsal.figures.plot_line_importance : draws it.
        """
        return line_sums(self, self._needed_grid(), lines)

    def to_table(self, i: int | None = None) -> QTable:
        """Spectra and their attribution, bin by bin.

        Parameters
        ----------
        i : int, optional
            Number of one spectrum; by default all of them, one below the other, with the columns ``object_id`` and
            ``target`` first.

        Returns
        -------
        QTable
            ``wavelength``, ``width``, ``flux``, ``attribution`` (NaN in bad bins) and ``density``: the attribution per
            Angstrom, which does not depend on the binning; ``region`` and ``mask`` where known. After a transform
            ``feature``, ``coordinate`` and ``attribution``. With an `uncertainty` also ``attribution_error`` and the
            errors from each source. ``meta`` says what is explained.
        """
        asked = self if i is None else self[i]
        n, d = asked.values.shape
        table = QTable()
        if i is None:
            table["object_id"], table["target"] = np.repeat(asked.ids, d), np.repeat(asked.target, d)
        seen = asked.observed_values
        flux, values = asked.inputs.ravel(), u.Quantity(seen.ravel(), self.unit)
        if self.features is not None:
            table["feature"], table["coordinate"], table["attribution"] = np.tile(self.features, n), flux, values
        else:
            grid = self._needed_grid()
            table["wavelength"] = np.tile(grid.centers.value, n) * u.AA
            table["width"] = np.tile(grid.widths.value, n) * u.AA
            table["flux"] = flux if self.flux_unit is None else u.Quantity(flux, self.flux_unit)
            table["attribution"] = values
            table["density"] = values / table["width"]
            table.meta.update(medium=grid.medium, frame=grid.frame)
        add_errors(table, "attribution", seen, self.unit, asked.uncertainty, None)
        if self.regions is not None:
            table["region"] = np.tile(np.array(self.regions.names)[self.regions.labels], n)
        if asked.mask is not None:
            table["mask"] = asked.mask.ravel()
        if i is not None:
            table.meta.update(
                object_id=str(asked.ids[0]),
                target=str(asked.target[0]),
                explained=float(asked.explained[0]),
                unobserved=float(asked.unobserved[0]),
            )
        plain = {name: value for name, value in self.options.items() if isinstance(value, str | float | int | None)}
        table.meta.update(method=self.method, output=self.output)
        table.meta.update({**plain, **self.provenance, **table.meta})
        return table

    def to_pandas(self, i: int | None = None) -> DataFrame:
        """The table of `to_table` as a pandas DataFrame; the units are in ``.attrs["units"]``.

        Parameters
        ----------
        i : int, optional
            Number of one spectrum; by default all.

        Returns
        -------
        DataFrame

        Raises
        ------
        AgnsalError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise AgnsalError("pandas is not installed: pip install pandas, or use .to_table().") from error
        table = self.to_table(i)
        frame = pd.DataFrame({name: np.asarray(table[name]) for name in table.colnames})
        frame.attrs["units"] = {name: str(table[name].unit) for name in table.colnames if table[name].unit is not None}
        return frame

    def plot(self, i: int = 0, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw one spectrum with its attribution; see `agnsal.figures.plot_saliency`.

        Parameters
        ----------
        i : int
            Number of the spectrum.
        ax : Axes, optional
            Where to draw.
        **options
            Passed on.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_saliency

        return plot_saliency(self, i, ax=ax, **options)

    def mean_maps(self, groups: ArrayLike | None = None) -> MeanMaps[Attribution]:
        """Average the maps of each group of spectra; see `agnsal.mean_maps`."""
        return mean_maps(self, groups)

    def cluster_maps(self, n_clusters: int = 3, *, scale: bool = True, random_state: Seed = None) -> NDArray[np.intp]:
        """Sort the maps into kinds by their shape; see `agnsal.cluster_maps`."""
        return cluster_maps(self, n_clusters, scale=scale, random_state=random_state)

    def map_stability(self, source: str = "training") -> NDArray[np.float64]:
        """How alike the maps of one spectrum are from refit to refit; see `agnsal.map_stability`."""
        return map_stability(self, source)

    def to_shap(self) -> Any:
        """Give it to shap, for its plots; see `agnsal.to_shap`."""
        return to_shap(self)

    def to_quantus(self, classes: ArrayLike) -> dict[str, NDArray[Any]]:
        """Arrays in the shapes Quantus' metrics take; see `agnsal.to_quantus`."""
        return to_quantus(self, classes)

    _formats: ClassVar = {".npz": NPZ, ".fits": FITS, ".ecsv": ECSV}
    _arrays: ClassVar = {
        "values": Array("real", "spectrum feature"),
        "target": Array("labels", "spectrum"),
        "explained": Array("real", "spectrum"),
        "inputs": Array("real", "spectrum feature"),
        "ids": Array("labels", "spectrum"),
        "mask": Array("flags", "spectrum *", optional=True),
        "baseline": Array("real", "feature | spectrum feature", optional=True),
        "residual": Array("real", "spectrum", finite=False, optional=True),
        "features": Array("text", "feature", optional=True),
        "unexplained": Array("real", "spectrum", optional=True),
        "unexplained_share": Array("real", "spectrum", finite=False, optional=True),
        "edges": Array("real", "feature+1", optional=True),
        "centers": Array("real", "feature", optional=True),
        "region_bins": Array("whole", "*", optional=True),
        "region_starts": Array("whole", "*", optional=True),
        "region_features": Array("whole", "1", optional=True),
        "uncertainty_*": Array("real", "spectrum feature | * spectrum feature", finite=False),
        "option_*": Array("cells", "...", finite=False),
    }
    _header: ClassVar = {
        "unit": str,
        "flux_unit": (str, None),
        "method": str,
        "output": str,
        "provenance": dict,
        "options": dict,
        "regions": ([str], None),
        "grid": GRID_HEADER,
    }

    def _packed(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Everything as arrays and as what JSON can hold."""
        arrays = {name: getattr(self, name) for name in (*_BY_SPECTRUM, "baseline", "features")}
        arrays = {name: array for name, array in arrays.items() if array is not None}
        arrays.update({f"uncertainty_{source}": spread for source, spread in (self.uncertainty or {}).items()})
        given, options = packed(self.options)
        arrays.update({f"option_{name}": array for name, array in given.items()})
        of_regions, regions = ({}, None) if self.regions is None else self.regions.pack()
        edges, grid = pack_grid(self.grid)
        header = {
            "unit": self.unit.to_string(),
            "flux_unit": None if self.flux_unit is None else self.flux_unit.to_string(),
            "method": self.method,
            "output": self.output,
            "provenance": dict(self.provenance),
            "options": options,
            "regions": regions,
            "grid": grid,
        }
        return arrays | of_regions | edges, header

    @classmethod
    def _unpacked(cls, arrays: dict[str, NDArray[Any]], header: dict[str, Any]) -> Attribution:
        def taken(start: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(start): arrays.pop(name) for name in list(arrays) if name.startswith(start)}

        grid = unpack_grid(arrays, header.pop("grid"))
        for name in ("edges", "centers"):
            arrays.pop(name, None)
        parts = {f"region_{name}": array for name, array in taken("region_").items()}
        names = header.pop("regions")
        if (names is None) != (not parts):
            raise AgnsalError("regions and their names are there together or not at all")
        header["options"] = unpacked(taken("option_"), header["options"], grid)
        uncertainty = taken("uncertainty_") or None
        if any(spread.ndim == 3 and not len(spread) for spread in (uncertainty or {}).values()):
            raise AgnsalError("an uncertainty without draws")
        flux_unit, unit = header.pop("flux_unit"), u.Unit(header.pop("unit"))
        stored: dict[str, Any] = {**arrays, **header}
        return cls(
            **stored,
            uncertainty=uncertainty,
            unit=unit,
            flux_unit=None if flux_unit is None else u.Unit(flux_unit),
            grid=grid,
            regions=None if names is None else Regions.unpack(parts, names, grid),
        )

    def _needed_grid(self) -> WavelengthGrid:
        if self.features is not None:
            raise AgnsalError(
                f"this attribution lies on the axis of a transform ({', '.join(map(str, self.features[:3]))}, ...), "
                "not of wavelength; see .features and .to_table."
            )
        if self.grid is None:
            raise AgnsalError(
                "this attribution was made from a plain array and has no wavelengths; "
                "explain a SpectralSample, or set them: dataclasses.replace(result, grid=grid)."
            )
        return self.grid


def versions() -> dict[str, str]:
    """Versions of agnsal and of what its numbers depend on, for the provenance of a result.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> sorted(versions())
    ['agnsal', 'autograd', 'numpy', 'scikit-learn', 'scipy']
    """
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    """Looked up once: asking the installed distributions takes as long as a saliency map."""
    import agnsal

    others = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "scikit-learn", "autograd")}
    return {"agnsal": agnsal.__version__, **others}
